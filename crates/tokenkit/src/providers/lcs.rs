//! Dynamics Lifecycle Services (LCS): where its API is, who issues tokens for it, and the settings that are kept.
//!
//! Tokens come from Microsoft Entra: in version 1 of its token endpoint for a `resource`, in version 2 for a `scope`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

pub use super::lcs_import::{Import, Imported, Refused, import};

use crate::client::Client;
use crate::error::{Error, ErrorCode};
use crate::event::Event;
use crate::grant::Grant;
use crate::http::HttpConfig;
use crate::jwt::decode_unverified;
use crate::message::Field;
use crate::refresh::{KeptToken, members};
use crate::reply::wipe;
use crate::secret::Secret;
use crate::store::{Origin, Records, Section, Store};
use crate::token::{TokenRequest, TokenResponse};

/// The section of a store with the settings.
pub const SECTION: &str = "d365lcs";

/// The settings, by their names in d365fo.tools.
pub const NAMES: [&str; 6] = [EXPIRES_ON, BEARER_TOKEN, CLIENT_ID, LCS_API_URI, PROJECT_ID, REFRESH_TOKEN];

const EXPIRES_ON: &str = "activetokenexpireson";
const BEARER_TOKEN: &str = "bearertoken";
const CLIENT_ID: &str = "clientid";
const LCS_API_URI: &str = "lcsapiuri";
const PROJECT_ID: &str = "projectid";
const REFRESH_TOKEN: &str = "refreshtoken";
/// The token endpoint that issued the tokens.
const ENDPOINT: &str = "tokenendpoint";

const PUBLIC: &str = "https://login.microsoftonline.com";
const CHINA: &str = "https://login.partner.microsoftonline.cn";
const US_GOVERNMENT: &str = "https://login.microsoftonline.us";

/// The tenant of whoever signs in.
const COMMON: &str = "common";
const V1: &str = "/oauth2/token";
const V2: &str = "/oauth2/v2.0/token";

/// An address of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub url: &'static str,
    /// Where it is, for people.
    pub region: &'static str,
    /// Who issues tokens for it.
    pub authority: &'static str,
}

/// Every address of the API.
pub const ADDRESSES: [Address; 9] = [
    Address {
        url: "https://lcsapi.lcs.dynamics.com",
        region: "United States and worldwide",
        authority: PUBLIC,
    },
    Address { url: "https://lcsapi.eu.lcs.dynamics.com", region: "Europe", authority: PUBLIC },
    Address { url: "https://lcsapi.fr.lcs.dynamics.com", region: "France", authority: PUBLIC },
    Address { url: "https://lcsapi.sa.lcs.dynamics.com", region: "South Africa", authority: PUBLIC },
    Address { url: "https://lcsapi.uae.lcs.dynamics.com", region: "United Arab Emirates", authority: PUBLIC },
    Address { url: "https://lcsapi.ch.lcs.dynamics.com", region: "Switzerland", authority: PUBLIC },
    Address { url: "https://lcsapi.no.lcs.dynamics.com", region: "Norway", authority: PUBLIC },
    Address { url: "https://lcsapi.lcs.dynamics.cn", region: "China", authority: CHINA },
    Address {
        url: "https://lcsapi.gov.lcs.microsoftdynamics.us",
        region: "United States government",
        authority: US_GOVERNMENT,
    },
];

/// Which authorization server is asked, and how.
#[derive(Debug, Clone, Default)]
pub struct Authority {
    /// Its address: `https://host`, `https://host/tenant`, or a token endpoint. When `None`, the endpoint that issued the
    /// stored tokens, else that of the cloud of the API.
    pub address: Option<String>,
    /// The tenant; that in the address, else `common`, when `None`.
    pub tenant: Option<String>,
    /// Whether version 2 of the endpoint is asked.
    pub v2: bool,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// The settings. What was never set is `None`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// When the bearer token expires: Unix time in seconds.
    pub active_token_expires_on: Option<i64>,
    /// The access token.
    pub bearer_token: Option<Secret>,
    /// The client.
    pub client_id: Option<String>,
    /// The API.
    pub lcs_api_uri: Option<String>,
    /// The project.
    pub project_id: Option<i32>,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
}

/// What a change of settings did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// The names of the settings that have another value now.
    pub changed: Vec<String>,
    /// Whether the tokens were left out because the stored ones came from them by a refresh.
    pub kept_newer_token: bool,
}

/// A request for a token with a user name and password (RFC 6749 section 4.3).
#[derive(Debug, Clone)]
pub struct PasswordRequest {
    /// The client; the stored one when `None`.
    pub client_id: Option<String>,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// The API; the stored one when `None`.
    pub lcs_api_uri: Option<String>,
    /// Who is asked.
    pub authority: Authority,
}

/// A request for new tokens (RFC 6749 section 6).
#[derive(Debug, Clone, Default)]
pub struct RefreshRequest {
    /// The client; the stored one when `None`.
    pub client_id: Option<String>,
    /// The refresh token; the stored one when `None`.
    pub refresh_token: Option<Secret>,
    /// The API; the stored one, if the refresh token is the stored one, when `None`.
    pub lcs_api_uri: Option<String>,
    /// Who is asked.
    pub authority: Authority,
}

/// A token to look at.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The access token; the stored one when `None`. An empty one is missing.
    pub token: Option<Secret>,
    /// When it expires, where it does not say so itself: Unix time in seconds.
    pub expires_on: Option<i64>,
    /// Seconds that it must still be valid.
    pub minimum_lifetime: u32,
}

/// What can be seen of an access token. Its signature is for the API to check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenState {
    /// Why it cannot be used: `missing`, `expired`, `expires_soon`, `not_yet_valid` or `expiry_unknown`.
    pub problem: Option<&'static str>,
    /// When it expires: Unix time in seconds.
    pub expires_on: Option<i64>,
    /// Seconds until then.
    pub remaining: Option<i64>,
    /// The API it is for, as it says.
    pub audience: Option<String>,
    /// The client it was issued to, as it says.
    pub client_id: Option<String>,
    /// The user, as it says.
    pub username: Option<String>,
    /// The tenant, as it says.
    pub tenant_id: Option<String>,
    /// Whether it is the stored one.
    pub stored: bool,
    /// Whether a refresh token is stored.
    pub refreshable: bool,
}

impl Config {
    /// The settings as they stand, with the temporary layer over them.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn load(store: &Store) -> Result<Self, Error> {
        let config = Self::of(&store.read(SECTION).await?);
        if let Some(token) = &config.refresh_token {
            store.tokens().note_seen(token);
        }
        Ok(config)
    }

    /// The settings that are kept for longer than this process.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn load_stored(store: &Store) -> Result<Self, Error> {
        Ok(Self::of(&store.read_stored(SECTION).await?))
    }

    /// Saves the settings that are there; the others stay as they are.
    ///
    /// Tokens that are known to be spent are left out when the kept ones came from them by refreshes: a slow process
    /// does not put back what a quick one has replaced. When the bearer token was requested by this process, the
    /// client and API of that request are saved, too, unless others are given.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn save(&self, store: &Store, temporary: bool) -> Result<Saved, Error> {
        let origin = self.bearer_token.as_ref().and_then(|token| store.tokens().origin(token));
        let config = self.clone();
        if temporary {
            // Its tokens may have come from those below it, and the records are with the store.
            let newer = match (&self.refresh_token, Self::load(store).await?.refresh_token) {
                (Some(old), Some(kept)) => store.is_descendant(old, &kept).await?,
                _ => false,
            };
            let kept_newer_token = newer;
            let put = |layer: &mut Section| {
                config.put(layer, origin, newer);
                layer.changed().filter(|name| NAMES.contains(name)).map(str::to_owned).collect()
            };
            let changed = store.update_temporary(SECTION, put)?;
            return Ok(told(store, Saved { changed, kept_newer_token }));
        }
        let change = move |section: &mut Section, records: &Records<'_>| {
            let kept = section.secret(REFRESH_TOKEN);
            let newer = match (&config.refresh_token, kept) {
                (Some(old), Some(kept)) => records.descends(old, kept),
                _ => false,
            };
            config.put(section, origin, newer);
            Ok(Saved { changed: public_changes(section), kept_newer_token: newer })
        };
        Ok(told(store, store.transact(SECTION, true, change).await?))
    }

    fn of(section: &Section) -> Self {
        let text = |name| section.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let secret = |name| section.secret(name).filter(|secret| !secret.is_empty()).cloned();
        let number = |name| section.value(name).and_then(Value::as_i64);
        Self {
            active_token_expires_on: number(EXPIRES_ON),
            bearer_token: secret(BEARER_TOKEN),
            client_id: text(CLIENT_ID),
            lcs_api_uri: text(LCS_API_URI),
            project_id: number(PROJECT_ID).and_then(|number| i32::try_from(number).ok()),
            refresh_token: secret(REFRESH_TOKEN),
        }
    }

    fn put(&self, section: &mut Section, origin: Option<Origin>, keeps_tokens: bool) {
        let mut set = |name, value: Option<Value>| {
            if let Some(value) = value {
                section.set(name, value);
            }
        };
        let api =
            self.lcs_api_uri.as_deref().or(origin.as_ref().and_then(|origin| origin.resource.as_deref()));
        set(LCS_API_URI, api.map(Value::from));
        set(PROJECT_ID, self.project_id.map(Value::from));
        let client_id = self.client_id.as_deref().or(origin.as_ref().map(|origin| origin.client_id.as_str()));
        set(CLIENT_ID, client_id.map(Value::from));
        if keeps_tokens {
            return;
        }
        set(EXPIRES_ON, self.active_token_expires_on.map(Value::from));
        if let Some(token) = &self.bearer_token {
            section.set_secret(BEARER_TOKEN, token.clone());
        }
        let is_other =
            |token: &Secret| !section.secret(REFRESH_TOKEN).is_some_and(|kept| kept.matches(token));
        let other = self.refresh_token.as_ref().is_some_and(is_other);
        if let Some(token) = &self.refresh_token {
            section.set_secret(REFRESH_TOKEN, token.clone());
        }
        match origin {
            Some(origin) => section.set(ENDPOINT, origin.endpoint),
            // Nothing is known about who issued it.
            None if other => _ = section.remove(ENDPOINT),
            None => {}
        }
    }
}

/// Forgets settings: those named, or all. With `temporary`, only what is kept for this process.
///
/// # Errors
/// A name is none of [`NAMES`]; [`Error::Store`].
pub async fn clear(store: &Store, names: &[String], temporary: bool) -> Result<Saved, Error> {
    let mut doomed = Vec::new();
    for name in names {
        let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let message = format!("'{name}' is no setting of LCS; they are {}.", NAMES.join(", "));
            Error::invalid(ErrorCode::InvalidArgument, message)
        })?;
        doomed.push(*known);
    }
    let all = doomed.is_empty() || NAMES.iter().all(|name| doomed.contains(name));
    let has_tokens = all || [BEARER_TOKEN, REFRESH_TOKEN].iter().any(|name| doomed.contains(name));
    let clear = move |section: &mut Section| {
        let names: Vec<_> = section.names().map(str::to_owned).collect();
        // Without the refresh token it does not matter who issued it.
        let goes = |name: &str| {
            all || doomed.contains(&name) || (name == ENDPOINT && doomed.contains(&REFRESH_TOKEN))
        };
        names.iter().filter(|name| goes(name)).for_each(|name| _ = section.remove(name));
        public_changes(section)
    };
    if temporary {
        let changed = store.update_temporary(SECTION, clear)?;
        if has_tokens {
            store.forget_answers();
        }
        return Ok(Saved { changed, ..Saved::default() });
    }
    let before = store.layer(SECTION);
    let mut changed = if store.exists(SECTION) {
        let clear = clear.clone();
        store.update(SECTION, move |section| Ok(clear(section))).await?
    } else {
        vec![]
    };
    if before.is_some() {
        changed.extend(store.update_temporary(SECTION, clear)?);
        changed.sort_unstable();
        changed.dedup();
    }
    if all {
        store.remove(SECTION).await?;
    }
    if has_tokens {
        // They hold the tokens, too.
        store.forget_records().await?;
    }
    Ok(Saved { changed, ..Saved::default() })
}

impl Client {
    /// Requests a token for LCS with a user name and password.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::MissingClientId`] and [`ErrorCode::MissingLcsApiUri`] before any request.
    pub async fn lcs_token(
        &self,
        request: PasswordRequest,
        config: &HttpConfig,
        store: &Store,
    ) -> Result<TokenResponse, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (mut client_id, mut api) = (given(request.client_id), given(request.lcs_api_uri));
        if client_id.is_none() || api.is_none() {
            let kept = Config::load(store).await?;
            client_id = client_id.or(kept.client_id);
            api = api.or(kept.lcs_api_uri);
        }
        let client_id = client_id.ok_or_else(|| missing(ErrorCode::MissingClientId, "client id"))?;
        let api = api.ok_or_else(|| missing(ErrorCode::MissingLcsApiUri, "address of the LCS API"))?;
        let endpoint = request.authority.endpoint(Some(&api))?;
        let grant = Grant::Password { username: request.username, password: request.password };
        let mut token = TokenRequest::new(endpoint, grant);
        token.client_id = Some(client_id);
        token.allow_insecure_http = request.authority.allow_insecure_http;
        aim(&mut token, Some(&api), true);
        let response = self.token(&token, config, &**store.observer()).await?;
        Ok(finish(response, &token, Some(api), store))
    }

    /// Refreshes a token for LCS, as [`refresh_once`](Self::refresh_once) does.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::MissingClientId`] and [`ErrorCode::MissingRefreshToken`] before any request.
    pub async fn lcs_refresh(
        self: &Arc<Self>,
        request: RefreshRequest,
        config: &HttpConfig,
        store: &Store,
    ) -> Result<TokenResponse, Error> {
        let given = request.refresh_token.filter(|token| !token.is_empty());
        let section = match store.read(SECTION).await {
            Ok(section) => section,
            // What is given may be enough.
            Err(error) if given.is_some() && error.error_code() != ErrorCode::StoreLocked => {
                store.observer().event(Event::Warning(format!("The stored settings are not used: {error}")));
                Section::default()
            }
            Err(error) => return Err(error),
        };
        let kept = Config::of(&section);
        let token = given.or_else(|| kept.refresh_token.clone());
        let token = token.ok_or_else(|| missing(ErrorCode::MissingRefreshToken, "refresh token"))?;
        let client_id =
            request.client_id.filter(|id| !id.trim().is_empty()).or_else(|| kept.client_id.clone());
        let client_id = client_id.ok_or_else(|| missing(ErrorCode::MissingClientId, "client id"))?;
        // The kept token, or one that was kept until somebody else refreshed it.
        let is_kept = match &kept.refresh_token {
            Some(kept) if kept.matches(&token) || store.tokens().was_seen(&token) => true,
            Some(kept) => store.is_descendant(&token, kept).await?,
            None => false,
        };
        if let Some(token) = &kept.refresh_token {
            store.tokens().note_seen(token);
        }
        let api = request.lcs_api_uri.filter(|api| !api.trim().is_empty());
        let api = api.or_else(|| if is_kept { kept.lcs_api_uri.clone() } else { None });
        let issuer = if is_kept && request.authority.is_default() { section.text(ENDPOINT) } else { None };
        let endpoint = match issuer {
            Some(endpoint) => endpoint.to_owned(),
            None => request.authority.endpoint(api.as_deref().or(kept.lcs_api_uri.as_deref()))?,
        };
        let mut token = TokenRequest::new(endpoint, Grant::RefreshToken { refresh_token: token });
        token.client_id = Some(client_id);
        token.allow_insecure_http = request.authority.allow_insecure_http;
        aim(&mut token, api.as_deref(), false);
        let place = KeptToken {
            section: SECTION.into(),
            access_token: BEARER_TOKEN.into(),
            refresh_token: REFRESH_TOKEN.into(),
            expires_on: Some(EXPIRES_ON.into()),
            client_id: Some(CLIENT_ID.into()),
        };
        let response = self.refresh_once(token.clone(), config, store, Some(&place)).await?;
        Ok(finish(response, &token, api, store))
    }
}

impl Authority {
    fn is_default(&self) -> bool {
        let absent = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        absent(&self.address) && absent(&self.tenant) && !self.v2
    }

    /// The token endpoint for the API.
    ///
    /// ```
    /// use tokenkit::providers::lcs::Authority;
    ///
    /// let authority = Authority { tenant: Some("contoso.com".into()), ..Authority::default() };
    /// assert_eq!(
    ///     authority.endpoint(Some("https://lcsapi.lcs.dynamics.cn"))?,
    ///     "https://login.partner.microsoftonline.cn/contoso.com/oauth2/token"
    /// );
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    ///
    /// # Errors
    /// The address is no URL, or names another tenant.
    pub fn endpoint(&self, api: Option<&str>) -> Result<String, Error> {
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let invalid = |message: String| Error::invalid(ErrorCode::InvalidEndpoint, message);
        let address = given(&self.address).unwrap_or_else(|| authority_of(api).to_owned());
        let mut url = Url::parse(&address)
            .map_err(|error| invalid(format!("The authority is no absolute URL: {error}.")))?;
        let path = url.path().trim_matches('/').to_owned();
        if format!("/{path}").ends_with(V1) || format!("/{path}").ends_with(V2) {
            return Ok(address);
        }
        let tenant = match (given(&self.tenant), path.as_str()) {
            (Some(tenant), "") => tenant,
            (Some(tenant), path) if tenant.eq_ignore_ascii_case(path) => tenant,
            (Some(tenant), path) => {
                return Err(invalid(format!(
                    "The authority names the tenant '{path}', and '{tenant}' is given."
                )));
            }
            (None, "") => COMMON.to_owned(),
            (None, path) => path.to_owned(),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if !tenant.chars().all(allowed) {
            return Err(invalid(format!("'{tenant}' is no tenant: give its id or one of its domain names.")));
        }
        url.set_path(&format!("/{tenant}{}", if self.v2 { V2 } else { V1 }));
        Ok(url.into())
    }
}

/// Who issues tokens for an API: that of its cloud, which its domain tells.
fn authority_of(api: Option<&str>) -> &'static str {
    let host = api.and_then(|api| Url::parse(api.trim()).ok());
    let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if below("dynamics.cn") {
        CHINA
    } else if below("microsoftdynamics.us") {
        US_GOVERNMENT
    } else {
        PUBLIC
    }
}

/// Says what the token is for: in version 1 `resource`, in version 2 `scope`.
fn aim(request: &mut TokenRequest, api: Option<&str>, signs_in: bool) {
    let api = api.map(str::trim);
    if request.endpoint.trim_end_matches('/').ends_with(V2) {
        request.scope = match api {
            Some(api) => Some(format!("{api}/.default openid offline_access")),
            None => signs_in.then(|| "openid offline_access".to_owned()),
        };
        return;
    }
    request.scope = signs_in.then(|| "openid".to_owned());
    request.parameters.extend(api.map(|api| Field::new("resource", api)));
}

/// Adds `expires_on` to an answer without it, and remembers who got the token.
fn finish(
    mut response: TokenResponse,
    request: &TokenRequest,
    resource: Option<String>,
    store: &Store,
) -> TokenResponse {
    let members = members(&response);
    if let (Some(token), Some(client_id)) = (members.access_token, &request.client_id) {
        let (client_id, endpoint) = (client_id.clone(), request.endpoint.clone());
        let origin = Origin { client_id, endpoint, resource };
        store.tokens().note_origin(&token, origin);
    }
    if let (false, Some(at)) = (members.has_expires_on, response.expires_at) {
        let mut object = response.members();
        object.insert("expires_on".into(), at.timestamp().to_string().into());
        let object = Value::Object(object);
        response.body = Secret::from(object.to_string());
        wipe(object);
    }
    response
}

/// Looks at an access token: can it be used from `now` on?
///
/// # Errors
/// [`Error::Store`].
pub async fn check(store: &Store, question: Question, now: DateTime<Utc>) -> Result<TokenState, Error> {
    let kept = Config::load(store).await?;
    let is_kept = |token: &Secret| kept.bearer_token.as_ref().is_some_and(|kept| kept.matches(token));
    let stored = question.token.as_ref().is_none_or(is_kept);
    let refreshable = kept.refresh_token.is_some();
    let token = question.token.or(kept.bearer_token);
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(TokenState { problem: Some("missing"), stored, refreshable, ..TokenState::default() });
    };
    let text = token.expose_str().unwrap_or_default();
    let claims = decode_unverified(text.strip_prefix("Bearer ").unwrap_or(text)).map(|jwt| jwt.claims);
    let claims = claims.unwrap_or_default();
    let claim = |names: &[&str]| {
        names.iter().find_map(|name| claims.get(*name).and_then(Value::as_str)).map(str::to_owned)
    };
    let time = |name| claims.get(name).and_then(Value::as_i64);
    let expires_on = time("exp").or(question.expires_on);
    let expires_on = expires_on.or(if stored { kept.active_token_expires_on } else { None });
    let remaining = expires_on.map(|at| at.saturating_sub(now.timestamp()));
    let problem = match remaining {
        None => Some("expiry_unknown"),
        Some(..=0) => Some("expired"),
        Some(remaining) if remaining < i64::from(question.minimum_lifetime) => Some("expires_soon"),
        // Clocks may be a little apart.
        Some(_) if time("nbf").is_some_and(|from| from > now.timestamp() + 60) => Some("not_yet_valid"),
        Some(_) => None,
    };
    Ok(TokenState {
        problem,
        expires_on,
        remaining,
        audience: claim(&["aud"]),
        client_id: claim(&["appid", "azp"]),
        username: claim(&["upn", "preferred_username", "unique_name"]),
        tenant_id: claim(&["tid"]),
        stored,
        refreshable,
    })
}

fn public_changes(section: &Section) -> Vec<String> {
    section.changed().filter(|name| NAMES.contains(name)).map(str::to_owned).collect()
}

fn told(store: &Store, saved: Saved) -> Saved {
    if saved.kept_newer_token {
        let text = "The tokens are not saved: those that are kept came from them by a refresh.";
        store.observer().event(Event::Note(text.into()));
    }
    saved
}

fn missing(code: ErrorCode, what: &str) -> Error {
    Error::invalid(code, format!("No {what} is given, and none is stored."))
}
