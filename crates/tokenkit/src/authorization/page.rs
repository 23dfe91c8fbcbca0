//! The pages that the browser shows at the end of a sign-in. They hold no parameter of the answer but an error and
//! its description, load nothing, and leave no answer in the address bar.

use askama::Template;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::error::Error;

const STYLE: &str = include_str!("page.css");

/// Takes the answer out of the address bar and the history.
const FORGET: &str = "history.replaceState(null,'','/')";

/// Hands the fragment, which no server sees, to the listener, and takes it out of the address bar and the history.
const HAND_OVER: &str = "const answer=location.hash.slice(1),form=document.forms[0];\
    form.action=location.pathname;history.replaceState(null,'','/');\
    form.elements[0].value=answer;form.submit()";

const CHECK: &str = "M7 12.5l3.5 3.5L17 9";
const CROSS: &str = "M8.5 8.5l7 7m0-7l-7 7";
const MARK: &str = "M12 6.5v7m0 4h.01";
const DOTS: &str = "M7.5 12h.01M12 12h.01M16.5 12h.01";

const RETURN: &str = "You can close this window and go back to where you started.";
const START_AGAIN: &str = "Close this window, go back to where you started, and see what to do there.";
const WAITING: &str =
    "The sign-in is still waited for: finish it in the window that was opened last, or start again.";

/// What happened, as the browser shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// The answer was accepted.
    SignedIn,
    /// The sign-in has ended without success.
    Failed {
        /// A stable code.
        code: String,
        /// More about it.
        description: Option<String>,
    },
    /// The answer is in the fragment, which only a script can see.
    HandOver,
    /// An answer of another sign-in.
    WrongState,
    /// The sign-in has its answer already.
    AlreadyUsed,
    /// The address of the answer without one.
    NoAnswer,
    /// A request that cannot be the answer.
    Refused(StatusCode),
    /// A method that the answer does not come with; the one in its place.
    WrongMethod(&'static str),
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Document<'a> {
    kind: &'a str,
    icon: &'a str,
    title: &'a str,
    text: &'a str,
    code: Option<&'a str>,
    description: Option<&'a str>,
    next: &'a str,
    hands_over: bool,
    style: &'a str,
    script: &'a str,
}

impl Page {
    /// The page that tells of a failure.
    pub(super) fn failed(error: &Error) -> Self {
        let description = match error.oauth() {
            Some(oauth) => oauth.description.clone(),
            None => Some(error.to_string()),
        };
        Self::Failed { code: error.code().to_owned(), description }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::SignedIn | Self::HandOver => StatusCode::OK,
            Self::Failed { .. } | Self::WrongState | Self::NoAnswer => StatusCode::BAD_REQUEST,
            Self::AlreadyUsed => StatusCode::CONFLICT,
            Self::Refused(status) => *status,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn document(&self) -> Document<'_> {
        let bad = Document {
            kind: "bad",
            icon: CROSS,
            title: "Sign-in failed",
            text: "",
            code: None,
            description: None,
            next: WAITING,
            hands_over: false,
            style: STYLE,
            script: FORGET,
        };
        match self {
            Self::SignedIn => Document {
                kind: "good",
                icon: CHECK,
                title: "You are signed in",
                text: "TokenKit has the answer.",
                next: RETURN,
                ..bad
            },
            Self::Failed { code, description } => Document {
                text: "The sign-in has ended without success.",
                code: Some(code),
                description: description.as_deref(),
                next: START_AGAIN,
                ..bad
            },
            Self::HandOver => Document {
                kind: "busy",
                icon: DOTS,
                title: "One moment",
                text: "The result of the sign-in is being handed over.",
                next: "This takes less than a second.",
                hands_over: true,
                script: HAND_OVER,
                ..bad
            },
            Self::WrongState => Document {
                kind: "warn",
                icon: MARK,
                title: "This sign-in is out of date",
                text: "The answer belongs to another sign-in, perhaps an earlier attempt, and was not used.",
                ..bad
            },
            Self::AlreadyUsed => Document {
                kind: "warn",
                icon: MARK,
                title: "Already used",
                text: "This sign-in has its answer already, and takes no second one.",
                next: RETURN,
                ..bad
            },
            Self::NoAnswer => Document {
                kind: "warn",
                icon: MARK,
                title: "Nothing here",
                text: "This address waits for the result of a sign-in, and none came with this request.",
                ..bad
            },
            Self::Refused(_) | Self::WrongMethod(_) => Document {
                title: "Request refused",
                text: "This address takes nothing but the result of a sign-in.",
                ..bad
            },
        }
    }

    /// The HTTP response.
    pub(super) fn response(&self) -> http::Response<Full<Bytes>> {
        let document = self.document();
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; form-action 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
            hash(document.style),
            hash(document.script)
        );
        let body = document.render().unwrap_or_else(|_| document.title.to_owned());
        let mut response = http::Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let fixed: [(HeaderName, &'static str); 4] = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if let Self::WrongMethod(right) = self {
            headers.insert(ALLOW, HeaderValue::from_static(right));
        }
        response
    }
}

/// A text as a content security policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}
