//! `/{tenant}/oauth2/token` and `/{tenant}/oauth2/v2.0/token`: the token endpoints of Microsoft Entra, for public
//! clients with a password or a refresh token. Version 1 takes a `resource` and writes its numbers as text; version 2
//! takes a `scope` and writes numbers.
//!
//! Unlike Entra itself, it revokes the whole family when a refresh token is used twice: the strictest server there is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clients::equal;
use crate::error::{OAuthError, no_store};
use crate::form::FormRequest;
use crate::id_token::unix_time;
use crate::state::{AppState, random_token};

/// Every registered public client: those of the documentation, and two for tests.
pub const CLIENTS: [&str; 3] = [
    "9b4f4503-b970-4ade-abc6-2c086e4c4929",
    "11111111-2222-3333-4444-555555555555",
    "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
];
/// The user name of the password grant.
pub const USERNAME: &str = "serviceaccount@domain.com";
/// The password of [`USERNAME`].
pub const PASSWORD: &str = "TopSecretPassword";

/// The resources of the API of LCS.
const RESOURCES: [&str; 9] = [
    "https://lcsapi.lcs.dynamics.com",
    "https://lcsapi.eu.lcs.dynamics.com",
    "https://lcsapi.fr.lcs.dynamics.com",
    "https://lcsapi.sa.lcs.dynamics.com",
    "https://lcsapi.uae.lcs.dynamics.com",
    "https://lcsapi.ch.lcs.dynamics.com",
    "https://lcsapi.no.lcs.dynamics.com",
    "https://lcsapi.lcs.dynamics.cn",
    "https://lcsapi.gov.lcs.microsoftdynamics.us",
];

/// What the endpoint remembers and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct Entra {
    tokens: HashMap<String, RefreshToken>,
    settings: Settings,
    counts: Counts,
    /// The newest refresh token that was handed out.
    newest: Option<String>,
}

/// How it behaves; `PUT /control/entra`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a refresh token can be used once only.
    pub rotates: bool,
    /// Seconds that access tokens last.
    pub expires_in: u64,
    /// Milliseconds before each answer, after the token was spent.
    pub delay_ms: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    passwords: u64,
    refreshes: u64,
    reuses: u64,
    invalid_grants: u64,
}

#[derive(Clone, Debug)]
struct RefreshToken {
    client: String,
    resource: String,
    family: String,
    /// How many came before it in the family.
    generation: u64,
    spent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// An error as Entra says it.
struct AadError {
    code: &'static str,
    number: u32,
    text: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rotates: true, expires_in: 3599, delay_ms: 0 }
    }
}

impl Entra {
    pub(crate) fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The counters, and the newest token of the newest family.
    pub(crate) fn describe(&self) -> Value {
        let newest = self.newest.as_ref().map(|token| {
            let known = self.tokens.get(token);
            json!({
                "refresh_token": token,
                "generation": known.map(|known| known.generation),
                "revoked": known.is_none(),
            })
        });
        json!({
            "passwords": self.counts.passwords,
            "refreshes": self.counts.refreshes,
            "reuses": self.counts.reuses,
            "invalid_grants": self.counts.invalid_grants,
            "newest": newest,
        })
    }

    fn hand_out(&mut self, token: RefreshToken) -> Result<String, AadError> {
        let text = random_token().map_err(|_| AadError::new("server_error", 90020, "no randomness"))?;
        // Entra's own look like this.
        let text = format!("0.AX{text}");
        self.tokens.insert(text.clone(), token);
        self.newest = Some(text.clone());
        Ok(text)
    }
}

impl AadError {
    fn new(code: &'static str, number: u32, text: impl fmt::Display) -> Self {
        Self { code, number, text: text.to_string() }
    }

    fn invalid_request(text: impl fmt::Display) -> Self {
        Self::new("invalid_request", 90014, text)
    }

    fn invalid_grant(number: u32, text: impl fmt::Display) -> Self {
        Self::new("invalid_grant", number, text)
    }
}

impl IntoResponse for AadError {
    fn into_response(self) -> Response {
        let (trace, correlation) =
            ("b72d6ac2-1c44-4e4b-a8cb-3a7c0b5a1f00", "5f6c7a32-9d0f-4c57-9a4e-0f6a4c8b7d11");
        let stamp = "2026-01-01 00:00:00Z";
        let body = json!({
            "error": self.code,
            "error_description": format!(
                "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {stamp}",
                self.number, self.text
            ),
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
        });
        let status =
            if self.code == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, no_store(), Json(body)).into_response()
    }
}

impl From<OAuthError> for AadError {
    fn from(error: OAuthError) -> Self {
        Self::new(error.code, 90014, error.description)
    }
}

/// `POST /{tenant}/oauth2/token`
pub(crate) async fn v1(
    state: State<Arc<AppState>>,
    tenant: Path<String>,
    request: Result<FormRequest, OAuthError>,
) -> Response {
    respond(state, tenant, request, Version::V1).await
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub(crate) async fn v2(
    state: State<Arc<AppState>>,
    tenant: Path<String>,
    request: Result<FormRequest, OAuthError>,
) -> Response {
    respond(state, tenant, request, Version::V2).await
}

async fn respond(
    State(state): State<Arc<AppState>>,
    Path(tenant): Path<String>,
    request: Result<FormRequest, OAuthError>,
    version: Version,
) -> Response {
    let (answer, delay) = {
        let mut store = state.store();
        let entra = &mut store.entra;
        let answer =
            request.map_err(AadError::from).and_then(|request| grant(entra, &tenant, &request, version));
        if answer.as_ref().is_err_and(|error| error.code == "invalid_grant") {
            entra.counts.invalid_grants += 1;
        }
        (answer, entra.settings.delay_ms)
    };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    match answer {
        Ok(answer) => (no_store(), Json(answer)).into_response(),
        Err(error) => error.into_response(),
    }
}

fn grant(
    entra: &mut Entra,
    tenant: &str,
    request: &FormRequest,
    version: Version,
) -> Result<Value, AadError> {
    if tenant == "nowhere.example" {
        return Err(AadError::new("invalid_request", 90002, format!("Tenant '{tenant}' not found.")));
    }
    let client = request.require("client_id")?;
    if !CLIENTS.contains(&client) {
        let text = format!("Application with identifier '{client}' was not found in the directory.");
        return Err(AadError::new("unauthorized_client", 700_016, text));
    }
    match request.require("grant_type")? {
        "password" => password(entra, request, client, version),
        "refresh_token" => refresh(entra, request, client, version),
        other => Err(AadError::new("unsupported_grant_type", 70003, format!("'{other}' is not supported."))),
    }
}

fn password(
    entra: &mut Entra,
    request: &FormRequest,
    client: &str,
    version: Version,
) -> Result<Value, AadError> {
    // Entra ignores what it does not know. A test is better served by a refusal.
    request.only(&["grant_type", "client_id", "username", "password", aim(version), "scope"])?;
    let resource = resource(request, version)?
        .ok_or_else(|| AadError::invalid_request(format!("The parameter '{}' is missing.", aim(version))))?;
    let scope = request.scope()?.unwrap_or_default();
    if !scope.split(' ').any(|word| word == "openid") {
        return Err(AadError::invalid_request("The scope 'openid' is missing."));
    }
    if request.require("username")? != USERNAME || !equal(PASSWORD, request.require("password")?) {
        return Err(AadError::invalid_grant(
            50126,
            "Error validating credentials due to invalid username or password.",
        ));
    }
    entra.counts.passwords += 1;
    let family = random_token().map_err(|_| AadError::new("server_error", 90020, "no randomness"))?;
    let first = RefreshToken {
        client: client.to_owned(),
        resource: resource.clone(),
        family,
        generation: 0,
        spent: false,
    };
    let token = entra.hand_out(first)?;
    answer(entra, client, &resource, &token, version)
}

fn refresh(
    entra: &mut Entra,
    request: &FormRequest,
    client: &str,
    version: Version,
) -> Result<Value, AadError> {
    request.only(&["grant_type", "client_id", "refresh_token", aim(version), "scope"])?;
    let presented = request.require("refresh_token")?;
    let asked = resource(request, version)?;
    let known = entra.tokens.get(presented).filter(|known| known.client == client).cloned();
    let known = known.ok_or_else(|| {
        AadError::invalid_grant(70000, "The provided value for 'refresh_token' is not valid or was revoked.")
    })?;
    if known.spent {
        entra.tokens.retain(|_, token| token.family != known.family);
        entra.counts.reuses += 1;
        return Err(AadError::invalid_grant(
            70008,
            "The refresh token was used before: its family is revoked.",
        ));
    }
    entra.counts.refreshes += 1;
    let resource = asked.unwrap_or_else(|| known.resource.clone());
    let mut token = presented.to_owned();
    if entra.settings.rotates {
        if let Some(spent) = entra.tokens.get_mut(presented) {
            spent.spent = true;
        }
        let next = RefreshToken { generation: known.generation + 1, resource: resource.clone(), ..known };
        token = entra.hand_out(next)?;
    }
    answer(entra, client, &resource, &token, version)
}

fn aim(version: Version) -> &'static str {
    match version {
        Version::V1 => "resource",
        Version::V2 => "scope",
    }
}

/// What the token is to be for: in version 2 the scope `{resource}/.default`.
fn resource(request: &FormRequest, version: Version) -> Result<Option<String>, AadError> {
    let resource = match version {
        Version::V1 => request.get("resource").map(str::to_owned),
        Version::V2 => {
            let scope = request.scope()?.unwrap_or_default();
            scope.split(' ').find_map(|word| word.strip_suffix("/.default")).map(str::to_owned)
        }
    };
    match resource {
        Some(resource) if !RESOURCES.contains(&resource.as_str()) => {
            let text = format!("The resource principal named {resource} was not found in the tenant.");
            Err(AadError::new("invalid_resource", 500_011, text))
        }
        resource => Ok(resource),
    }
}

fn answer(
    entra: &Entra,
    client: &str,
    resource: &str,
    refresh_token: &str,
    version: Version,
) -> Result<Value, AadError> {
    let (now, life) = (unix_time(), entra.settings.expires_in);
    let claims = json!({
        "aud": resource,
        "iss": "https://sts.windows.net/7b3e9f3c-0000-4d6b-9f07-000000000001/",
        "iat": now, "nbf": now, "exp": now + life,
        "appid": client, "azp": client, "upn": USERNAME,
        "tid": "7b3e9f3c-0000-4d6b-9f07-000000000001",
        // Two tokens of the same second differ.
        "uti": random_token().map_err(|_| AadError::new("server_error", 90020, "no randomness"))?,
    });
    let access_token = unsigned(&claims);
    let id_token = unsigned(&json!({ "aud": client, "upn": USERNAME, "iat": now, "exp": now + life }));
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
    add("token_type", "Bearer".into());
    match version {
        Version::V1 => {
            add("scope", "user_impersonation".into());
            add("expires_in", life.to_string().into());
            add("ext_expires_in", life.to_string().into());
            add("expires_on", (now + life).to_string().into());
            add("not_before", now.to_string().into());
            add("resource", resource.into());
        }
        Version::V2 => {
            add("scope", format!("{resource}/user_impersonation {resource}/.default").into());
            add("expires_in", life.into());
            add("ext_expires_in", life.into());
        }
    }
    add("access_token", access_token.into());
    add("refresh_token", refresh_token.into());
    add("id_token", id_token.into());
    Ok(Value::Object(body))
}

/// A JWT whose signature nobody checks.
fn unsigned(claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(&json!({ "typ": "JWT", "alg": "RS256" })), encode(claims))
}
