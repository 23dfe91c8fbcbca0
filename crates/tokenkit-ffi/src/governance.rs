//! Requests and responses about Cloud Governance, as both doors see them; the rules are those of
//! [`dto`](crate::dto).

use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::providers::governance::{
    Answer, AnswerContent, ApiKey, Call, Property, PropertyValue, ReturnType, Settings,
};
use tokenkit::{Client, Error, Observer, Secret};
use zeroize::Zeroize as _;

use crate::dto::{Header, HttpOptions, Parameter, Resources, SecretInput, invalid};

/// A call to Cloud Governance.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceRequest {
    /// What is asked.
    pub call: GovernanceCall,
    /// The Modern API Endpoint of the environment.
    pub base_url: Option<String>,
    /// The client secret that is sent as a header; an empty one is not sent.
    pub client_secret: Option<GovernanceKey>,
    /// The login name that is sent as a header; an empty one is not sent.
    pub user_principal_name: Option<GovernanceKey>,
    /// A token for `Authorization`, which the service's own client never sends.
    pub access_token: Option<SecretInput>,
    /// Further headers. They replace all others of the same name.
    #[serde(default)]
    pub default_headers: Vec<Parameter>,
    /// `application/json`, which it is when absent, or `text/plain`.
    pub return_type: Option<String>,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// What is asked of Cloud Governance; in JSON the member `type` says which.
#[ffi]
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GovernanceCall {
    /// A delegated access token.
    Delegate(GovernanceCredential),
    /// A new access token for a refresh token.
    Refresh(GovernanceRefresh),
    /// To forget the tokens it keeps.
    DeleteCache(GovernanceCredential),
}

/// A credential object.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceCredential {
    /// Its properties in order.
    pub properties: Vec<GovernanceProperty>,
}

/// A property of a credential object.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceProperty {
    /// Its name.
    pub name: String,
    /// Its value; `value` in JSON.
    #[serde(rename = "value")]
    pub content: SecretInput,
    /// Whether the value is JSON already, being no text.
    #[serde(default)]
    pub is_json: bool,
}

/// The credential of [`GovernanceCall::Refresh`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceRefresh {
    /// The refresh token.
    pub refresh_token: SecretInput,
}

/// A key that is sent as a header.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceKey {
    /// The key.
    pub key: SecretInput,
    /// What stands before it, with a space between. The service's own client never sends it.
    pub prefix: Option<String>,
}

/// An answer whose status says success.
#[ffi]
#[derive(Serialize)]
pub struct GovernanceAnswer {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received.
    pub headers: Vec<Header>,
    /// What came; absent when that is nothing.
    pub body: Option<String>,
    /// Whether the body is JSON, and not a text to be handed on as it is.
    pub is_json: bool,
    /// `IsSuccess` of the body. It may be false although the status says success.
    pub is_success: Option<bool>,
    /// `ErrorMsg` of the body, with the secrets of the request masked.
    pub error_message: Option<String>,
}

impl GovernanceRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<GovernanceAnswer, Error> {
        let config = self.http.into_core(resources)?;
        let call = self.call.into_core(resources)?;
        let key = |key: Option<GovernanceKey>| {
            key.map(|key| Ok::<_, Error>(ApiKey { key: resources.secret(key.key)?, prefix: key.prefix }))
                .transpose()
        };
        let settings = Settings {
            base_url: self.base_url,
            client_secret: key(self.client_secret)?,
            user_principal_name: key(self.user_principal_name)?,
            access_token: resources.optional(self.access_token)?,
            default_headers: resources.fields(self.default_headers)?,
            return_type: self.return_type.as_deref().map(return_type).transpose()?,
            allow_insecure_http: self.allow_insecure_http,
        };
        client.governance(&settings, &call, &config, observer).await.map(GovernanceAnswer::from)
    }
}

impl GovernanceCall {
    fn into_core(self, resources: &Resources) -> Result<Call, Error> {
        Ok(match self {
            Self::Delegate(credential) => Call::Delegate(credential.into_core(resources)?),
            Self::Refresh(refresh) => Call::Refresh(resources.secret(refresh.refresh_token)?),
            Self::DeleteCache(credential) => Call::DeleteCache(credential.into_core(resources)?),
        })
    }
}

impl GovernanceCredential {
    fn into_core(self, resources: &Resources) -> Result<Vec<Property>, Error> {
        let property = |property: GovernanceProperty| {
            let kind = if property.is_json { PropertyValue::Json } else { PropertyValue::Text };
            Ok(Property { name: property.name, value: kind(resources.secret(property.content)?) })
        };
        self.properties.into_iter().map(property).collect()
    }
}

impl From<Answer> for GovernanceAnswer {
    fn from(answer: Answer) -> Self {
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let (body, is_json) = match &answer.content {
            AnswerContent::Empty => (None, false),
            AnswerContent::Json(json) => (Some(text(json)), true),
            AnswerContent::Text(plain) => (Some(text(plain)), false),
        };
        Self {
            status: answer.status,
            headers: Header::list(&answer.headers),
            body,
            is_json,
            is_success: answer.is_success,
            error_message: answer.error_message,
        }
    }
}

impl Drop for GovernanceAnswer {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

fn return_type(media_type: &str) -> Result<ReturnType, Error> {
    match media_type.to_ascii_lowercase().as_str() {
        "application/json" => Ok(ReturnType::Json),
        "text/plain" => Ok(ReturnType::Text),
        _ => Err(invalid(format!("'{media_type}' is neither application/json nor text/plain."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_in_json_makes_its_content() {
        let properties = r#""properties":[{"name":"ClientSecret","value":"s"},{"name":"N","value":"1.50","is_json":true}]"#;
        for (call, content) in [
            (format!(r#"{{"type":"delegate",{properties}}}"#), r#"{"ClientSecret":"s","N":1.50}"#),
            (format!(r#"{{"type":"delete_cache",{properties}}}"#), r#"{"ClientSecret":"s","N":1.50}"#),
            (r#"{"type":"refresh","refresh_token":"r"}"#.to_owned(), ""),
        ] {
            let call: GovernanceCall = serde_json::from_str(&call).unwrap();
            let settings = Settings { base_url: Some("https://gov.example".into()), ..Settings::default() };
            let request = call.into_core(&Resources::default()).unwrap().build(&settings).unwrap();
            assert_eq!(request.body().expose_str(), Some(content));
        }
    }

    #[test]
    fn return_types_are_the_two_that_the_service_knows() {
        assert_eq!(return_type("Text/Plain").unwrap(), ReturnType::Text);
        assert_eq!(return_type("application/json").unwrap(), ReturnType::Json);
        assert!(return_type("text/html").is_err());
    }
}
