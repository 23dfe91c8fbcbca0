//! The token endpoint (RFC 6749 section 3.2): one function per grant.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::clients::{self, Client};
use crate::error::{OAuthError, no_store};
use crate::form::FormRequest;
use crate::id_token::unix_time;
use crate::state::{AppState, Store, random_token};
use crate::{assertion, device};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Life of every access token, in seconds.
const EXPIRES_IN: u64 = 3600;

/// What was agreed to, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// Absent where a JWT bearer assertion came without client authentication (RFC 7521 section 4.1).
    pub(crate) client: Option<&'static Client>,
    /// Absent where the client acts for itself.
    pub(crate) subject: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) nonce: Option<String>,
}

/// A refresh token that was handed out.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    grant: Grant,
    /// The first refresh token of the same authorization.
    family: String,
    /// Replaced by a newer one.
    spent: bool,
}

/// What an authorization code is to stand for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// `client_id`
    pub client_id: String,
    /// `redirect_uri`, which the token request must then repeat.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// `scope`; with `openid` in it an ID token is issued.
    #[serde(default)]
    pub scope: Option<String>,
    /// `nonce` for the ID token.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The `S256` challenge (RFC 7636) that the token request's `code_verifier` must fit.
    #[serde(default)]
    pub code_challenge: Option<String>,
}

/// An authorization code that was handed out.
#[derive(Debug)]
pub(crate) struct Code {
    grant: Grant,
    redirect_uri: Option<String>,
    challenge: Option<String>,
    /// The refresh token family that it was redeemed for.
    family: Option<String>,
}

/// Issues an authorization code for [`clients::USERNAME`].
pub(crate) fn mint_code(state: &AppState, request: CodeRequest) -> Result<String, OAuthError> {
    let client =
        clients::find(&request.client_id).ok_or_else(|| OAuthError::invalid_request("unknown client"))?;
    let grant = Grant {
        client: Some(client),
        subject: Some(clients::USERNAME.to_owned()),
        scope: request.scope,
        nonce: request.nonce,
    };
    let CodeRequest { redirect_uri, code_challenge, .. } = request;
    let code = random_token()?;
    state
        .store()
        .codes
        .insert(code.clone(), Code { grant, redirect_uri, challenge: code_challenge, family: None });
    Ok(code)
}

/// What a grant earns: the grant as it stands now, and its refresh token.
type Earned = Result<(Grant, Option<String>), OAuthError>;

/// `POST /token`
pub(crate) async fn token(
    State(state): State<Arc<AppState>>,
    request: FormRequest,
) -> Result<Response, OAuthError> {
    let client = clients::authenticate(&request)?;
    let grant_type = request.require("grant_type")?;
    let earned = match (grant_type, client) {
        (JWT_BEARER, _) => jwt_bearer(&mut state.store(), &request, client),
        (_, None) => Err(OAuthError::no_client()),
        ("client_credentials", Some(client)) => client_credentials(&request, client),
        ("password", Some(client)) => password(&mut state.store(), &request, client),
        ("authorization_code", Some(client)) => authorization_code(&mut state.store(), &request, client),
        ("refresh_token", Some(client)) => refresh_token(&mut state.store(), &request, client),
        (DEVICE_CODE, Some(client)) => device_code(&mut state.store(), &request, client),
        _ => Err(OAuthError::new("unsupported_grant_type", "this server does not know the grant type")),
    };
    let (grant, refresh_token) = earned?;
    respond(&state, &request.origin, &grant, refresh_token)
}

/// RFC 6749 section 4.4
fn client_credentials(request: &FormRequest, client: &'static Client) -> Earned {
    if client.secret.is_none() {
        return Err(OAuthError::new("unauthorized_client", "a public client has no credentials"));
    }
    let grant = Grant { client: Some(client), subject: None, scope: request.scope()?, nonce: None };
    Ok((grant, None))
}

/// RFC 6749 section 4.3
fn password(store: &mut Store, request: &FormRequest, client: &'static Client) -> Earned {
    let (username, password) = (request.require("username")?, request.require("password")?);
    if username != clients::USERNAME || !clients::equal(clients::PASSWORD, password) {
        return Err(OAuthError::invalid_grant("wrong user name or password"));
    }
    begin_family(store, user_grant(client, request.scope()?))
}

/// RFC 6749 section 4.1.3 and RFC 7636 section 4.6
fn authorization_code(store: &mut Store, request: &FormRequest, client: &'static Client) -> Earned {
    let code = request.require("code")?;
    let known = store.codes.get(code).filter(|known| known.grant.client == Some(client));
    let known = known.ok_or_else(|| OAuthError::invalid_grant("unknown authorization code"))?;
    if let Some(family) = known.family.clone() {
        revoke(store, &family);
        return Err(OAuthError::invalid_grant("the authorization code was used before"));
    }
    if known.redirect_uri.as_deref() != request.get("redirect_uri") {
        return Err(OAuthError::invalid_grant("redirect_uri is not that of the authorization request"));
    }
    let proven = match (known.challenge.as_deref(), request.get("code_verifier")) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => fits(challenge, verifier),
        // Ignoring a verifier would let an attacker strip the challenge (RFC 9700 section 4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !proven {
        return Err(OAuthError::invalid_grant("code_verifier does not fit the authorization request"));
    }
    let (grant, refresh_token) = begin_family(store, known.grant.clone())?;
    if let Some(known) = store.codes.get_mut(code) {
        known.family.clone_from(&refresh_token);
    }
    Ok((grant, refresh_token))
}

/// RFC 6749 section 6
fn refresh_token(store: &mut Store, request: &FormRequest, client: &'static Client) -> Earned {
    let presented = request.require("refresh_token")?;
    let requested = request.scope()?;
    let known = store.refresh_tokens.get_mut(presented).filter(|known| known.grant.client == Some(client));
    let known = known.ok_or_else(|| OAuthError::invalid_grant("unknown or revoked refresh token"))?;
    let (mut grant, family) = (known.grant.clone(), known.family.clone());
    if known.spent {
        revoke(store, &family);
        return Err(OAuthError::invalid_grant("the refresh token was used before: its family is revoked"));
    }
    let granted = grant.scope.as_deref().unwrap_or_default();
    let within = |word: &str| granted.split(' ').any(|granted| granted == word);
    if !requested.as_deref().is_none_or(|scope| scope.split(' ').all(within)) {
        return Err(OAuthError::new("invalid_scope", "scope exceeds what was granted"));
    }
    let mut refresh_token = presented.to_owned();
    if client.rotates {
        known.spent = true;
        refresh_token = random_token()?;
        let next = RefreshToken { grant: grant.clone(), family, spent: false };
        store.refresh_tokens.insert(refresh_token.clone(), next);
    }
    // A narrower scope is for this access token alone: the refresh token keeps what was granted.
    grant.scope = requested.or(grant.scope);
    Ok((grant, Some(refresh_token)))
}

/// RFC 8628 section 3.4
fn device_code(store: &mut Store, request: &FormRequest, client: &'static Client) -> Earned {
    let scope = device::redeem(store, request.require("device_code")?, client)?;
    begin_family(store, user_grant(client, scope))
}

/// RFC 7523 section 2.1. The client may stay unnamed (RFC 7521 section 4.1); it then gets no refresh token, for a
/// refresh token is bound to a client.
fn jwt_bearer(store: &mut Store, request: &FormRequest, client: Option<&'static Client>) -> Earned {
    let subject = assertion::subject(request.require("assertion")?, &format!("{}/token", request.origin))
        .map_err(|problem| OAuthError::invalid_grant(format!("assertion: {problem}")))?;
    let grant = Grant { client, subject: Some(subject), scope: request.scope()?, nonce: None };
    if client.is_some() { begin_family(store, grant) } else { Ok((grant, None)) }
}

fn user_grant(client: &'static Client, scope: Option<String>) -> Grant {
    Grant { client: Some(client), subject: Some(clients::USERNAME.to_owned()), scope, nonce: None }
}

fn fits(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
}

/// Gives a grant its first refresh token.
fn begin_family(store: &mut Store, grant: Grant) -> Earned {
    let token = random_token()?;
    let first = RefreshToken { grant: grant.clone(), family: token.clone(), spent: false };
    store.refresh_tokens.insert(token.clone(), first);
    Ok((grant, Some(token)))
}

fn revoke(store: &mut Store, family: &str) {
    store.refresh_tokens.retain(|_, token| token.family != family);
}

/// The token response (RFC 6749 section 5.1, `OpenID` Connect Core section 3.1.3.3).
fn respond(
    state: &AppState,
    origin: &str,
    grant: &Grant,
    refresh_token: Option<String>,
) -> Result<Response, OAuthError> {
    let mut body = Map::new();
    let access_token = random_token()?;
    body.insert("access_token".to_owned(), access_token.as_str().into());
    body.insert("token_type".to_owned(), "Bearer".into());
    body.insert("expires_in".to_owned(), EXPIRES_IN.into());
    if let Some(scope) = &grant.scope {
        body.insert("scope".to_owned(), scope.as_str().into());
    }
    if let Some(refresh_token) = refresh_token {
        body.insert("refresh_token".to_owned(), refresh_token.into());
    }
    let openid = grant.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|word| word == "openid"));
    if let (true, Some(client), Some(subject)) = (openid, grant.client, &grant.subject) {
        let now = unix_time();
        let mut claims = json!({
            "iss": origin, "sub": subject, "aud": client.id, "iat": now, "exp": now + EXPIRES_IN,
        });
        if let Some(nonce) = &grant.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        body.insert("id_token".to_owned(), state.signer.sign(&claims)?.into());
        state.store().subjects.insert(access_token, subject.clone());
    }
    Ok((no_store(), Json(body)).into_response())
}
