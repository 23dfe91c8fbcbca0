//! What the test binaries share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod net;
pub mod openssl;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tokenkit::{Attempt, ClientAuthentication, Error, Grant, HttpRequest, Secret, TokenRequest};

pub const ENDPOINT: &str = "https://as.example/token";

/// The rows of one file in `tests/vectors`.
pub fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every grant, with values that are easy to find again.
pub fn grants() -> [(&'static str, Grant); 6] {
    let secret = Secret::from;
    [
        (
            "authorization_code",
            Grant::AuthorizationCode {
                code: secret("SplxlOBeZQQYbYS6WxSbIA"),
                code_verifier: Some(secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
            },
        ),
        ("client_credentials", Grant::ClientCredentials),
        ("refresh_token", Grant::RefreshToken { refresh_token: secret("tGzv3JOkF0XG5Qx2TlKWIA") }),
        ("password", Grant::Password { username: "johndoe".into(), password: secret("A3ddj3w") }),
        (
            "device_code",
            Grant::DeviceCode { device_code: secret("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS") },
        ),
        ("jwt_bearer", Grant::JwtBearer { assertion: secret("e30.e30.c2lnbmF0dXJl") }),
    ]
}

/// A client-credentials request of the client `app`.
pub fn request(endpoint: &str, authentication: ClientAuthentication) -> TokenRequest {
    let mut request = TokenRequest::new(endpoint, Grant::ClientCredentials);
    request.client_id = Some("app".into());
    request.authentication = authentication;
    request
}

pub fn basic(secret: &str) -> ClientAuthentication {
    ClientAuthentication::SecretBasic { secret: Secret::from(secret) }
}

pub fn post(secret: &str) -> ClientAuthentication {
    ClientAuthentication::SecretPost { secret: Secret::from(secret) }
}

pub fn build(request: &TokenRequest) -> Result<HttpRequest, Error> {
    request.build(&Attempt::now())
}

/// The values of the form field `name`.
pub fn field<'a>(request: &'a HttpRequest, name: &str) -> Vec<&'a str> {
    let fields = request.form().iter().filter(|field| field.name == name);
    fields.map(|field| field.value.expose_str().unwrap()).collect()
}

/// The values of the header `name`.
pub fn header<'a>(request: &'a HttpRequest, name: &str) -> Vec<&'a str> {
    let headers = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    headers.map(|header| header.value.expose_str().unwrap()).collect()
}

/// Everything about an error that a person could see.
pub fn visible(error: &Error) -> String {
    let reply = error.reply().map(|reply| format!("{:?} {}", reply.headers, reply.body));
    format!("{error}\n{error:?}\n{}", reply.unwrap_or_default())
}
