//! `AvePoint` Cloud Governance: delegated access tokens, their refreshing, and the server's token cache.
//!
//! This is no OAuth: secrets travel in headers and JSON of the service's own. The service's own client also sends
//! `Accept-Encoding: gzip, deflate`. This one does not: answers of a kilobyte are not worth a decompressor, and an
//! answer that comes compressed all the same is refused.

use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::join;
use crate::client::Client;
use crate::client_request::add_headers;
use crate::error::{Error, ErrorCode};
use crate::event::Observer;
use crate::http::{HttpConfig, Replay};
use crate::message::{Content, Field, HttpRequest, HttpResponse, Method};
use crate::reply::{http_error, is_retryable, server_error, unusable, wipe, without_mark};
use crate::secret::Secret;

const USER_AGENT: &str = concat!("(sdk/powershell/", env!("CARGO_PKG_VERSION"), ")");

/// What every call has in common.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The Modern API Endpoint of the environment; a slash at its end makes no difference.
    pub base_url: Option<String>,
    /// The client secret that is sent as a header with every call.
    pub client_secret: Option<ApiKey>,
    /// The login name of the delegated user, sent in the same way.
    pub user_principal_name: Option<ApiKey>,
    /// A token for `Authorization`. The service's own client never sends one.
    pub access_token: Option<Secret>,
    /// Further headers. They replace all others of the same name.
    pub default_headers: Vec<Field>,
    /// What the answer shall be.
    pub return_type: Option<ReturnType>,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// A key that is sent as a header; an empty one is not sent.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key.
    pub key: Secret,
    /// What stands before it, with a space between. The service's own client never sends it.
    pub prefix: Option<String>,
}

/// What an answer shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnType {
    /// `application/json`.
    Json,
    /// `text/plain`: the answer is handed on unread.
    Text,
}

/// What is asked of the service.
#[derive(Debug, Clone)]
pub enum Call {
    /// A delegated access token for a credential.
    Delegate(Vec<Property>),
    /// A new access token for a refresh token, which may be replaced, too.
    Refresh(Secret),
    /// To forget the tokens it keeps for a credential.
    DeleteCache(Vec<Property>),
}

/// A property of a credential object. The service knows `ClientSecret` and `UserPrincipalName`; others are sent as
/// they are.
#[derive(Debug, Clone)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: PropertyValue,
}

/// The value of a [`Property`].
#[derive(Debug, Clone)]
pub enum PropertyValue {
    /// A text.
    Text(Secret),
    /// Anything else, as JSON.
    Json(Secret),
}

/// An answer whose status says success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What came.
    pub content: AnswerContent,
    /// `IsSuccess` of the JSON object. The service also says no with a status that says yes.
    pub is_success: Option<bool>,
    /// `ErrorMsg` of the JSON object, with the secrets of the request masked.
    pub error_message: Option<String>,
}

/// What an [`Answer`] holds.
#[derive(Debug, Clone)]
pub enum AnswerContent {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Secret),
    /// Text of any other kind.
    Text(Secret),
}

impl ReturnType {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
        }
    }
}

impl Call {
    fn method_and_path(&self) -> (Method, &'static str) {
        match self {
            Self::Delegate(_) => (Method::Post, "/auth/token/delegate"),
            Self::Refresh(_) => (Method::Post, "/auth/token/refresh"),
            Self::DeleteCache(_) => (Method::Delete, "/admin/auth/token/cache"),
        }
    }

    fn replay(&self) -> Replay {
        match self {
            // The server may have replaced the token and the answer been lost.
            Self::Refresh(_) => Replay::OneTime,
            Self::Delegate(_) | Self::DeleteCache(_) => Replay::Allowed,
        }
    }

    /// The HTTP request.
    ///
    /// # Errors
    /// Input that cannot make a valid request; [`ErrorCode::MissingBaseUrl`].
    pub fn build(&self, settings: &Settings) -> Result<HttpRequest, Error> {
        let base = settings.base_url.as_deref().map(str::trim).filter(|base| !base.is_empty());
        let base = base.ok_or_else(|| {
            Error::invalid(
                ErrorCode::MissingBaseUrl,
                "BaseUrl is not set, so it is not known where to send the request.",
            )
        })?;
        let (method, path) = self.method_and_path();
        let url = join(base, path, settings.allow_insecure_http)?;
        let mut hidden = Vec::new();
        let mut headers = Vec::new();
        let content = match self {
            Self::Refresh(token) if token.is_empty() => return Err(invalid("The refresh token is empty.")),
            Self::Refresh(token) => {
                headers.push(Field::new("refresh_token", token.clone()));
                Content::None
            }
            Self::Delegate(credential) | Self::DeleteCache(credential) => {
                for property in credential {
                    property.value.secrets(&mut hidden);
                }
                Content::Json(json(credential)?)
            }
        };
        let keys =
            [("clientSecret", &settings.client_secret), ("userPrincipalName", &settings.user_principal_name)];
        for (name, key) in keys {
            let Some(ApiKey { key, prefix }) = key.as_ref().filter(|key| !key.key.is_empty()) else {
                continue;
            };
            let value = match prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => Secret::from([prefix.as_bytes(), b" ", key.expose()].concat()),
                None => key.clone(),
            };
            headers.push(Field::new(name, value));
            hidden.push(key.clone());
        }
        headers.push(Field::new("Accept", settings.return_type.unwrap_or(ReturnType::Json).media_type()));
        headers.push(Field::new("X-CLOUD-GOVERNANCE-JSONCONTRACT", "PascalCase"));
        headers.push(Field::new("User-Agent", USER_AGENT));
        if matches!(content, Content::Json(_)) {
            headers.push(Field::new("Content-Type", "application/json"));
        }
        if let Some(token) = settings.access_token.as_ref().filter(|token| !token.is_empty()) {
            headers.push(Field::bearer(token));
            hidden.push(token.clone());
        }
        add_headers(&mut headers, &settings.default_headers)?;
        Ok(HttpRequest { method, url, headers, content, hidden })
    }
}

impl Answer {
    /// Reads the answer to `request`, which asked for `return_type`.
    ///
    /// # Errors
    /// [`Error::Server`] when the status says error, or the answer is not what its content type says.
    pub fn read(
        return_type: Option<ReturnType>,
        request: &HttpRequest,
        response: HttpResponse,
    ) -> Result<Self, Error> {
        let header = |name| {
            response.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
        };
        if let Some(coding) =
            header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"))
        {
            let what = format!("the answer has the coding {coding}, which was not asked for");
            return Err(unusable(request, &response, ErrorCode::UnexpectedAnswer, &what));
        }
        let media_type =
            header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let says_json = media_type.eq_ignore_ascii_case("application/json")
            || media_type.to_ascii_lowercase().ends_with("+json");
        let body = without_mark(&response.body);
        let parsed = serde_json::from_slice::<Value>(body);
        let member = |name: &str| {
            let object = parsed.as_ref().ok()?.as_object()?;
            object.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let is_success = member("IsSuccess").and_then(Value::as_bool);
        let error_message = member("ErrorMsg").and_then(Value::as_str).filter(|text| !text.is_empty());
        let error_message = error_message.map(|text| request.redact(text));
        let is_structure = matches!(parsed, Ok(Value::Object(_) | Value::Array(_)));
        let problem = parsed.map(wipe).err();

        if !(200..300).contains(&response.status) {
            return Err(match error_message {
                Some(message) => {
                    let retryable = is_retryable(response.status);
                    server_error(request, &response, ErrorCode::Http, &message, None, retryable)
                }
                None => http_error(request, &response, "the answer gives no reason"),
            });
        }
        let content = if body.trim_ascii().is_empty() {
            AnswerContent::Empty
        } else if says_json {
            if let Some(problem) = problem {
                let what = format!("the answer is not JSON, though it says so: {problem}");
                return Err(unusable(request, &response, ErrorCode::NotJson, &what));
            }
            AnswerContent::Json(Secret::from(body))
        } else if is_structure && return_type != Some(ReturnType::Text) {
            AnswerContent::Json(Secret::from(body))
        } else {
            AnswerContent::Text(Secret::from(body))
        };
        Ok(Self { status: response.status, headers: response.headers, content, is_success, error_message })
    }
}

impl PropertyValue {
    /// Adds the texts in it.
    fn secrets(&self, found: &mut Vec<Secret>) {
        fn texts(value: &Value, found: &mut Vec<Secret>) {
            match value {
                Value::String(text) => found.push(Secret::from(text.as_str())),
                Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
                Value::Object(members) => members.values().for_each(|member| texts(member, found)),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        match self {
            Self::Text(text) => found.push(text.clone()),
            Self::Json(json) => {
                if let Ok(value) = serde_json::from_slice(json.expose()) {
                    texts(&value, found);
                    wipe(value);
                }
            }
        }
    }
}

impl Serialize for PropertyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => {
                text.expose_str().ok_or_else(|| S::Error::custom("it is not text"))?.serialize(serializer)
            }
            Self::Json(json) => serde_json::from_slice::<&RawValue>(json.expose())
                .map_err(|_| S::Error::custom("it is not JSON"))?
                .serialize(serializer),
        }
    }
}

/// The credential object, its properties in their order.
fn json(properties: &[Property]) -> Result<Secret, Error> {
    struct Object<'a>(&'a [Property]);
    impl Serialize for Object<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut object = serializer.serialize_map(Some(self.0.len()))?;
            for Property { name, value } in self.0 {
                object.serialize_entry(name, value).map_err(|error| {
                    S::Error::custom(format!("the property '{name}' cannot be sent: {error}"))
                })?;
            }
            object.end()
        }
    }

    if properties.is_empty() {
        return Err(invalid(
            "The credential has no properties: ClientSecret and UserPrincipalName are needed.",
        ));
    }
    for (index, Property { name, .. }) in properties.iter().enumerate() {
        if properties[..index].iter().any(|earlier| earlier.name == *name) {
            return Err(invalid(format!("The credential has two properties '{name}'.")));
        }
    }
    // A grown buffer would leave unwiped copies behind: reserve for the worst case, six for one.
    let size = |Property { name, value }: &Property| match value {
        PropertyValue::Text(value) | PropertyValue::Json(value) => {
            6 * (name.len() + value.expose().len()) + 6
        }
    };
    let mut text = Vec::with_capacity(2 + properties.iter().map(size).sum::<usize>());
    serde_json::to_writer(&mut text, &Object(properties))
        .map_err(|error| invalid(format!("The credential is unusable: {error}.")))?;
    Ok(Secret::from(text))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidArgument, message)
}

impl Client {
    /// Makes a call to Cloud Governance. A refresh token is not sent again once it may have arrived.
    ///
    /// # Errors
    /// See [`Error`]. A refusal with a status that says success is none: see [`Answer::is_success`].
    pub async fn governance(
        &self,
        settings: &Settings,
        call: &Call,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<Answer, Error> {
        let request = call.build(settings)?;
        let build = || async { Ok(request.clone()) };
        let read = |sent: &HttpRequest, response| Answer::read(settings.return_type, sent, response);
        self.http.send(config, &request.url, call.replay(), observer, build, read).await
    }
}
