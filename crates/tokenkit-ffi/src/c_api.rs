//! Door 2: TokenKit for every language that can call C. Requests and answers are JSON texts.
//!
//! The comments here become those of the header file.

#![allow(clippy::doc_markdown, reason = "the comments are for readers of C")]

use std::ffi::{CStr, CString, c_char};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokenkit::store::Memory;
use tokenkit::{Client, Error, ErrorCode};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use zeroize::Zeroize as _;

use crate::dto::{DeviceTokenRequest, Resources, TokenRequest, TokenResponse, invalid};
use crate::failure::{FailureDetail, category_name};
use crate::governance::GovernanceRequest;
use crate::jose::{JwtSignRequest, JwtVerifyRequest, MetadataRequest};
use crate::panic::{catch, catch_async, silence};
use crate::sign_in::{
    AuthorizationCompletion, AuthorizationRequest, DeviceAuthorizationRequest, SignInRequest,
    UserInfoRequest, sign_in,
};
use crate::store::{Host, RefreshRequest, StoreOptions, StoreReadRequest, StoreUpdateRequest};
use crate::venafi::{VenafiTokenRequest, VenafiUserRequest};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// A client: its worker threads and connections. One is enough for a process, and all threads may use it at
/// once.
pub struct TokenkitClient {
    client: Arc<Client>,
    memory: Arc<Memory>,
    handle: Handle,
    runtime: Option<Runtime>,
}

/// A way to end calls from another thread.
pub struct TokenkitCancel {
    cancelled: watch::Sender<bool>,
}

/// Makes a client. Free it with tokenkit_client_free.
///
/// Returns NULL when the worker threads cannot be started.
#[unsafe(no_mangle)]
pub extern "C" fn tokenkit_client_new() -> *mut TokenkitClient {
    silence();
    let client = catch(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Error::Internal { code: ErrorCode::Internal, message: format!("No worker threads: {error}") }
        })?;
        Ok(TokenkitClient {
            client: Arc::default(),
            memory: Arc::default(),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    });
    client.map_or(std::ptr::null_mut(), |client| Arc::into_raw(Arc::new(client)).cast_mut())
}

/// Frees a client. Calls that still run on other threads go on undisturbed. NULL is ignored.
///
/// # Safety
/// The client comes from tokenkit_client_new and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_client_free(client: *mut TokenkitClient) {
    if !client.is_null() {
        // SAFETY: the pointer comes from `Arc::into_raw`, and the caller gives it back once.
        let client = unsafe { Arc::from_raw(client.cast_const()) };
        drop(catch(move || {
            drop(client);
            Ok(())
        }));
    }
}

/// Requests a token and waits for the answer.
///
/// `request` is a JSON object in UTF-8:
///
/// ```json
/// {
///   "endpoint": "https://as.example/token",
///   "client_id": "app",
///   "authentication": { "method": "client_secret_basic", "secret": "..." },
///   "grant": { "type": "client_credentials" },
///   "scope": "api.read"
/// }
/// ```
///
/// grant.type is one of authorization_code (code, code_verifier), client_credentials, refresh_token
/// (refresh_token), password (username, password), device_code (device_code) and jwt_bearer (assertion).
/// authentication.method is one of none, client_secret_basic, client_secret_post (secret), client_secret_jwt
/// (secret, options), private_key_jwt (key, password, key_id, options) and assertion (assertion: a JWT made
/// elsewhere); options are algorithm, audience and lifetime in seconds. Further members are redirect_uri, nonce,
/// issuer (an ID token is then validated), parameters and headers (lists of name and value),
/// allow_insecure_http, and http with connect_timeout_ms, timeout_ms, max_retries, certificate_authority (a file),
/// skip_certificate_check, rehearse (nothing is sent, and the call fails with not_sent) and proxy (type system, none,
/// or explicit with url and credentials, which are username and password).
///
/// `cancel` ends the call from another thread; it may be NULL.
///
/// Returns a JSON object, never NULL; free it with tokenkit_string_free. It is either the answer:
///
/// ```json
/// { "status": 200, "headers": [{ "name": "...", "value": "..." }], "body": "{\"access_token\":...}",
///   "expires_in": 3600, "expires_at_ms": 1700003600000 }
/// ```
///
/// or, told apart by its member error, a failure:
///
/// ```json
/// { "error": { "category": "server", "code": "invalid_client", "message": "...", "advice": "...",
///   "retryable": false, "endpoint": "...", "oauth_error": "invalid_client", "oauth_error_description": "...",
///   "oauth_error_uri": null, "status": 401, "headers": [], "body": "..." } }
/// ```
///
/// category is one of invalid_input, server, transport, token, store, internal and cancelled.
///
/// # Safety
/// `client` comes from tokenkit_client_new, `request` ends with a NUL, `cancel` comes from
/// tokenkit_cancel_new; none has been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_token(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: TokenRequest| {
            let core = request.into_core(&Resources::default())?;
            client.client.token(&core.request, &core.http, &()).await.map(TokenResponse::from)
        })
    }
}

/// Requests a token until the user of a device flow has finished (RFC 8628 section 3.5), and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// { "request": { ... }, "interval": 5, "expires_in": 900 }
/// ```
///
/// Its member request is as for tokenkit_token, with the grant device_code; interval and expires_in are the
/// seconds that the device authorization response said. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_device_token(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: DeviceTokenRequest| {
            let (core, polling) = request.into_core(&Resources::default())?;
            client.client.device_token(&core.request, polling, &core.http, &()).await.map(TokenResponse::from)
        })
    }
}

/// Asks for the codes of a device flow (RFC 8628 section 3.1), and waits for them, not for the user.
///
/// `request` is a JSON object:
///
/// ```json
/// { "endpoint": "https://as.example/device_authorization", "client_id": "app", "scope": "openid" }
/// ```
///
/// authentication, parameters, headers, allow_insecure_http and http are as for tokenkit_token. The answer is:
///
/// ```json
/// { "status": 200, "headers": [], "body": "{...}", "device_code": "...", "user_code": "WDJB-MJHT",
///   "verification_uri": "https://as.example/device", "verification_uri_complete": null, "expires_in": 900,
///   "expires_at_ms": 1700000900000, "interval": 5, "message": "To sign in, open ..." }
/// ```
///
/// Show message to the user, then call tokenkit_device_token. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_device_authorization(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: DeviceAuthorizationRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Signs in with a browser on this machine: starts it, listens for the answer on a loopback address, and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// {
///   "request": { "endpoint": "https://as.example/authorize", "client_id": "app", "scope": "openid" },
///   "options": { "timeout_ms": 300000 }
/// }
/// ```
///
/// Its member request may also have redirect_uri (http on 127.0.0.1 or localhost; a free port is taken when it
/// has none), response_type (code, token, id_token or several with spaces between them), response_mode (query,
/// fragment, form_post), without_pkce, issuer (the answer and its ID token are then validated), parameters (a list of
/// name and value), allow_insecure_http and http. options.browser may have command (with %s for the address). The
/// answer is:
///
/// ```json
/// { "parameters": [{ "name": "code", "value": "..." }], "response_type": "code", "is_openid": true,
///   "client_id": "app", "redirect_uri": "http://127.0.0.1:49152/", "nonce": "...", "code_verifier": "...",
///   "expires_in": null, "expires_at_ms": null }
/// ```
///
/// When no browser can be started, the failure has the code browser_not_started: see
/// tokenkit_authorization_prepare. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_sign_in(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: SignInRequest| {
            sign_in(request, &client.client).await
        })
    }
}

/// Makes the address for a browser that runs elsewhere, or that the host shows itself.
///
/// `request` is what tokenkit_sign_in has as its member request. The answer is:
///
/// ```json
/// { "url": "https://as.example/authorize?...", "masked_url": "...", "redirect_uri": null, "listening": false,
///   "not_listening": "...", "warnings": [], "state": "...", "nonce": "...", "code_verifier": "..." }
/// ```
///
/// Keep all of it for tokenkit_authorization_complete. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_authorization_prepare(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |_, request: AuthorizationRequest| {
            request.prepare(&Resources::default()).map(|(prepared, _)| prepared)
        })
    }
}

/// Completes a prepared request with the address that the browser ended at.
///
/// `request` is a JSON object:
///
/// ```json
/// { "request": { ... }, "state": "...", "nonce": "...", "code_verifier": "...", "answer": "https://..." }
/// ```
///
/// Its member request is the one that was prepared; state, nonce and code_verifier are those of the prepared request,
/// as far as they are not null. The answer is as for tokenkit_sign_in, all else as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_authorization_complete(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: AuthorizationCompletion| {
            request.complete(&client.client).await
        })
    }
}

/// Asks who the user of an access token is (OpenID Connect Core section 5.3), and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// { "issuer": "https://as.example", "access_token": "...", "client_id": "app", "id_token": "..." }
/// ```
///
/// Instead of the issuer there may be endpoint, the address of the userinfo endpoint; a signed answer needs the issuer,
/// too. The answer must be about subject, or about the subject of id_token, if one of them is there. headers,
/// allow_insecure_http and http are as for tokenkit_token. The answer is:
///
/// ```json
/// { "claims": "{\"sub\":\"...\"}", "is_signed": false }
/// ```
///
/// All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_user_info(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: UserInfoRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Asks for the metadata of an authorization server (RFC 8414, OpenID Connect Discovery), and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// { "issuer": "https://as.example" }
/// ```
///
/// Instead of the issuer there may be the full address of its metadata. allow_insecure_http and http are as for
/// tokenkit_token. The answer has one member, body: the server's JSON object as text, which names the issuer
/// that was asked. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_metadata(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: MetadataRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Signs a JWT, as a client assertion or for the grant jwt_bearer (RFC 7523 section 3).
///
/// `request` is a JSON object:
///
/// ```json
/// {
///   "authentication": { "method": "private_key_jwt", "key": "-----BEGIN PRIVATE KEY-----..." },
///   "issuer": "app", "subject": "app", "audience": "https://as.example/token",
///   "claims": "{\"scope\":\"mail.read\"}"
/// }
/// ```
///
/// authentication is as for tokenkit_token, with the method private_key_jwt or client_secret_jwt. jwt_id and
/// claims, a JSON object in text, may be absent; claims replace those of the same name. The answer is:
///
/// ```json
/// { "token": "...", "header": "{...}", "claims": "{...}", "weakness": null }
/// ```
///
/// weakness says why the key is weaker than RFC 7518 asks for. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_jwt_sign(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |_, request: JwtSignRequest| request.sign(&Resources::default()))
    }
}

/// Checks JWTs, on all cores, and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// {
///   "tokens": ["..."],
///   "keys": { "type": "issuer", "url": "https://as.example" },
///   "expect": { "issuer": "https://as.example", "audiences": ["app"] }
/// }
/// ```
///
/// keys.type is one of key (key: PEM, JWK or JWK Set; password), secret (secret), jwks_uri (url), issuer (url) and
/// token_issuer, which asks the issuer that each token names. Keys that were fetched are kept by the client as
/// long as their server allows. expect may have issuer, audiences, nonce, authorized_party, access_token, code
/// and clock_skew in seconds; without expect, only the signature counts. with_content adds header and claims to
/// the answer; allow_insecure_http and http are as for tokenkit_token. The answer is, in the order of the tokens:
///
/// ```json
/// { "verdicts": [{ "valid": false, "reasons": [{ "code": "expired", "text": "the token has expired" }],
///   "header": null, "claims": null }], "weakness": null }
/// ```
///
/// All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_jwt_verify(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: JwtVerifyRequest| {
            request.verify(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Says where a store of settings and tokens is, and how it is kept.
///
/// `request` is a JSON object, in which everything may be absent:
///
/// ```json
/// { "folder": "/srv/tokens", "key": "<32 bytes in base64>", "key_file": "...", "config_home": "...",
///   "no_keyring": false, "lock_timeout_ms": 30000 }
/// ```
///
/// Without folder it is the store of this user. The answer is:
///
/// ```json
/// { "path": "...", "exists": true, "backend": "keyring", "sealed": true, "key_id": "5a2551c2ebc3788e",
///   "readable": true, "note": null, "moving_to": null, "damaged": [],
///   "sections": [{ "name": "example", "size": 312, "modified_ms": 1700003600000 }] }
/// ```
///
/// All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_store_status(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: StoreOptions| {
            request.status(&Resources::default(), &client.host()).await
        })
    }
}

/// Reads a section of a store.
///
/// `request` is a JSON object:
///
/// ```json
/// { "store": { ... }, "section": "example" }
/// ```
///
/// store is as for tokenkit_store_status. The answer is:
///
/// ```json
/// { "exists": true, "entries": [{ "name": "client", "json": "\"app\"", "secret": null },
///   { "name": "token", "json": null, "secret": "..." }] }
/// ```
///
/// All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_store_read(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: StoreReadRequest| {
            request.run(&Resources::default(), &client.host()).await
        })
    }
}

/// Changes a section of a store under its lock, and makes both if they are missing.
///
/// `request` is a JSON object:
///
/// ```json
/// { "store": { ... }, "section": "example", "removed": ["old"], "temporary": false,
///   "entries": [{ "name": "client", "json": "\"app\"" }, { "name": "token", "secret": "..." }] }
/// ```
///
/// Entries that are not named stay. A temporary change is for this client only. The answer is:
///
/// ```json
/// { "path": "...", "changed": true }
/// ```
///
/// All else is as for tokenkit_store_read.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_store_update(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: StoreUpdateRequest| {
            request.run(&Resources::default(), &client.host()).await
        })
    }
}

/// Refreshes a token once, however many processes present it at a time: whoever comes second gets the first answer.
///
/// `request` is a JSON object:
///
/// ```json
/// { "request": { ... }, "store": { ... },
///   "kept": { "section": "example", "access_token": "token", "refresh_token": "refresh", "expires_on": "expires",
///     "client_id": "client" } }
/// ```
///
/// request is as for tokenkit_token, with the grant refresh_token; store is as for tokenkit_store_status. kept names
/// the entries in which a section keeps the tokens, and may be absent: when the refresh token is the one that is kept
/// there, the new tokens are, before they are returned. The answer and all else are as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_refresh_once(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: RefreshRequest| {
            request.run(&Resources::default(), &client.client, &client.host()).await
        })
    }
}

/// Gets an access token for a service account of Venafi's service, and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// { "endpoint": "https://api.venafi.cloud/v1/oauth2/v2.0/.../token", "jwt": "..." }
/// ```
///
/// A JWT that has expired is not sent. allow_insecure_http and http are as for tokenkit_token. The answer is:
///
/// ```json
/// { "endpoint": "...", "access_token": "...", "expires_at_ms": 1700003600000 }
/// ```
///
/// All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_venafi_token(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: VenafiTokenRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Asks Venafi's service for the user behind a credential, and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// { "server": "https://api.venafi.cloud", "credential": { "type": "api_key", "secret": "..." } }
/// ```
///
/// credential.type is api_key or access_token. allow_insecure_http and http are as for tokenkit_token. The answer
/// has two members, of which one is null: user, the server's JSON object as text, and problem, which is as error of
/// tokenkit_token, without category. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_venafi_user(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: VenafiUserRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Makes a call to AvePoint Cloud Governance, and waits.
///
/// `request` is a JSON object:
///
/// ```json
/// {
///   "base_url": "https://...",
///   "call": { "type": "delegate", "properties": [
///     { "name": "ClientSecret", "value": "..." }, { "name": "UserPrincipalName", "value": "..." } ] }
/// }
/// ```
///
/// call.type is delegate or delete_cache (properties, with is_json where a value is JSON and no text) or refresh
/// (refresh_token). Further members are client_secret and user_principal_name (key, prefix), access_token,
/// default_headers (a list of name and value) and return_type (application/json or text/plain);
/// allow_insecure_http and http are as for tokenkit_token. The answer is:
///
/// ```json
/// { "status": 200, "headers": [], "body": "{...}", "is_json": true, "is_success": true, "error_message": null }
/// ```
///
/// is_success may be false although the status says success. All else is as for tokenkit_token.
///
/// # Safety
/// As for tokenkit_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_governance(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
) -> *mut c_char {
    // SAFETY: what this function asks of its caller is what `call` asks.
    unsafe {
        call(client, request, cancel, async |client, request: GovernanceRequest| {
            request.ask(&Resources::default(), &client.client, &()).await
        })
    }
}

/// Makes a cancel handle. It may serve several calls, and ends all of them. Free it with tokenkit_cancel_free.
#[unsafe(no_mangle)]
pub extern "C" fn tokenkit_cancel_new() -> *mut TokenkitCancel {
    Box::into_raw(Box::new(TokenkitCancel { cancelled: watch::Sender::new(false) }))
}

/// Ends the calls that were given this handle, and those that will be. NULL is ignored.
///
/// # Safety
/// The handle comes from tokenkit_cancel_new and has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_cancel_trigger(cancel: *const TokenkitCancel) {
    // SAFETY: the pointer is NULL or comes from `Box::into_raw`, by the contract above.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.cancelled.send_replace(true);
    }
}

/// Frees a cancel handle. Calls that were given it go on undisturbed. NULL is ignored.
///
/// # Safety
/// The handle comes from tokenkit_cancel_new and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_cancel_free(cancel: *mut TokenkitCancel) {
    if !cancel.is_null() {
        // SAFETY: the pointer comes from `Box::into_raw`, and the caller gives it back once.
        drop(unsafe { Box::from_raw(cancel) });
    }
}

/// Wipes and frees a string that this library returned. NULL is ignored.
///
/// # Safety
/// The string comes from this library, was not changed, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenkit_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: the pointer comes from `CString::into_raw`, and the caller gives it back once.
        let string = unsafe { CString::from_raw(string) };
        string.into_bytes().zeroize();
    }
}

/// The version of this library, such as 1.2.3. Not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn tokenkit_version() -> *const c_char {
    VERSION.as_ptr()
}

impl TokenkitClient {
    /// What a call with a store needs. Its warnings reach nobody here.
    fn host(&self) -> Host {
        Host { memory: self.memory.clone(), observer: Arc::new(()) }
    }
}

impl Drop for TokenkitClient {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name lookup cannot be interrupted: a thread that sits in one is not waited for any longer.
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// Why there is no answer.
enum Problem {
    Failed(Error),
    Cancelled,
}

#[derive(Serialize)]
struct Failed {
    error: Categorized,
}

#[derive(Serialize)]
struct Categorized {
    category: &'static str,
    #[serde(flatten)]
    detail: FailureDetail,
}

/// Reads the request, runs the call, and writes the answer.
///
/// # Safety
/// `client` is NULL or comes from tokenkit_client_new, `request` is NULL or ends with a NUL, `cancel` is NULL or
/// comes from tokenkit_cancel_new; none has been freed.
unsafe fn call<T: DeserializeOwned, R: Serialize>(
    client: *const TokenkitClient,
    request: *const c_char,
    cancel: *const TokenkitCancel,
    work: impl AsyncFnOnce(&TokenkitClient, T) -> Result<R, Error>,
) -> *mut c_char {
    // SAFETY: a client that is not NULL comes from `Arc::into_raw`. The call has its own share of it.
    let client = (!client.is_null()).then(|| unsafe {
        Arc::increment_strong_count(client);
        Arc::from_raw(client)
    });
    // SAFETY: a handle that is not NULL is valid.
    let cancel = unsafe { cancel.as_ref() }.map(|cancel| cancel.cancelled.subscribe());
    // SAFETY: a string that is not NULL ends with a NUL, and it is the caller's until this returns.
    let request = (!request.is_null()).then(|| unsafe { CStr::from_ptr(request) });
    let result = catch(|| {
        let client = client.ok_or_else(|| invalid("The client is NULL.".into()))?;
        let request = parse(request)?;
        Ok(client.handle.block_on(async {
            tokio::select! {
                biased;
                () = triggered(cancel) => Err(Problem::Cancelled),
                result = catch_async(work(&client, request)) => result.map_err(Problem::Failed),
            }
        }))
    });
    let text = catch(|| match result.unwrap_or_else(|error| Err(Problem::Failed(error))) {
        Ok(answer) => json(&answer),
        Err(problem) => json(&Failed { error: Categorized::from(problem) }),
    });
    text.unwrap_or_else(|_| c"{\"error\":{\"category\":\"internal\",\"code\":\"internal_error\"}}".into())
        .into_raw()
}

fn parse<T: DeserializeOwned>(request: Option<&CStr>) -> Result<T, Error> {
    let request = request.ok_or_else(|| invalid("The request is NULL.".into()))?;
    let request = request.to_str().map_err(|_| invalid("The request is not UTF-8.".into()))?;
    serde_json::from_str(request)
        .map_err(|error| invalid(format!("The request is not as it should be: {}.", shown(&error))))
}

/// What is wrong with a JSON text, without the value at fault: it may be a secret in the wrong place.
fn shown(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_a_member = text.starts_with("missing field") || text.starts_with("unknown field");
    match text.rfind("expected ") {
        Some(start) if !names_a_member => text[start..].to_owned(),
        _ => text,
    }
}

/// Completes when the handle is triggered; never without one, or when it is freed first.
async fn triggered(cancel: Option<watch::Receiver<bool>>) {
    if let Some(mut cancel) = cancel
        && cancel.wait_for(|cancelled| *cancelled).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

impl From<Problem> for Categorized {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Failed(error) => {
                Self { category: category_name(error.category()), detail: FailureDetail::from(&error) }
            }
            Problem::Cancelled => Self {
                category: "cancelled",
                detail: FailureDetail {
                    code: "cancelled".into(),
                    message: "The call was cancelled.".into(),
                    advice: "A one-time credential that was sent may have been consumed.".into(),
                    retryable: true,
                    ..FailureDetail::from(&invalid(String::new()))
                },
            },
        }
    }
}

/// Writes JSON into a buffer that is allocated once, so that no copy of a token stays behind.
fn json<T: Serialize>(value: &T) -> Result<CString, Error> {
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let failed = |message: String| Error::Internal { code: ErrorCode::Internal, message };
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).map_err(|error| failed(error.to_string()))?;
    let mut text = Vec::with_capacity(counter.0 + 1);
    serde_json::to_writer(&mut text, value).map_err(|error| failed(error.to_string()))?;
    text.push(0);
    CString::from_vec_with_nul(text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::ptr::{null, null_mut};

    use serde_json::Value;

    use super::*;

    struct Door(*mut TokenkitClient);

    impl Door {
        fn new() -> Self {
            Self(tokenkit_client_new())
        }

        fn token(&self, request: *const c_char, cancel: *const TokenkitCancel) -> Value {
            // SAFETY: the client is freed by `drop`, and the tests hold the other two.
            read(unsafe { tokenkit_token(self.0, request, cancel) })
        }
    }

    impl Drop for Door {
        fn drop(&mut self) {
            // SAFETY: the pointer comes from `tokenkit_client_new` and is given back here only.
            unsafe { tokenkit_client_free(self.0) };
        }
    }

    fn read(text: *mut c_char) -> Value {
        assert!(!text.is_null());
        // SAFETY: the text comes from this library and is freed here, once.
        unsafe {
            let value = serde_json::from_str(CStr::from_ptr(text).to_str().unwrap()).unwrap();
            tokenkit_string_free(text);
            value
        }
    }

    #[test]
    fn null_is_refused_or_ignored() {
        let door = Door::new();
        assert_eq!(door.token(null(), null())["error"]["message"], "The request is NULL.");
        // SAFETY: NULL is what these are tested with.
        unsafe {
            let answer = read(tokenkit_token(null(), c"{}".as_ptr(), null()));
            assert_eq!(answer["error"]["message"], "The client is NULL.");
            let answer = read(tokenkit_device_token(null(), null(), null()));
            assert_eq!(answer["error"]["category"], "invalid_input");
            tokenkit_client_free(null_mut());
            tokenkit_cancel_trigger(null());
            tokenkit_cancel_free(null_mut());
            tokenkit_string_free(null_mut());
        }
    }

    #[test]
    fn unreadable_requests_are_refused() {
        let door = Door::new();
        for (request, part) in [
            (c"", "EOF"),
            (c"[]", "expected struct"),
            (c"{\"endpint\":\"x\"}", "unknown field `endpint`"),
            (c"{\"endpoint\":\"x\"}", "missing field `grant`"),
            (c"\xff", "not UTF-8"),
        ] {
            let answer = door.token(request.as_ptr(), null());
            assert_eq!(answer["error"]["category"], "invalid_input");
            assert_eq!(answer["error"]["code"], "invalid_argument");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_misplaced_secret_is_not_quoted() {
        let door = Door::new();
        for request in [
            c"{\"endpoint\":\"x\",\"grant\":\"hunter2\"}",
            c"{\"endpoint\":\"x\",\"grant\":{\"type\":\"hunter2\"}}",
            c"{\"endpoint\":\"x\",\"grant\":{\"type\":\"client_credentials\"},\"http\":{\"timeout_ms\":\"hunter2\"}}",
        ] {
            let message = door.token(request.as_ptr(), null())["error"]["message"].to_string();
            assert!(message.contains("expected") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_section_is_kept() {
        let door = Door::new();
        let folder = tempfile::tempdir().unwrap();
        let store = serde_json::json!({
            "folder": folder.path(), "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        });
        let request = |value: Value| CString::new(value.to_string()).unwrap();
        let update = request(serde_json::json!({
            "store": store, "section": "example", "removed": ["none"],
            "entries": [{ "name": "number", "json": "[1]" }, { "name": "token", "secret": "t0p" }],
        }));
        let section = request(serde_json::json!({ "store": store, "section": "example" }));
        let status = request(store.clone());
        // SAFETY: client and texts are valid.
        let (first, second, read_back, status) = unsafe {
            let first = read(tokenkit_store_update(door.0, update.as_ptr(), null()));
            let second = read(tokenkit_store_update(door.0, update.as_ptr(), null()));
            let read_back = read(tokenkit_store_read(door.0, section.as_ptr(), null()));
            (first, second, read_back, read(tokenkit_store_status(door.0, status.as_ptr(), null())))
        };
        assert_eq!((&first["changed"], &second["changed"]), (&true.into(), &false.into()));
        assert_eq!(
            read_back["entries"],
            serde_json::json!([
                { "name": "number", "json": "[1]", "secret": null },
                { "name": "token", "json": null, "secret": "t0p" },
            ])
        );
        assert_eq!((&status["backend"], &status["sealed"]), (&"key".into(), &true.into()));
        assert_eq!(status["sections"][0]["name"], "example");

        let wrong =
            request(serde_json::json!({ "store": { "folder": folder.path() }, "section": "example" }));
        let grant = serde_json::json!({ "type": "refresh_token", "refresh_token": "r" });
        let refresh = request(serde_json::json!({
            "request": { "endpoint": "http://h.example/token", "grant": grant }, "store": store,
        }));
        // SAFETY: client and texts are valid.
        let (wrong, refresh) = unsafe {
            let wrong = read(tokenkit_store_read(door.0, wrong.as_ptr(), null()));
            (wrong, read(tokenkit_refresh_once(door.0, refresh.as_ptr(), null())))
        };
        assert_eq!(
            (&wrong["error"]["category"], &wrong["error"]["code"]),
            (&"store".into(), &"store_key_missing".into())
        );
        assert_eq!(refresh["error"]["code"], "insecure_endpoint");
    }

    #[test]
    fn what_is_signed_is_verified() {
        let door = Door::new();
        let secret = "a secret of at least thirty-two bytes";
        let sign = format!(
            r#"{{"authentication":{{"method":"client_secret_jwt","secret":"{secret}"}},"issuer":"i","subject":"s",
                "audience":"a","claims":"{{\"deep\":{{\"x\":[1]}}}}"}}"#
        );
        let sign = CString::new(sign).unwrap();
        // SAFETY: client and texts are valid.
        let signed = read(unsafe { tokenkit_jwt_sign(door.0, sign.as_ptr(), null()) });
        assert_eq!(signed["header"], r#"{"alg":"HS256","typ":"JWT"}"#);
        assert!(signed["claims"].as_str().unwrap().ends_with(r#""deep":{"x":[1]}}"#), "{signed}");
        for (secret, audience, code) in [
            (secret, "a", Value::Null),
            (secret, "b", "wrong_aud".into()),
            ("other", "a", "invalid_signature".into()),
        ] {
            let request = serde_json::json!({
                "tokens": [signed["token"]], "keys": {"type": "secret", "secret": secret},
                "expect": {"issuer": "i", "audiences": [audience]}, "with_content": true,
            });
            let request = CString::new(request.to_string()).unwrap();
            // SAFETY: client and texts are valid.
            let answer = read(unsafe { tokenkit_jwt_verify(door.0, request.as_ptr(), null()) });
            let verdict = &answer["verdicts"][0];
            assert_eq!(verdict["valid"], code.is_null());
            assert_eq!(verdict["reasons"][0]["code"], code);
            assert_eq!(verdict["claims"], signed["claims"]);
            assert_eq!(answer["weakness"].is_null(), secret.len() >= 32);
        }
    }

    /// Calls one of the functions that take a client and a request.
    fn ask(
        door: &Door,
        function: unsafe extern "C" fn(
            *const TokenkitClient,
            *const c_char,
            *const TokenkitCancel,
        ) -> *mut c_char,
        request: &Value,
    ) -> Value {
        let request = CString::new(request.to_string()).unwrap();
        // SAFETY: client and text are valid.
        read(unsafe { function(door.0, request.as_ptr(), null()) })
    }

    fn sign_in_request() -> Value {
        serde_json::json!({
            "endpoint": "https://as.example/authorize", "client_id": "app", "scope": "openid",
            "redirect_uri": "https://localhost/callback",
            "parameters": [{"name": "login_hint", "value": "anna"}, {"name": "state", "value": "mine"}],
        })
    }

    #[test]
    fn a_prepared_request_is_completed() {
        let door = Door::new();
        let prepared = ask(&door, tokenkit_authorization_prepare, &sign_in_request());
        let url = prepared["url"].as_str().unwrap();
        assert!(url.contains("state=mine") && url.contains("login_hint=anna"), "{url}");
        assert!(!prepared["masked_url"].as_str().unwrap().contains("anna"), "{prepared}");
        assert_eq!((&prepared["listening"], &prepared["state"]), (&false.into(), &"mine".into()));

        let complete = |state: &str, answer: &str| {
            let completion = serde_json::json!({
                "request": sign_in_request(), "state": state, "nonce": prepared["nonce"],
                "code_verifier": prepared["code_verifier"], "answer": answer,
            });
            ask(&door, tokenkit_authorization_complete, &completion)
        };
        let answer = complete("mine", "https://localhost/callback?code=c%2B1&session_state=s&state=mine");
        let parameters = serde_json::json!([
            {"name": "code", "value": "c+1"}, {"name": "session_state", "value": "s"}
        ]);
        assert_eq!(answer["parameters"], parameters);
        assert_eq!(answer["response_type"], "code");
        assert_eq!(answer["is_openid"], true);
        for name in ["nonce", "code_verifier"] {
            assert_eq!(answer[name], prepared[name]);
            assert_eq!(answer[name].as_str().unwrap().len(), 43);
        }
        for (state, answer, code) in [
            ("other", "https://localhost/callback?code=c&state=mine", "state_mismatch"),
            ("mine", "https://evil.example/?code=c&state=mine", "malformed_answer"),
            ("mine", "https://localhost/callback?error=access_denied&state=mine", "access_denied"),
        ] {
            assert_eq!(complete(state, answer)["error"]["code"], code);
        }
    }

    #[test]
    fn a_posted_answer_cannot_be_prepared_for_elsewhere() {
        let mut request = sign_in_request();
        request["response_mode"] = "form_post".into();
        let answer = ask(&Door::new(), tokenkit_authorization_prepare, &request);
        assert_eq!(answer["error"]["code"], "invalid_argument");
    }

    #[test]
    fn a_sign_in_needs_a_browser_and_an_address_here() {
        let door = Door::new();
        let mut request = serde_json::json!({
            "request": sign_in_request(), "options": {"browser": {"command": "/nowhere/browser"}}
        });
        assert_eq!(ask(&door, tokenkit_sign_in, &request)["error"]["code"], "cannot_listen");
        request["request"]["redirect_uri"] = Value::Null;
        assert_eq!(ask(&door, tokenkit_sign_in, &request)["error"]["code"], "browser_not_started");
    }

    /// A browser that follows the redirect of a server that agrees to everything.
    #[cfg(unix)]
    #[test]
    fn a_sign_in_takes_the_answer_of_the_browser() {
        use std::io::{Read as _, Write as _};

        let folder = std::env::temp_dir().join(format!("tokenkit-{}-sign-in", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("address");
        let command =
            format!("sh -c 'echo \"$1\" >\"{0}.new\"; mv \"{0}.new\" \"{0}\"' sh %s", file.display());
        let mut request = sign_in_request();
        request["redirect_uri"] = "http://127.0.0.1/".into();
        let request = serde_json::json!({"request": request, "options": {"browser": {"command": command}}});
        let waiting = std::thread::spawn(move || ask(&Door::new(), tokenkit_sign_in, &request));
        while !file.exists() {
            assert!(!waiting.is_finished(), "{:?}", waiting.join());
            std::thread::sleep(Duration::from_millis(10));
        }
        let address = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let port = address.split_once("127.0.0.1%3A").unwrap().1.split_once("%2F").unwrap().0;
        let mut browser = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let head = format!("GET /?code=c&state=mine HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        browser.write_all(head.as_bytes()).unwrap();
        let mut page = String::new();
        browser.read_to_string(&mut page).unwrap();
        assert!(page.contains("You are signed in"), "{page}");
        let answer = waiting.join().unwrap();
        assert_eq!(answer["parameters"][0]["value"], "c", "{answer}");
        assert_eq!(answer["redirect_uri"], format!("http://127.0.0.1:{port}/"));
    }

    #[test]
    fn the_subject_of_userinfo_is_that_of_the_id_token() {
        let door = Door::new();
        let request = |id_token: &str| {
            serde_json::json!({
                "endpoint": "http://127.0.0.1:9/", "access_token": "t", "subject": "bob", "id_token": id_token,
                "http": {"max_retries": 0},
            })
        };
        for (id_token, code) in [
            ("opaque", "malformed_token"),
            ("e30.e30.AAAA", "malformed_token"),
            // Of alice, and of bob: nobody listens at the endpoint.
            ("e30.eyJzdWIiOiJhbGljZSJ9.AAAA", "invalid_argument"),
            ("e30.eyJzdWIiOiJib2IifQ.AAAA", "connect_failed"),
        ] {
            let answer = ask(&door, tokenkit_user_info, &request(id_token));
            assert_eq!(answer["error"]["code"], code, "{id_token}");
        }
    }

    #[test]
    fn metadata_is_asked_by_https_only() {
        let door = Door::new();
        // SAFETY: client and text are valid.
        let answer = read(unsafe {
            tokenkit_metadata(door.0, c"{\"issuer\":\"http://as.example\"}".as_ptr(), null())
        });
        assert_eq!(answer["error"]["code"], "insecure_endpoint");
    }

    #[test]
    fn the_services_of_vendors_are_behind_the_same_door() {
        let door = Door::new();
        // SAFETY: client and texts are valid.
        let answers = unsafe {
            [
                read(tokenkit_venafi_token(door.0, c"{\"endpoint\":\"x\",\"jwt\":\"x\"}".as_ptr(), null())),
                read(tokenkit_governance(
                    door.0,
                    c"{\"call\":{\"type\":\"refresh\",\"refresh_token\":\"x\"}}".as_ptr(),
                    null(),
                )),
            ]
        };
        let codes = answers.map(|answer| answer["error"]["code"].clone());
        assert_eq!(codes, ["malformed_token", "missing_base_url"]);
        // What only a session would have liked to know is no error.
        let request = c"{\"server\":\"x\",\"credential\":{\"type\":\"access_token\",\"secret\":\"x\"}}";
        // SAFETY: client and text are valid.
        let answer = read(unsafe { tokenkit_venafi_user(door.0, request.as_ptr(), null()) });
        assert_eq!((&answer["user"], &answer["problem"]["code"]), (&Value::Null, &"invalid_endpoint".into()));
    }

    #[test]
    fn errors_of_the_core_are_answered() {
        let request =
            c"{\"endpoint\":\"http://as.example/token\",\"grant\":{\"type\":\"client_credentials\"}}";
        let error = &Door::new().token(request.as_ptr(), null())["error"];
        assert_eq!(error["code"], "insecure_endpoint");
        assert_eq!(error["category"], "invalid_input");
        assert_eq!(error["retryable"], false);
        assert_eq!(error["status"], Value::Null);
    }

    #[test]
    fn a_panic_is_answered() {
        let request = c"{\"endpoint\":\"panic:\",\"grant\":{\"type\":\"client_credentials\"}}";
        let error = &Door::new().token(request.as_ptr(), null())["error"];
        assert_eq!(error["category"], "internal");
        assert_eq!(error["code"], "internal_error");
    }

    #[test]
    fn a_triggered_handle_ends_a_call() {
        // Nobody accepts here, so the answer never comes.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/token", silent.local_addr().unwrap());
        let request =
            format!("{{\"endpoint\":\"{endpoint}\",\"grant\":{{\"type\":\"client_credentials\"}}}}");
        let request = CString::new(request).unwrap();
        let cancel = tokenkit_cancel_new() as usize;
        let trigger = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            // SAFETY: the handle is freed after this thread has ended.
            unsafe { tokenkit_cancel_trigger(cancel as *const TokenkitCancel) };
        });
        let answer = Door::new().token(request.as_ptr(), cancel as *const TokenkitCancel);
        assert_eq!(answer["error"]["category"], "cancelled");
        trigger.join().unwrap();
        // SAFETY: the handle comes from `tokenkit_cancel_new` and is given back here only.
        unsafe { tokenkit_cancel_free(cancel as *mut TokenkitCancel) };
    }

    #[test]
    fn the_version_is_that_of_the_package() {
        // SAFETY: the text is static.
        let version = unsafe { CStr::from_ptr(tokenkit_version()) };
        assert_eq!(version.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}
