//! The core's error as both doors see it.

use interoptopus::ffi;
use interoptopus::wire::Wire;
use serde::Serialize;
use tokenkit::{Category, Error, OAuthError};

use crate::dto::Header;

/// What went wrong, by who is at fault. Every variant holds the same detail.
#[ffi]
pub enum Failure {
    /// The caller's input cannot be used. Nothing was sent.
    InvalidInput(Wire<FailureDetail>),
    /// The server answered, and its answer is an error or cannot be used.
    Server(Wire<FailureDetail>),
    /// No complete answer came.
    Transport(Wire<FailureDetail>),
    /// The server answered with a token that must not be used.
    Token(Wire<FailureDetail>),
    /// The store on this machine cannot be used as asked.
    Store(Wire<FailureDetail>),
    /// A fault in this library or in a signer its caller supplied.
    Internal(Wire<FailureDetail>),
}

/// All that is known about a failure. Holds no secret that was sent.
#[ffi]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureDetail {
    /// The OAuth error code when the server gave one, else TokenKit's own. Stable.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// What a person can do about it.
    pub advice: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Where it happened, without user information, query and fragment.
    pub endpoint: Option<String>,
    /// `error` of the answer (RFC 6749 section 5.2).
    pub oauth_error: Option<String>,
    /// `error_description` of the answer.
    pub oauth_error_description: Option<String>,
    /// `error_uri` of the answer.
    pub oauth_error_uri: Option<String>,
    /// HTTP status code of the answer.
    pub status: Option<u16>,
    /// Headers of the answer, names in lower case.
    pub headers: Vec<Header>,
    /// Body of the answer, with the secrets of the request masked; for an error that came by the browser, a JSON object
    /// of the same form.
    pub body: Option<String>,
}

impl From<&Error> for FailureDetail {
    fn from(error: &Error) -> Self {
        let oauth = error.oauth();
        let reply = error.reply();
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            advice: error.advice().to_owned(),
            retryable: error.is_retryable(),
            endpoint: error.endpoint().map(str::to_owned),
            oauth_error: oauth.map(|oauth| oauth.error.clone()),
            oauth_error_description: oauth.and_then(|oauth| oauth.description.clone()),
            oauth_error_uri: oauth.and_then(|oauth| oauth.uri.clone()),
            status: reply.map(|reply| reply.status),
            headers: reply.map(|reply| Header::list(&reply.headers)).unwrap_or_default(),
            body: reply.map(|reply| reply.body.clone()).or_else(|| oauth.map(oauth_json)),
        }
    }
}

/// An error that came without a body, as one would have been.
fn oauth_json(oauth: &OAuthError) -> String {
    let members = [
        ("error", Some(&oauth.error)),
        ("error_description", oauth.description.as_ref()),
        ("error_uri", oauth.uri.as_ref()),
    ];
    let members =
        members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into())));
    serde_json::Value::Object(members.collect()).to_string()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let detail = Wire::from(FailureDetail::from(&error));
        match error.category() {
            Category::InvalidInput => Self::InvalidInput(detail),
            Category::Server => Self::Server(detail),
            Category::Transport => Self::Transport(detail),
            Category::Token => Self::Token(detail),
            Category::Store => Self::Store(detail),
            Category::Internal => Self::Internal(detail),
        }
    }
}

/// The category as JSON names it.
pub(crate) fn category_name(category: Category) -> &'static str {
    match category {
        Category::InvalidInput => "invalid_input",
        Category::Server => "server",
        Category::Transport => "transport",
        Category::Token => "token",
        Category::Store => "store",
        Category::Internal => "internal",
    }
}

#[cfg(test)]
mod tests {
    use tokenkit::{ErrorCode, Reply, ServerError, TransportError};

    use super::*;

    fn unwired(failure: Failure) -> (&'static str, FailureDetail) {
        match failure {
            Failure::InvalidInput(mut detail) => ("invalid_input", detail.unwire()),
            Failure::Server(mut detail) => ("server", detail.unwire()),
            Failure::Transport(mut detail) => ("transport", detail.unwire()),
            Failure::Token(mut detail) => ("token", detail.unwire()),
            Failure::Store(mut detail) => ("store", detail.unwire()),
            Failure::Internal(mut detail) => ("internal", detail.unwire()),
        }
    }

    #[test]
    fn a_server_error_keeps_all_it_says() {
        let error = Error::Server(Box::new(ServerError {
            code: ErrorCode::OAuth,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: Some(OAuthError {
                error: "invalid_grant".into(),
                description: Some("expired".into()),
                uri: Some("https://as.example/help".into()),
            }),
            reply: Reply {
                status: 400,
                headers: vec![("x-id".into(), "7".into())],
                body: r#"{"error":"invalid_grant"}"#.into(),
            },
            retryable: false,
        }));
        let (category, detail) = unwired(Failure::from(error));
        assert_eq!(category, "server");
        assert_eq!(
            detail,
            FailureDetail {
                code: "invalid_grant".into(),
                message: "https://as.example/token answered invalid_grant: expired (HTTP 400)".into(),
                advice: detail.advice.clone(),
                retryable: false,
                endpoint: Some("https://as.example/token".into()),
                oauth_error: Some("invalid_grant".into()),
                oauth_error_description: Some("expired".into()),
                oauth_error_uri: Some("https://as.example/help".into()),
                status: Some(400),
                headers: vec![Header { name: "x-id".into(), content: "7".into() }],
                body: Some(r#"{"error":"invalid_grant"}"#.into()),
            }
        );
        assert!(detail.advice.contains("expired"));
    }

    #[test]
    fn an_error_that_came_by_the_browser_has_a_body_too() {
        let oauth = OAuthError {
            error: "access_denied".into(),
            description: Some("The \"user\" said no".into()),
            uri: None,
        };
        let endpoint = "https://as.example/authorize".into();
        let (category, detail) =
            unwired(Failure::from(Error::Authorization { endpoint, oauth: Box::new(oauth) }));
        assert_eq!(category, "server");
        assert_eq!(detail.code, "access_denied");
        assert_eq!(detail.status, None);
        let body: serde_json::Value = serde_json::from_str(&detail.body.unwrap()).unwrap();
        let expected =
            serde_json::json!({"error": "access_denied", "error_description": "The \"user\" said no"});
        assert_eq!(body, expected);
    }

    #[test]
    fn each_category_has_its_variant_and_name() {
        let code = ErrorCode::Internal;
        let text = String::new;
        let transport = TransportError {
            code,
            message: text(),
            endpoint: text(),
            retryable: true,
            advice: code.advice(),
        };
        let errors = [
            Error::InvalidInput { code, message: text() },
            Error::Transport(Box::new(transport)),
            Error::Token { code, message: text(), endpoint: text() },
            Error::Store { code, message: text() },
            Error::Internal { code, message: text() },
        ];
        for error in errors {
            let (name, retryable) = (category_name(error.category()), error.is_retryable());
            let (category, detail) = unwired(Failure::from(error));
            assert_eq!(category, name);
            assert_eq!(detail.retryable, retryable);
            assert_eq!(detail.status, None);
        }
    }
}
