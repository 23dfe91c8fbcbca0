//! The authorization endpoint: an [`AuthorizationRequest`] becomes the address for the browser, the answer an
//! [`AuthorizationResponse`] (RFC 6749 sections 4.1 and 4.2, OpenID Connect Core section 3). Nothing here touches the
//! network; [`loopback`] listens for the answer, and [`Client`](crate::Client) puts both together.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use url::Url;

use crate::client_request::{is_repeatable, sent_twice};
use crate::discovery::Metadata;
use crate::error::{Error, ErrorCode, OAuthError};
use crate::id_token::{self, ExpectedIdToken};
use crate::message::{Field, display_url};
use crate::pkce::{PkceChallenge, random_text};
use crate::reply::{expiry, is_error_code};
use crate::secret::Secret;
use crate::token::endpoint_url;

mod answer;
pub(crate) mod loopback;
mod page;

pub use answer::Answer;

/// Parameters that replace what is made here, instead of being sent as they are.
const OWN_PARAMETERS: &[&str] =
    &["state", "nonce", "code_challenge", "code_challenge_method", "code_verifier"];

/// Parameters whose values may be shown.
const PUBLIC_PARAMETERS: &[&str] = &[
    "acr_values",
    "audience",
    "client_id",
    "code_challenge_method",
    "display",
    "max_age",
    "prompt",
    "redirect_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "ui_locales",
];

/// What the authorization endpoint is asked for: a set, whatever its order (OAuth 2.0 Multiple Response Type Encoding
/// Practices, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseType {
    /// An authorization code.
    pub code: bool,
    /// An access token.
    pub token: bool,
    /// An ID token.
    pub id_token: bool,
}

impl ResponseType {
    /// An authorization code and nothing else.
    pub const CODE: Self = Self { code: true, token: false, id_token: false };

    /// Whether the answer comes in the fragment, as tokens do, unless another response mode is asked for.
    #[must_use]
    pub fn uses_fragment(self) -> bool {
        self.token || self.id_token
    }
}

impl FromStr for ResponseType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut result = Self { code: false, token: false, id_token: false };
        for word in text.split_ascii_whitespace() {
            let part = match word {
                "code" => &mut result.code,
                "token" => &mut result.token,
                "id_token" => &mut result.id_token,
                other => {
                    let message = format!(
                        "The response type '{other}' is unknown. It is code, token, id_token, or several of these with spaces between them."
                    );
                    return Err(invalid(message));
                }
            };
            if std::mem::replace(part, true) {
                return Err(invalid(format!("The response type names {word} twice.")));
            }
        }
        // Nothing asked for is the usual.
        Ok(if text.trim_ascii().is_empty() { Self::CODE } else { result })
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.code, "code"), (self.id_token, "id_token"), (self.token, "token")];
        let words: Vec<_> = words.into_iter().filter(|(is_in, _)| *is_in).map(|(_, word)| word).collect();
        f.write_str(&words.join(" "))
    }
}

/// How the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment.
    Fragment,
    /// As a form that is posted to it (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

impl ResponseMode {
    /// The value of `response_mode`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

impl FromStr for ResponseMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Query, Self::Fragment, Self::FormPost]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                invalid(format!("The response mode '{text}' is not one of query, fragment and form_post."))
            })
    }
}

/// What the authorization endpoint is asked.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The authorization endpoint. It may have a query (RFC 6749 section 3.1), which is kept.
    pub endpoint: String,
    /// The client.
    pub client_id: String,
    /// Where the answer goes; left to what the server has registered when `None`.
    pub redirect_uri: Option<String>,
    /// What is asked for.
    pub response_type: ResponseType,
    /// How the answer comes; as the response type implies when `None`.
    pub response_mode: Option<ResponseMode>,
    /// The permissions asked for, separated by spaces. `openid` is added where an ID token is asked for.
    pub scope: Option<String>,
    /// Whether a code is bound to this client by PKCE with S256 (RFC 7636).
    pub pkce: bool,
    /// Further parameters. `state`, `nonce`, `code_challenge`, `code_challenge_method` and `code_verifier` replace
    /// what is made here otherwise; the last one is never sent.
    pub parameters: Vec<Field>,
    /// The issuer, or the full address of its metadata: the answer must then be of it (RFC 9207), and an ID token is
    /// validated fully.
    pub issuer: Option<String>,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// A request that is ready for the browser, and what its answer is held against.
#[derive(Clone)]
pub struct Authorization {
    url: Url,
    endpoint: String,
    client_id: String,
    redirect_uri: Option<String>,
    response_type: ResponseType,
    response_mode: ResponseMode,
    state: Secret,
    nonce: Option<String>,
    code_verifier: Option<Secret>,
    issuer: Option<String>,
    allow_insecure_http: bool,
    warnings: Vec<String>,
}

/// An answer that was accepted.
#[derive(Debug, Clone)]
pub struct AuthorizationResponse {
    /// The parameters as they came, without `state` and `iss`.
    pub parameters: Vec<Field>,
    /// `expires_in` of an access token in the answer, in seconds.
    pub expires_in: Option<u64>,
    /// When that access token expires by this machine's clock.
    pub expires_at: Option<DateTime<Utc>>,
}

impl AuthorizationRequest {
    /// A request for a code with PKCE.
    ///
    /// ```
    /// use tokenkit::AuthorizationRequest;
    ///
    /// let mut request = AuthorizationRequest::new("https://as.example/authorize?tenant=7", "app");
    /// request.redirect_uri = Some("http://127.0.0.1:8400/".into());
    /// request.scope = Some("openid mail".into());
    /// let authorization = request.prepare()?;
    /// assert!(authorization.url().starts_with(
    ///     "https://as.example/authorize?tenant=7&response_type=code&client_id=app&state="
    /// ));
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn new(endpoint: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            client_id: client_id.into(),
            redirect_uri: None,
            response_type: ResponseType::CODE,
            response_mode: None,
            scope: None,
            pkce: true,
            parameters: Vec::new(),
            issuer: None,
            allow_insecure_http: false,
        }
    }

    /// Makes the address for the browser. State, nonce and verifier come from the system's random generator, unless
    /// the caller gave them.
    ///
    /// # Errors
    /// Input that makes no valid request.
    pub fn prepare(&self) -> Result<Authorization, Error> {
        let mut url = endpoint_url(&self.endpoint, self.allow_insecure_http)?;
        if self.client_id.is_empty() {
            return Err(invalid("The client id is empty."));
        }
        let redirect_uri = self.redirect_uri.as_deref().filter(|uri| !uri.is_empty());
        redirect_uri.map(check_redirect_uri).transpose()?;
        let own = OwnParameters::read(&self.parameters)?;
        let mut warnings = Vec::new();

        let mut scope = self.scope.clone().unwrap_or_default();
        let asks_openid = scope.split_ascii_whitespace().any(|word| word == "openid");
        let is_openid = match self.response_type {
            ResponseType { token: true, code: false, id_token: false } => false,
            ResponseType::CODE => asks_openid,
            _ => true,
        };
        if is_openid && !asks_openid {
            scope = scope.split_ascii_whitespace().chain(["openid"]).collect::<Vec<_>>().join(" ");
            warnings.push(format!(
                "'openid' was added to the scope, as response type {} needs it.",
                self.response_type
            ));
        }
        let response_mode = match own.response_mode {
            Some(_) if self.response_mode.is_some() => return Err(sent_twice("response_mode")),
            Some(mode) => Some(mode.parse()?),
            None => self.response_mode,
        };
        if self.response_type.token {
            warnings.push(format!(
                "Response type {} lets the access token travel through the browser (RFC 9700 section 2.1.2). Prefer code.",
                self.response_type
            ));
        }
        if self.response_type.uses_fragment() && response_mode == Some(ResponseMode::Query) {
            warnings.push("Most servers refuse response mode query for tokens.".into());
        }

        let state = own.state.map_or_else(random_text, Ok)?;
        let nonce = match own.nonce {
            _ if !is_openid => None,
            Some(nonce) => Some(nonce),
            None => Some(random_text()?),
        };
        let pkce = self.pkce && self.response_type.code;
        if !pkce && own.challenge.is_given() {
            warnings.push("The PKCE parameters were left out: without a code, or with PKCE turned off, they have no use.".into());
        }
        let (challenge, code_verifier) =
            if pkce { own.challenge.complete(&mut warnings)?.unzip() } else { (None, None) };
        let (code_challenge, method) = challenge.unzip();

        let response_type = self.response_type.to_string();
        let parameters = [
            ("response_type", Some(Secret::from(response_type))),
            ("client_id", Some(Secret::from(self.client_id.as_str()))),
            ("state", Some(state.clone())),
            ("redirect_uri", redirect_uri.map(Secret::from)),
            ("scope", Some(Secret::from(scope)).filter(|scope| !scope.is_empty())),
            ("nonce", nonce.clone()),
            ("code_challenge", code_challenge),
            ("code_challenge_method", method),
            ("response_mode", response_mode.map(|mode| Secret::from(mode.as_str()))),
        ];
        let parameters = parameters.into_iter().filter_map(|(name, value)| Some(Field::new(name, value?)));
        let further = self.parameters.iter().filter(|field| !OwnParameters::has(&field.name)).cloned();
        let mut names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        for parameter in parameters.chain(further) {
            // RFC 6749 section 3.1: a parameter must not be included more than once.
            if !is_repeatable(&parameter.name) && names.contains(&parameter.name) {
                return Err(sent_twice(&parameter.name));
            }
            let text = text_of(&parameter)?;
            url.query_pairs_mut().append_pair(&parameter.name, text);
            names.push(parameter.name);
        }
        let implied =
            if self.response_type.uses_fragment() { ResponseMode::Fragment } else { ResponseMode::Query };
        Ok(Authorization {
            endpoint: display_url(&url),
            url,
            client_id: self.client_id.clone(),
            redirect_uri: redirect_uri.map(str::to_owned),
            response_type: self.response_type,
            response_mode: response_mode.unwrap_or(implied),
            state,
            nonce: nonce.as_ref().and_then(Secret::expose_str).map(str::to_owned),
            code_verifier: code_verifier.flatten(),
            issuer: self.issuer.clone().filter(|issuer| !issuer.is_empty()),
            allow_insecure_http: self.allow_insecure_http,
            warnings,
        })
    }
}

impl AuthorizationResponse {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.parameters.iter().find(|field| field.name == name).map(|field| &field.value)
    }
}

/// What a caller gives in place of what is made here.
#[derive(Default)]
struct OwnParameters<'a> {
    state: Option<Secret>,
    nonce: Option<Secret>,
    response_mode: Option<&'a str>,
    challenge: OwnChallenge<'a>,
}

#[derive(Default)]
struct OwnChallenge<'a> {
    challenge: Option<&'a str>,
    method: Option<&'a str>,
    verifier: Option<Secret>,
}

impl<'a> OwnParameters<'a> {
    fn has(name: &str) -> bool {
        OWN_PARAMETERS.contains(&name) || name == "response_mode"
    }

    fn read(parameters: &'a [Field]) -> Result<Self, Error> {
        let mut own = Self::default();
        let mut seen = Vec::new();
        for field in parameters.iter().filter(|field| Self::has(&field.name)) {
            let name = field.name.as_str();
            if seen.contains(&name) {
                return Err(sent_twice(name));
            }
            seen.push(name);
            let text = text_of(field)?;
            if text.is_empty() {
                return Err(invalid(format!("The parameter '{name}' is empty.")));
            }
            match name {
                "state" => own.state = Some(field.value.clone()),
                "nonce" => own.nonce = Some(field.value.clone()),
                "code_challenge" => own.challenge.challenge = Some(text),
                "code_challenge_method" => own.challenge.method = Some(text),
                "code_verifier" => own.challenge.verifier = Some(field.value.clone()),
                _ => own.response_mode = Some(text),
            }
        }
        Ok(own)
    }
}

impl OwnChallenge<'_> {
    fn is_given(&self) -> bool {
        self.challenge.is_some() || self.method.is_some() || self.verifier.is_some()
    }

    /// The challenge with its method, and the verifier as far as it is known.
    #[allow(clippy::type_complexity, reason = "two pairs, taken apart at once")]
    fn complete(
        self,
        warnings: &mut Vec<String>,
    ) -> Result<Option<((Secret, Secret), Option<Secret>)>, Error> {
        let s256 = || Secret::from(PkceChallenge::METHOD);
        let Some(challenge) = self.challenge else {
            if self.method.is_some_and(|method| method != PkceChallenge::METHOD) {
                return Err(invalid(
                    "A challenge that is made here has the method S256 (RFC 7636 section 7.2).",
                ));
            }
            let pkce = self.verifier.map_or_else(PkceChallenge::generate, PkceChallenge::from_verifier)?;
            return Ok(Some(((Secret::from(pkce.code_challenge), s256()), Some(pkce.code_verifier))));
        };
        let method = self.method.unwrap_or_else(|| {
            warnings.push("code_challenge came without code_challenge_method: S256 was taken.".into());
            PkceChallenge::METHOD
        });
        if let Some(verifier) = &self.verifier {
            let fits = match method {
                PkceChallenge::METHOD => {
                    PkceChallenge::from_verifier(verifier.clone())?.code_challenge == challenge
                }
                "plain" => verifier.matches(&Secret::from(challenge)),
                _ => true,
            };
            if !fits {
                return Err(invalid("The code_challenge is not that of the code_verifier."));
            }
        }
        Ok(Some(((Secret::from(challenge), Secret::from(method)), self.verifier)))
    }
}

impl Authorization {
    /// The address for the browser. Whoever opens it answers this sign-in, so it is for the user's eyes only.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The same with all values masked that are not known to be public.
    #[must_use]
    pub fn masked_url(&self) -> String {
        let mut shown = self.url.clone();
        shown.query_pairs_mut().clear().extend_pairs(self.url.query_pairs().map(|(name, value)| {
            let value = if PUBLIC_PARAMETERS.contains(&&*name) { value } else { "***".into() };
            (name, value)
        }));
        shown.into()
    }

    /// What the user should know about the request, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The client, for the token request.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The redirect URI that is sent, for the token request.
    #[must_use]
    pub fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// What is asked for.
    #[must_use]
    pub fn response_type(&self) -> ResponseType {
        self.response_type
    }

    /// How the answer comes.
    #[must_use]
    pub fn response_mode(&self) -> ResponseMode {
        self.response_mode
    }

    /// `state`, by which the answer is known.
    #[must_use]
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// `nonce`, for the token request; sent with OpenID Connect only.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The PKCE verifier, for the token request.
    #[must_use]
    pub fn code_verifier(&self) -> Option<&Secret> {
        self.code_verifier.as_ref()
    }

    /// The issuer as the caller named it.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn allow_insecure_http(&self) -> bool {
        self.allow_insecure_http
    }

    /// Reads an answer, received at `now`: its state first, then its issuer against `metadata`, an error, and at last
    /// whether it holds what was asked for. The nonce of an ID token is compared; its signature is not checked here.
    ///
    /// # Errors
    /// [`Error::Authorization`] for an error of the server, [`Error::Token`] for an answer that must not be used.
    pub fn read(
        &self,
        answer: Answer,
        metadata: Option<&Metadata>,
        now: DateTime<Utc>,
    ) -> Result<AuthorizationResponse, Error> {
        self.check_state(&answer)?;
        if let Some(name) = answer.repeated() {
            let message =
                format!("The answer has the parameter '{name}' more than once (RFC 6749 section 3.1).");
            return Err(self.unusable(ErrorCode::UnusableAnswer, message));
        }
        if let Some(metadata) = metadata {
            self.check_issuer(&answer, metadata)?;
        }
        if let Some(error) = answer.text("error") {
            return Err(self.server_error(error, &answer));
        }
        let wanted = [
            (self.response_type.code, "code", ErrorCode::MissingCode),
            (self.response_type.token, "access_token", ErrorCode::MissingAccessToken),
            (self.response_type.id_token, "id_token", ErrorCode::MissingIdToken),
        ];
        for (is_wanted, name, code) in wanted {
            if is_wanted && answer.text(name).is_none() {
                let message = format!(
                    "The answer has no {name}, though response type {} asks for one.",
                    self.response_type
                );
                return Err(self.unusable(code, message));
            }
        }
        if let (Some(nonce), Some(id_token)) = (&self.nonce, answer.text("id_token")) {
            id_token::check_nonce(id_token, nonce, false)
                .map_err(|(code, message)| self.unusable(code, message.to_owned()))?;
        }
        let expires_in = answer.text("expires_in").and_then(|text| text.trim().parse().ok());
        let mut parameters = answer.into_parameters();
        parameters.retain(|field| field.name != "state" && field.name != "iss");
        Ok(AuthorizationResponse { parameters, expires_in, expires_at: expiry(now, expires_in) })
    }

    /// The ID token of an accepted answer and what it is held against, if both the token and its issuer are known.
    pub(crate) fn expected_id_token(
        &self,
        response: &AuthorizationResponse,
    ) -> Option<(Secret, ExpectedIdToken<'_>)> {
        let expected = ExpectedIdToken {
            issuer: self.issuer.as_deref()?,
            client_id: &self.client_id,
            nonce: self.nonce.as_deref(),
            is_refresh: false,
            access_token: response.get("access_token").cloned(),
            code: response.get("code").cloned(),
            from_browser: true,
            secret: None,
            endpoint: self.endpoint.clone(),
            allow_insecure_http: self.allow_insecure_http,
        };
        Some((response.get("id_token")?.clone(), expected))
    }

    /// Whether an answer is that to this request: by its state, exactly (RFC 6749 section 10.12).
    ///
    /// # Errors
    /// [`ErrorCode::StateMismatch`].
    pub fn check_state(&self, answer: &Answer) -> Result<(), Error> {
        if answer.has_state(&self.state) { Ok(()) } else { Err(self.state_mismatch()) }
    }

    pub(crate) fn state_mismatch(&self) -> Error {
        let message = "The state of the answer is not the one that was sent: it belongs to another sign-in.";
        self.unusable(ErrorCode::StateMismatch, message.to_owned())
    }

    /// RFC 9207 section 2.4.
    fn check_issuer(&self, answer: &Answer, metadata: &Metadata) -> Result<(), Error> {
        let what = match answer.text("iss") {
            Some(issuer) if metadata.is_of(issuer) => return Ok(()),
            Some(_) => "is of another issuer than expected",
            // An ID token in the answer names its issuer in its place, and is validated by it.
            None if metadata.names_issuer_in_answers && answer.text("id_token").is_none() => {
                "does not name its issuer, though the server announces that it does"
            }
            None => return Ok(()),
        };
        Err(self.unusable(ErrorCode::IssuerMismatch, format!("The answer {what} (RFC 9207).")))
    }

    fn server_error(&self, error: &str, answer: &Answer) -> Error {
        if !is_error_code(error) {
            let message = "The answer is an error with a malformed code.";
            return self.unusable(ErrorCode::UnusableAnswer, message.to_owned());
        }
        let member = |name| answer.text(name).map(str::to_owned);
        Error::Authorization {
            endpoint: self.endpoint.clone(),
            oauth: Box::new(OAuthError {
                error: error.to_owned(),
                description: member("error_description"),
                uri: member("error_uri"),
            }),
        }
    }

    fn unusable(&self, code: ErrorCode, message: String) -> Error {
        Error::Token { code, message, endpoint: self.endpoint.clone() }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorization").field(&self.masked_url()).finish()
    }
}

fn check_redirect_uri(uri: &str) -> Result<(), Error> {
    let url = Url::parse(uri)
        .map_err(|error| invalid(format!("The redirect URI '{uri}' is no absolute URI: {error}.")))?;
    if url.fragment().is_some() {
        return Err(invalid(format!(
            "The redirect URI '{uri}' has a fragment, which RFC 6749 section 3.1.2 forbids."
        )));
    }
    Ok(())
}

fn text_of(field: &Field) -> Result<&str, Error> {
    field
        .value
        .expose_str()
        .ok_or_else(|| invalid(format!("The parameter '{}' is not text in UTF-8.", field.name)))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidArgument, message)
}
