//! The parameters of an answer, wherever they came from.

use url::Url;

use super::{Authorization, ResponseMode};
use crate::error::{Error, ErrorCode};
use crate::message::Field;
use crate::secret::Secret;

/// What the authorization endpoint sent to the redirect URI. Nothing about it has been checked.
#[derive(Debug, Clone)]
pub struct Answer {
    parameters: Vec<Field>,
}

impl Answer {
    /// Reads `application/x-www-form-urlencoded` text: a query, a fragment or the body of a form.
    #[must_use]
    pub fn from_form(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text);
        Self { parameters: pairs.map(|(name, value)| Field::new(name, value.into_owned())).collect() }
    }

    /// The value of a parameter, unless it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).next()?.expose_str().filter(|text| !text.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    pub(super) fn has_state(&self, expected: &Secret) -> bool {
        let mut states = self.values("state");
        matches!((states.next(), states.next()), (Some(state), None) if state.matches(expected))
    }

    /// A name that comes more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        let names = self.parameters.iter().map(|field| field.name.as_str());
        names.enumerate().find_map(|(index, name)| {
            self.parameters[..index].iter().any(|field| field.name == name).then_some(name)
        })
    }

    pub(super) fn into_parameters(self) -> Vec<Field> {
        self.parameters
    }

    /// Without the parameters that the redirect URI itself has.
    pub(super) fn without_own(mut self, redirect_uri: &Url) -> Self {
        for (name, value) in redirect_uri.query_pairs() {
            let is_own = |field: &Field| field.name == name && field.value.expose() == value.as_bytes();
            if let Some(index) = self.parameters.iter().position(is_own) {
                self.parameters.remove(index);
            }
        }
        self
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Secret> {
        self.parameters.iter().filter(move |field| field.name == name).map(|field| &field.value)
    }
}

impl Authorization {
    /// Reads the address to which the browser was sent with the answer, as the user copied it, and checks that it
    /// belongs to this request: scheme, host, port and path are those of the redirect URI, and the state fits.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedAnswer`] with a text that says what to give instead, or [`ErrorCode::StateMismatch`].
    pub fn read_redirect(&self, pasted: &str) -> Result<Answer, Error> {
        let refuse = |message: &str| Err(Error::invalid(ErrorCode::MalformedAnswer, message));
        if self.response_mode == ResponseMode::FormPost {
            return refuse(
                "With response mode form_post the answer is in no address. Use another response mode, or a redirect URI on 127.0.0.1.",
            );
        }
        let wrapping = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let pasted = pasted.trim_matches(wrapping);
        if pasted.is_empty() {
            return refuse("No address was given.");
        }
        let Ok(url) = Url::parse(pasted) else {
            return refuse(
                "This is no whole address. A code or a query alone does not tell whose answer it is: copy all of the browser's address bar.",
            );
        };
        if url.as_str().split('?').next() == self.url.as_str().split('?').next()
            && url.query_pairs().any(|(name, _)| name == "response_type")
        {
            return refuse(
                "This is the address that starts the sign-in. Finish the sign-in in the browser, then copy the address it ends at.",
            );
        }
        let mut answer = Self::parameters_in(&url, self.response_mode);
        if let Some(redirect_uri) = self.redirect_uri.as_deref().and_then(|uri| Url::parse(uri).ok()) {
            if !is_same_place(&url, &redirect_uri) {
                return refuse(&format!(
                    "This address does not begin with the redirect URI, {redirect_uri}."
                ));
            }
            answer = answer.without_own(&redirect_uri);
        }
        if !answer.has("state") && !answer.has("code") && !answer.has("error") {
            return refuse(
                "This address holds no answer. Copy it after the sign-in, with all that follows the ? or #.",
            );
        }
        self.check_state(&answer)?;
        Ok(answer)
    }

    /// The parameters in a URL: where the response mode has them, and an error also where it has not, since some
    /// servers always send errors in the query.
    fn parameters_in(url: &Url, mode: ResponseMode) -> Answer {
        let read = |text: Option<&str>| Answer::from_form(text.unwrap_or_default().as_bytes());
        let (query, fragment) = (read(url.query()), read(url.fragment()));
        let (own, other) = if mode == ResponseMode::Fragment { (fragment, query) } else { (query, fragment) };
        if !own.has("state") && other.has("error") { other } else { own }
    }
}

/// Whether scheme, host, port and path are the same.
fn is_same_place(one: &Url, two: &Url) -> bool {
    let place = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host().map(|host| host.to_owned()),
            url.port_or_known_default(),
            url.path().to_owned(),
        )
    };
    place(one) == place(two)
}
