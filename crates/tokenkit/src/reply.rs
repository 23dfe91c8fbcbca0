//! What every endpoint's answer has in common: JSON objects, errors, and what of an answer may be shown.

use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use crate::error::{Error, ErrorCode, OAuthError, Reply, ServerError};
use crate::message::{HttpRequest, HttpResponse, display_url};
use crate::secret::Secret;

/// The longest part of an unusable answer that is quoted, in characters.
const EXCERPT: usize = 200;

/// The JSON object of an answer whose status says success.
pub(crate) fn success(request: &HttpRequest, response: &HttpResponse) -> Result<Map<String, Value>, Error> {
    let object = json_object(response);
    if !(200..300).contains(&response.status) {
        let what =
            object.err().map_or_else(|| "the JSON object holds no OAuth error".into(), |(_, what)| what);
        return Err(http_error(request, response, &what));
    }
    object.map_err(|(code, what)| unusable(request, response, code, &what))
}

/// The body as a JSON object, or what it is instead.
pub(crate) fn json_object(response: &HttpResponse) -> Result<Map<String, Value>, (ErrorCode, String)> {
    if without_mark(&response.body).trim_ascii().is_empty() {
        return Err((ErrorCode::NotJson, "the answer is empty".into()));
    }
    match json(&response.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "an array",
                Value::String(_) => "a text",
                _ => "a bare value",
            };
            wipe(other);
            Err((ErrorCode::NotJsonObject, format!("the answer is JSON, but {kind} and not an object")))
        }
        Err(error) => {
            let header = response.headers.iter().find(|(name, _)| name == "content-type");
            let kind = header.map_or("no content type", |(_, value)| value.as_str());
            Err((ErrorCode::NotJson, format!("the answer is not JSON ({kind}): {error}")))
        }
    }
}

/// A body as JSON.
pub(crate) fn json(body: &Secret) -> serde_json::Result<Value> {
    serde_json::from_slice(without_mark(body))
}

/// RFC 8259 section 8.1 lets a parser ignore a byte order mark.
pub(crate) fn without_mark(body: &Secret) -> &[u8] {
    let body = body.expose();
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The JSON object of an endpoint that answers with OAuth errors (RFC 6749 section 5.2).
pub(crate) fn oauth_success(
    request: &HttpRequest,
    response: &HttpResponse,
) -> Result<Map<String, Value>, Error> {
    if !(200..300).contains(&response.status)
        && let Ok(object) = json_object(response)
    {
        let oauth = oauth_error(request, &object);
        wipe(Value::Object(object));
        if let Some(oauth) = oauth {
            return Err(oauth_failure(request, response, oauth));
        }
    }
    success(request, response)
}

/// A member that is a text and not empty.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A number of seconds, or a text that holds one (as the v1 endpoints of Entra ID write it).
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

/// The years 1 to 9999 in milliseconds since 1970: the calendar of RFC 3339, and of hosts such as .NET.
pub(crate) const CALENDAR: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// When something expires that was received at `now` and lasts this many seconds; `None` without any, or when that is
/// beyond the calendar.
pub(crate) fn expiry(now: DateTime<Utc>, seconds: Option<u64>) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(seconds.filter(|seconds| *seconds > 0)?).ok()?;
    now.checked_add_signed(TimeDelta::try_seconds(seconds)?)
        .filter(|at| CALENDAR.contains(&at.timestamp_millis()))
}

/// Whether a text can be an error code (RFC 6749 sections 4.1.2.1 and 5.2).
pub(crate) fn is_error_code(text: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.len() <= 200 && text.bytes().all(is_allowed)
}

pub(crate) fn oauth_error(request: &HttpRequest, object: &Map<String, Value>) -> Option<OAuthError> {
    let error = text(object, "error").filter(|error| is_error_code(error))?;
    let member = |name| text(object, name).map(|text| request.redact(text));
    Some(OAuthError {
        error: request.redact(error),
        description: member("error_description"),
        uri: member("error_uri"),
    })
}

pub(crate) fn oauth_failure(request: &HttpRequest, response: &HttpResponse, oauth: OAuthError) -> Error {
    let retryable = is_retryable(response.status)
        || matches!(oauth.error.as_str(), "temporarily_unavailable" | "authorization_pending" | "slow_down");
    server_error(request, response, ErrorCode::OAuth, "", Some(oauth), retryable)
}

/// An answer whose status says error but which holds no OAuth error.
pub(crate) fn http_error(request: &HttpRequest, response: &HttpResponse, what: &str) -> Error {
    let location = response.headers.iter().find(|(name, _)| name == "location");
    if let (300..400, Some((_, location))) = (response.status, location) {
        let target =
            request.url.join(location).map_or_else(|_| "another place".into(), |url| display_url(&url));
        let message = format!("the server wants the request sent to {target}; redirects are not followed");
        return server_error(request, response, ErrorCode::UnexpectedRedirect, &message, None, false);
    }
    let message = with_excerpt(request, response, what);
    server_error(request, response, ErrorCode::Http, &message, None, is_retryable(response.status))
}

/// An answer whose status says success but which is no token response. It may hold tokens all the same, so nothing of it
/// is quoted.
pub(crate) fn unusable(request: &HttpRequest, response: &HttpResponse, code: ErrorCode, what: &str) -> Error {
    server_error(request, response, code, what, None, false)
}

pub(crate) fn is_retryable(status: u16) -> bool {
    status == 429 || (status >= 500 && !matches!(status, 501 | 505))
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(error: &Error) -> Option<Duration> {
    let reply = error.reply()?;
    let (_, value) = reply.headers.iter().find(|(name, _)| name == "retry-after")?;
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(Duration::MAX),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

pub(crate) fn server_error(
    request: &HttpRequest,
    response: &HttpResponse,
    code: ErrorCode,
    message: &str,
    oauth: Option<OAuthError>,
    retryable: bool,
) -> Error {
    // A success that cannot be used may still hold tokens, so its body stays behind; an OAuth error does not.
    let shown = oauth.is_some() || !(200..300).contains(&response.status);
    let body =
        if shown { request.redact(&String::from_utf8_lossy(response.body.expose())) } else { String::new() };
    let headers =
        response.headers.iter().map(|(name, value)| (name.clone(), request.redact(value))).collect();
    Error::Server(Box::new(ServerError {
        code,
        message: request.redact(message),
        endpoint: display_url(&request.url),
        oauth,
        reply: Reply { status: response.status, headers, body },
        retryable,
    }))
}

fn with_excerpt(request: &HttpRequest, response: &HttpResponse, what: &str) -> String {
    match excerpt(&request.redact(&String::from_utf8_lossy(response.body.expose()))) {
        excerpt if excerpt.is_empty() => what.to_owned(),
        excerpt => format!("{what}; it begins: {excerpt}"),
    }
}

/// The beginning of a text on one line. Words as long as tokens are masked.
fn excerpt(text: &str) -> String {
    let is_token_like = |word: &str| {
        word.split(|c: char| !(c.is_ascii_alphanumeric() || "._~+/-=".contains(c))).any(|run| run.len() >= 24)
    };
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if is_token_like(word) { "***" } else { word })
        .collect();
    shortened(&words.join(" "))
}

pub(crate) fn shortened(line: &str) -> String {
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

/// Overwrites the texts of a parsed answer: they may be tokens.
pub(crate) fn wipe(value: Value) {
    match value {
        Value::String(mut text) => text.zeroize(),
        Value::Array(items) => items.into_iter().for_each(wipe),
        Value::Object(members) => members.into_iter().for_each(|(_, member)| wipe(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
