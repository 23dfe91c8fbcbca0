//! HTTP messages as plain values, so that building and reading them needs no network.

use std::cmp::Reverse;

use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::reply::wipe;
use crate::secret::Secret;
use crate::spelling;

/// Names whose values may be shown in events. All others are masked.
const PUBLIC_NAMES: &[&str] = &[
    "accept",
    "accept-encoding",
    "actor_token_type",
    "audience",
    "client_assertion_type",
    "client_id",
    "content-type",
    "expires_in",
    "grant_type",
    "origin",
    "redirect_uri",
    "referer",
    "requested_token_type",
    "resource",
    "scope",
    "subject_token_type",
    "token_type",
    "user-agent",
    "x-cloud-governance-jsoncontract",
];

/// What stands for a value that is not shown.
pub(crate) const MASK: &str = "***";

/// Shorter values are not searched for: they would mask ordinary words of an error text.
const SHORTEST_MASKED: usize = 4;

/// The request methods used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read, as of metadata and keys.
    Get,
    /// Send something, or ask for something to be done.
    Post,
    /// Remove.
    Delete,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A header or a form field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value, before any encoding.
    pub value: Secret,
}

impl Field {
    /// A field from its name and value.
    pub fn new(name: impl Into<String>, value: impl Into<Secret>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// `Authorization` with a bearer token (RFC 6750 section 2.1).
    pub(crate) fn bearer(token: &Secret) -> Self {
        Self::new("Authorization", [b"Bearer ", token.expose()].concat())
    }

    fn is_public(&self) -> bool {
        is_public(&self.name)
    }

    fn masked(&self) -> (String, String) {
        let shown = if self.is_public() { self.value.expose_str() } else { None };
        (self.name.clone(), shown.unwrap_or(MASK).to_owned())
    }
}

/// What a request carries (RFC 9110 section 6.4).
#[derive(Debug, Clone, Default)]
pub enum Content {
    /// Nothing.
    #[default]
    None,
    /// Form fields in order.
    Form(Vec<Field>),
    /// A JSON text in UTF-8 (RFC 8259). The values in it that must not be shown stand in
    /// [`HttpRequest::hidden`], too.
    Json(Secret),
}

fn is_public(name: &str) -> bool {
    PUBLIC_NAMES.iter().any(|public| name.eq_ignore_ascii_case(public))
}

/// Names and values of the members of an answer, masked.
pub(crate) fn masked_members(members: &Map<String, Value>) -> Vec<(String, String)> {
    let shown = |(name, value): (&String, &Value)| {
        let value = match value {
            _ if !is_public(name) => MASK.to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), value)
    };
    members.iter().map(shown).collect()
}

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// What to do.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers in order.
    pub headers: Vec<Field>,
    /// What it carries.
    pub content: Content,
    /// Secrets behind the fields, such as the one in an encoded header or in a JSON text: never shown, not
    /// sent as such.
    pub hidden: Vec<Secret>,
}

impl HttpRequest {
    /// A request for a JSON document.
    #[must_use]
    pub fn get(url: Url) -> Self {
        let headers = vec![Field::new("Accept", "application/json")];
        Self { method: Method::Get, url, headers, content: Content::None, hidden: vec![] }
    }

    /// The form fields; none when the content is no form.
    #[must_use]
    pub fn form(&self) -> &[Field] {
        match &self.content {
            Content::Form(fields) => fields,
            Content::None | Content::Json(_) => &[],
        }
    }

    /// The content as it is sent: a form as `application/x-www-form-urlencoded` text, JSON as it is.
    #[must_use]
    pub fn body(&self) -> Secret {
        if let Content::Json(text) = &self.content {
            return text.clone();
        }
        // A grown buffer would leave unwiped copies behind: reserve for the worst case, three for one.
        let size =
            self.form().iter().map(|field| 3 * (field.name.len() + field.value.expose().len()) + 2).sum();
        let mut body = String::with_capacity(size);
        for field in self.form() {
            if !body.is_empty() {
                body.push('&');
            }
            body.extend(form_urlencoded::byte_serialize(field.name.as_bytes()));
            body.push('=');
            body.extend(form_urlencoded::byte_serialize(field.value.expose()));
        }
        Secret::from(body)
    }

    /// Names and values of the headers, masked.
    #[must_use]
    pub fn masked_headers(&self) -> Vec<(String, String)> {
        self.headers.iter().map(Field::masked).collect()
    }

    /// Names and values of the form, masked, or the names of the JSON object's members.
    #[must_use]
    pub fn masked_content(&self) -> Vec<(String, String)> {
        match &self.content {
            Content::None => vec![],
            Content::Form(fields) => fields.iter().map(Field::masked).collect(),
            Content::Json(text) => {
                let members: Map<String, Value> = serde_json::from_slice(text.expose()).unwrap_or_default();
                let names = members.keys().map(|name| (name.clone(), MASK.to_owned())).collect();
                wipe(Value::Object(members));
                names
            }
        }
    }

    /// `text` with every value that this request keeps secret masked, as such, escaped as in JSON, forms and HTML, or in
    /// base64 or hex: a server may echo what it was sent.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let fields = self.headers.iter().chain(self.form()).filter(|field| !field.is_public());
        let secrets = fields.map(|field| &field.value).chain(&self.hidden).filter_map(Secret::expose_str);
        let query = self.url.query_pairs().filter(|(name, _)| !is_public(name));
        let query: Vec<_> = query.map(|(_, value)| Zeroizing::new(value.into_owned())).collect();
        let secrets = secrets.chain(query.iter().map(|value| value.as_str()));
        let mut secrets: Vec<_> = secrets.filter(|secret| secret.len() >= SHORTEST_MASKED).collect();
        // One may be a part of another.
        secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        // As `client_secret_basic` encodes it (RFC 6749 section 2.3.1), too.
        let as_form = secrets.iter().map(|secret| {
            Zeroizing::new(form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>())
        });
        let as_form: Vec<_> = as_form.filter(|text| !secrets.contains(&text.as_str())).collect();
        let plain = secrets.iter().copied().chain(as_form.iter().map(|secret| secret.as_str()));
        let encoded: Vec<_> = plain.flat_map(spelling::encodings).collect();

        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(after) = secrets.iter().find_map(|secret| spelling::strip(rest, secret)) {
                shown.push_str(MASK);
                rest = after;
            } else if let Some(after) = encoded.iter().find_map(|word| spelling::strip_encoded(rest, word)) {
                // What stands beside it may be encoded together with it.
                shown.truncate(shown.trim_end_matches(spelling::is_encoded).len());
                shown.push_str(MASK);
                rest = after.trim_start_matches(spelling::is_encoded);
            } else {
                shown.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        shown
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Secret,
}

/// `url` fit to be shown: without user information, query and fragment.
#[must_use]
pub(crate) fn display_url(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot hold a user name, where there is nothing to remove.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(form: Vec<Field>) -> HttpRequest {
        let url = Url::parse("https://user:pw@as.example/token?sig=abc#x").unwrap();
        let content = Content::Form(form);
        HttpRequest { method: Method::Post, url, headers: vec![], content, hidden: vec![] }
    }

    #[test]
    fn form_encoding_follows_rfc_6749_appendix_b() {
        let request = request(vec![Field::new("scope", " %&+£€")]);
        assert_eq!(request.body().expose_str(), Some("scope=+%25%26%2B%C2%A3%E2%82%AC"));
    }

    #[test]
    fn only_public_names_show_their_values() {
        let masked = request(vec![
            Field::new("client_id", "app"),
            Field::new("code", "abcdef"),
            Field::new("invented", "value"),
        ])
        .masked_content();
        let masked: Vec<_> = masked.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(masked, ["client_id=app", "code=***", "invented=***"]);
    }

    #[test]
    fn json_shows_the_names_of_its_members_only() {
        let text = r#"{"ClientSecret":"s3cr3t","Deep":{"a":"b"},"N":1}"#;
        let request = HttpRequest { content: Content::Json(Secret::from(text)), ..request(vec![]) };
        let masked = |name: &str| (name.to_owned(), "***".to_owned());
        assert_eq!(request.masked_content(), ["ClientSecret", "Deep", "N"].map(masked));
        assert_eq!(request.body().expose_str(), Some(text));
        assert!(request.form().is_empty() && !format!("{request:?}").contains("s3cr3t"));
    }

    #[test]
    fn echoed_secrets_are_masked_in_every_encoding() {
        let request =
            request(vec![Field::new("client_secret", "p\"q&r s"), Field::new("client_id", "client")]);
        let text = r#"{"plain": p"q&r s, "json": "p\"q&r s", "form": "p%22q%26r+s", "id": "client"}"#;
        assert_eq!(request.redact(text), r#"{"plain": ***, "json": "***", "form": "***", "id": "client"}"#);
    }

    #[test]
    fn echoed_secrets_are_masked_in_base64_and_hex_with_what_is_beside_them() {
        let request = request(vec![Field::new("client_secret", "p?q~secret")]);
        let base64 = "cD9xfnNlY3JldA==";
        let after_a_user = "dXNlcjpwP3F-c2VjcmV0";
        let hex = "703F717e736563726574";
        for (text, masked) in [
            (format!("Basic {base64}, sorry"), "Basic ***, sorry"),
            (format!("\"{after_a_user}\""), "\"***\""),
            (after_a_user.replace('-', r"\u002b"), "***"),
            (hex.to_lowercase(), "***"),
            (hex.to_uppercase(), "***"),
        ] {
            assert_eq!(request.redact(&text), masked);
        }
    }

    #[test]
    fn echoed_values_of_the_query_are_masked() {
        let mut request = request(vec![]);
        request.url = Url::parse("https://as.example/token?sig=a%2Bb%3Dc&scope=read").unwrap();
        assert_eq!(request.redact("sig a+b=c, or a%2Bb%3Dc, for read"), "sig ***, or ***, for read");
    }

    #[test]
    fn hostile_texts_are_masked_in_passable_time() {
        let request =
            request(vec![Field::new("client_secret", "&&&&&&&&secret"), Field::new("code", r"\u0026")]);
        for part in ["&", "%26", "&&&&&&&&secre"] {
            let text = part.repeat(1024 * 1024 / part.len());
            let started = std::time::Instant::now();
            assert!(!request.redact(&text).contains("secret"));
            assert!(started.elapsed().as_secs() < 60, "{part}: {:?}", started.elapsed());
        }
    }

    #[test]
    fn a_shown_url_has_no_credentials() {
        assert_eq!(display_url(&request(vec![]).url), "https://as.example/token");
    }
}
