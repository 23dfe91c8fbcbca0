//! Requests and responses about Venafi's service, as both doors see them; the rules are those of
//! [`dto`](crate::dto).

use std::time::Duration;

use chrono::{DateTime, Utc};
use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::providers::venafi::{self, Credential, Region, ServiceAccount};
use tokenkit::{Category, Client, Error, JwtLifetime, Observer, Renewal};
use zeroize::Zeroize as _;

use crate::dto::{HttpOptions, Resources, SecretInput, SharedSecret, invalid};
use crate::failure::FailureDetail;

/// A request for an access token of a service account.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenafiTokenRequest {
    /// The token endpoint of the service account.
    pub endpoint: String,
    /// The JWT of the workload, in compact form.
    pub jwt: SecretInput,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// An access token of a service account.
#[ffi]
#[derive(Serialize)]
pub struct VenafiToken {
    /// The token endpoint that was asked.
    pub endpoint: String,
    /// The token.
    pub access_token: String,
    /// When it expires by this machine's clock: Unix time in milliseconds. Absent when nobody says.
    pub expires_at_ms: Option<i64>,
}

/// A question for the user behind a credential.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenafiUserRequest {
    /// The server, without a path.
    pub server: String,
    /// What the caller is known by.
    pub credential: VenafiCredential,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// What a caller of the service is known by; in JSON the member `type` says which.
#[ffi]
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VenafiCredential {
    /// The API key of a user.
    ApiKey(SharedSecret),
    /// The access token of a service account.
    AccessToken(SharedSecret),
}

/// The user behind a credential, or why it is not known. Whoever makes a session can do without.
#[ffi]
#[derive(Serialize)]
pub struct VenafiUser {
    /// The user as JSON object in text, `userId` first.
    pub user: Option<String>,
    /// Why there is none.
    pub problem: Option<FailureDetail>,
}

/// A region of the service.
#[ffi]
#[derive(Serialize)]
pub struct VenafiRegion {
    /// Its name, such as `eu`.
    pub name: String,
    /// Its address.
    pub server: String,
}

/// A place to find: by the name of a region, or by a token endpoint.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenafiServerRequest {
    /// The name of a region, in any case.
    pub region: Option<String>,
    /// A token endpoint.
    pub endpoint: Option<String>,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
}

/// A place where the service runs.
#[ffi]
#[derive(Serialize)]
pub struct VenafiServer {
    /// Its address, with the port unless that is the usual one.
    pub server: String,
    /// The name of its region; absent when it is none of the known ones.
    pub region: Option<String>,
}

/// A session to look at. Nothing is sent.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VenafiSessionRequest {
    /// When the access token expires: Unix time in milliseconds; absent when that is not known.
    pub expires_at_ms: Option<i64>,
    /// The JWT that renews it.
    pub jwt: Option<SecretInput>,
    /// How long before its end a token is renewed, in milliseconds; a minute when absent.
    pub margin_ms: Option<u64>,
    /// The time, in Unix time in milliseconds; now when absent.
    pub now_ms: Option<i64>,
}

/// How a session stands.
#[ffi]
#[derive(Serialize)]
pub struct VenafiSessionState {
    /// Whether the access token is to be renewed.
    pub renewal: RenewalState,
    /// When the JWT expires: Unix time in milliseconds; absent when it does not say.
    pub jwt_expires_at_ms: Option<i64>,
    /// Why the JWT cannot renew it, if it cannot: expired, not yet valid, or unreadable. Its absence is no problem.
    pub jwt_problem: Option<FailureDetail>,
}

/// Whether a token is to be renewed.
#[ffi]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewalState {
    /// It is good for longer than the margin.
    NotDue,
    /// It is still good, but for no longer than the margin.
    Due,
    /// It has expired.
    Overdue,
    /// Nobody said when it expires.
    Unknown,
}

impl VenafiTokenRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<VenafiToken, Error> {
        let config = self.http.into_core(resources)?;
        let account = ServiceAccount {
            endpoint: self.endpoint,
            jwt: resources.secret(self.jwt)?,
            allow_insecure_http: self.allow_insecure_http,
        };
        let token = client.venafi_token(&account, &config, observer).await?;
        Ok(VenafiToken {
            endpoint: account.endpoint,
            access_token: token.token.expose_str().unwrap_or_default().to_owned(),
            expires_at_ms: token.expires_at.map(|time| time.timestamp_millis()),
        })
    }
}

impl VenafiUserRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<VenafiUser, Error> {
        let config = self.http.into_core(resources)?;
        let credential = match self.credential {
            VenafiCredential::ApiKey(key) => Credential::ApiKey(resources.secret(key.secret)?),
            VenafiCredential::AccessToken(token) => Credential::AccessToken(resources.secret(token.secret)?),
        };
        let allow = self.allow_insecure_http;
        match client.venafi_user(&self.server, &credential, allow, &config, observer).await {
            Ok(user) => Ok(VenafiUser { user: Some(user), problem: None }),
            Err(error) if error.category() == Category::Internal => Err(error),
            Err(error) => Ok(VenafiUser { user: None, problem: Some(FailureDetail::from(&error)) }),
        }
    }
}

impl VenafiServerRequest {
    pub(crate) fn find(self) -> Result<VenafiServer, Error> {
        match (self.region, self.endpoint) {
            (Some(name), None) => Ok(Region::named(&name)?.into()),
            (None, Some(endpoint)) => {
                let server = venafi::server_of(&endpoint, self.allow_insecure_http)?;
                let region = Region::at(&server).map(|region| region.name.to_owned());
                Ok(VenafiServer { server, region })
            }
            _ => Err(invalid("Give either a region or an endpoint.".into())),
        }
    }
}

impl VenafiSessionRequest {
    pub(crate) fn look(self, resources: &Resources) -> Result<VenafiSessionState, Error> {
        let time = |milliseconds| {
            DateTime::from_timestamp_millis(milliseconds)
                .ok_or_else(|| invalid(format!("{milliseconds} milliseconds are beyond the calendar.")))
        };
        let now = self.now_ms.map(time).transpose()?.unwrap_or_else(Utc::now);
        let margin = self.margin_ms.map_or(Renewal::MARGIN, Duration::from_millis);
        let renewal = Renewal::of(self.expires_at_ms.map(time).transpose()?, margin, now);
        let jwt = resources.optional(self.jwt)?;
        let lifetime = jwt.map(|jwt| JwtLifetime::read(jwt.expose_str().unwrap_or_default())).transpose();
        let (expires_at, problem) = match lifetime {
            Ok(None) => (None, None),
            Ok(Some(lifetime)) => (lifetime.expires_at, lifetime.check(now).err()),
            Err(error) => (None, Some(error)),
        };
        Ok(VenafiSessionState {
            renewal: renewal.into(),
            jwt_expires_at_ms: expires_at.map(|time| time.timestamp_millis()),
            jwt_problem: problem.as_ref().map(FailureDetail::from),
        })
    }
}

/// Every region; the first one is the usual one.
pub(crate) fn regions() -> Vec<VenafiRegion> {
    let named = |region: Region| VenafiRegion { name: region.name.into(), server: region.server.into() };
    venafi::REGIONS.map(named).into()
}

impl From<Region> for VenafiServer {
    fn from(region: Region) -> Self {
        Self { server: region.server.to_owned(), region: Some(region.name.to_owned()) }
    }
}

impl From<Renewal> for RenewalState {
    fn from(renewal: Renewal) -> Self {
        match renewal {
            Renewal::NotDue => Self::NotDue,
            Renewal::Due => Self::Due,
            Renewal::Overdue => Self::Overdue,
            Renewal::Unknown => Self::Unknown,
        }
    }
}

impl Drop for VenafiToken {
    fn drop(&mut self) {
        self.access_token.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(request: &str) -> Result<VenafiServer, Error> {
        serde_json::from_str::<VenafiServerRequest>(request).unwrap().find()
    }

    #[test]
    fn a_server_is_found_by_region_or_endpoint() {
        for (request, address, region) in [
            (r#"{"region":"EU"}"#, "https://api.eu.venafi.cloud", Some("eu")),
            (
                r#"{"endpoint":"https://api.venafi.cloud/v1/oauth2/v2.0/t/token"}"#,
                "https://api.venafi.cloud",
                Some("us"),
            ),
            (r#"{"endpoint":"https://vc.example:8443/token"}"#, "https://vc.example:8443", None),
        ] {
            let found = server(request).unwrap();
            assert_eq!((found.server.as_str(), found.region.as_deref()), (address, region));
        }
        for request in [r#"{"region":"mars"}"#, r#"{"endpoint":"http://vc.example/"}"#, "{}"] {
            assert!(server(request).is_err(), "{request}");
        }
        assert_eq!(regions().len(), 6);
    }

    #[test]
    fn a_session_tells_what_can_be_done() {
        // The JWT expires at 2000 seconds.
        let jwt = "e30.eyJleHAiOjIwMDB9.c2ln";
        let look = |now_ms: i64, jwt: &str| {
            let request = format!(r#"{{"expires_at_ms":1000000,"jwt":"{jwt}","now_ms":{now_ms}}}"#);
            let request: VenafiSessionRequest = serde_json::from_str(&request).unwrap();
            let state = request.look(&Resources::default()).unwrap();
            (state.renewal, state.jwt_expires_at_ms, state.jwt_problem.map(|problem| problem.code))
        };
        let end = Some(2_000_000);
        assert_eq!(look(0, jwt), (RenewalState::NotDue, end, None));
        assert_eq!(look(940_000, jwt), (RenewalState::Due, end, None));
        assert_eq!(look(1_000_000, jwt), (RenewalState::Overdue, end, None));
        let expired = Some("assertion_expired".to_owned());
        assert_eq!(look(2_060_000, jwt), (RenewalState::Overdue, end, expired));
        assert_eq!(look(0, "opaque"), (RenewalState::NotDue, None, Some("malformed_token".to_owned())));
    }
}
