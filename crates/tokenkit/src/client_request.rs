//! What the requests of a client that proves who it is have in common (RFC 6749 section 3.2).

use crate::client_auth::{Attempt, ClientAuthentication};
use crate::error::{Error, ErrorCode};
use crate::message::{Content, Field, HttpRequest, Method};
use crate::token::endpoint_url;

/// Headers that belong to the connection; a caller's own would break the framing of the request.
const CONNECTION_HEADERS: &[&str] =
    &["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Form fields that prove who the client is.
const CREDENTIAL_PARAMETERS: &[&str] = &["client_assertion", "client_assertion_type", "client_secret"];

/// The parts of a request beside the form fields of its endpoint.
pub(crate) struct ClientRequest<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) authentication: &'a ClientAuthentication,
    pub(crate) parameters: &'a [Field],
    pub(crate) headers: &'a [Field],
    pub(crate) allow_insecure_http: bool,
}

impl ClientRequest<'_> {
    /// The HTTP request of one attempt, with `form` before the credentials and the further parameters.
    pub(crate) fn build(&self, mut form: Vec<Field>, attempt: &Attempt) -> Result<HttpRequest, Error> {
        let url = endpoint_url(self.endpoint, self.allow_insecure_http)?;
        let client_id = self.client_id.filter(|id| !id.is_empty());
        let credentials = self.authentication.credentials(client_id, self.endpoint.trim(), attempt)?;
        let authenticates = !matches!(self.authentication, ClientAuthentication::None);

        form.extend(credentials.form);
        for parameter in self.parameters {
            let name = parameter.name.as_str();
            if authenticates && CREDENTIAL_PARAMETERS.contains(&name) {
                return Err(two_credentials(&format!("The parameter '{name}'")));
            }
            if !is_repeatable(name) && form.iter().any(|field| field.name == name) {
                return Err(sent_twice(name));
            }
            form.push(parameter.clone());
        }

        let mut headers = vec![
            Field::new("Accept", "application/json"),
            Field::new("Content-Type", "application/x-www-form-urlencoded"),
        ];
        headers.extend(credentials.headers);
        if authenticates
            && self.headers.iter().any(|header| header.name.eq_ignore_ascii_case("authorization"))
        {
            return Err(two_credentials("A header Authorization"));
        }
        add_headers(&mut headers, self.headers)?;
        Ok(HttpRequest {
            method: Method::Post,
            url,
            headers,
            content: Content::Form(form),
            hidden: credentials.hidden,
        })
    }
}

/// A form field for a value that is there and not empty.
pub(crate) fn optional(name: &str, value: Option<&str>) -> Option<Field> {
    value.filter(|value| !value.is_empty()).map(|value| Field::new(name, value))
}

/// Whether a parameter may come more than once, which RFC 6749 sections 3.1 and 3.2 forbid in general: `resource`
/// may (RFC 8707 section 2), and so may `audience` (RFC 8693 section 2.1).
pub(crate) fn is_repeatable(name: &str) -> bool {
    matches!(name, "resource" | "audience")
}

pub(crate) fn sent_twice(name: &str) -> Error {
    invalid(format!("The parameter '{name}' would be sent twice."))
}

/// Adds a caller's own headers, which replace those of the same name.
pub(crate) fn add_headers(headers: &mut Vec<Field>, own: &[Field]) -> Result<(), Error> {
    for header in own {
        let name = header.name.to_ascii_lowercase();
        if CONNECTION_HEADERS.contains(&name.as_str()) {
            return Err(invalid(format!(
                "The header '{}' cannot be set: the connection decides it.",
                header.name
            )));
        }
        headers.retain(|known| !known.name.eq_ignore_ascii_case(&name));
        headers.push(header.clone());
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidArgument, message)
}

fn two_credentials(what: &str) -> Error {
    invalid(format!(
        "{what} beside the client authentication would send two credentials (RFC 6749 section 2.3)."
    ))
}
