//! JWT bearer assertions (RFC 7523).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::id_token::unix_time;

/// The subject of an assertion that says all that RFC 7523 section 3 asks for. The signature must be there but is not
/// verified: no issuer is registered here.
pub(crate) fn subject(assertion: &str, token_endpoint: &str) -> Result<String, &'static str> {
    let object = |part: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let parts: Vec<&str> = assertion.split('.').collect();
    let &[header, claims, signature] = parts.as_slice() else { return Err("a JWT has three parts") };
    let header = object(header).ok_or("the header is not base64url JSON")?;
    let claims = object(claims).ok_or("the claims are not base64url JSON")?;
    match URL_SAFE_NO_PAD.decode(signature) {
        Ok(signature) if !signature.is_empty() => {}
        _ => return Err("the signature is empty or not base64url"),
    }
    let text =
        |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    if text(&header, "alg").is_none_or(|alg| alg.eq_ignore_ascii_case("none")) {
        return Err("alg is missing or none");
    }
    text(&claims, "iss").ok_or("iss is missing")?;
    let aimed_here = match claims.get("aud") {
        Some(Value::String(audience)) => audience == token_endpoint,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == token_endpoint),
        _ => false,
    };
    if !aimed_here {
        return Err("aud is not this token endpoint");
    }
    if claims.get("exp").and_then(Value::as_u64).is_none_or(|expiry| expiry <= unix_time()) {
        return Err("exp is missing or over");
    }
    text(&claims, "sub").ok_or("sub is missing")
}
