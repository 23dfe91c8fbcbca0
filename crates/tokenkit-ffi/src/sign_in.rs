//! Requests and responses of the browser and device sign-in and of the userinfo endpoint, as both doors see them; the
//! rules are those of [`dto`](crate::dto).

use std::time::Duration;

use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::jwt::decode_unverified;
use tokenkit::{
    Answer, Authorization, Browser, Client, Error, ErrorCode, HttpConfig, Loopback, LoopbackListener,
    Observer, ResponseMode, ResponseType, Secret,
};
use zeroize::Zeroize as _;

use crate::dto::{ClientAuthentication, Header, HttpOptions, Parameter, Resources, SecretInput, invalid};

/// How long a user has for a sign-in where no limit is given.
const SIGN_IN_TIMEOUT: Duration = Duration::from_mins(5);

/// A request to the authorization endpoint (RFC 6749 section 4.1.1).
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationRequest {
    /// The authorization endpoint. It may have a query, which is kept.
    pub endpoint: String,
    /// The client.
    pub client_id: String,
    /// Where the answer goes. Without one, and when `listen` is set, `http://127.0.0.1` with a free port.
    pub redirect_uri: Option<String>,
    /// What is asked for: `code`, `token`, `id_token` or several with spaces between them; `code` when absent.
    pub response_type: Option<String>,
    /// How the answer comes: `query`, `fragment` or `form_post`; what the response type implies when absent.
    pub response_mode: Option<String>,
    /// The permissions asked for, separated by spaces.
    pub scope: Option<String>,
    /// Whether PKCE is left out (RFC 7636).
    #[serde(default)]
    pub without_pkce: bool,
    /// Further parameters. `state`, `nonce`, `code_challenge`, `code_challenge_method` and `code_verifier` take the
    /// place of those that are made here; the last one is not sent.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The issuer, or the full address of its metadata: the answer is then checked to be of it (RFC 9207), and an ID
    /// token is validated fully.
    pub issuer: Option<String>,
    /// Whether the answer shall be listened for here, if the redirect URI allows that. .NET only.
    #[serde(skip)]
    pub listen: bool,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How requests for metadata and keys travel.
    #[serde(default)]
    pub http: HttpOptions,
}

/// An authorization request that is ready for the browser.
#[ffi]
#[derive(Serialize)]
pub struct PreparedAuthorization {
    /// The address to open, in full. Whoever answers it signs in, so it belongs before the user and into no log.
    pub url: String,
    /// The same fit for logs: the values of state, nonce, challenge, hints and the like are masked.
    pub masked_url: String,
    /// The redirect URI with the port that is listened on.
    pub redirect_uri: Option<String>,
    /// Whether the answer is listened for.
    pub listening: bool,
    /// Why it is not, in one sentence.
    pub not_listening: Option<String>,
    /// What the user should know about the request, a sentence each: `openid` added to the scope, tokens that travel
    /// through the browser.
    pub warnings: Vec<String>,
    /// `state`: for the completion in C.
    pub state: String,
    /// `nonce`, if one is sent.
    pub nonce: Option<String>,
    /// `code_verifier`, if there is one: for the completion in C, and for the token request.
    pub code_verifier: Option<String>,
}

/// How the browser is started, and how long the user is waited for.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignInOptions {
    /// The browser.
    pub browser: BrowserOptions,
    /// Milliseconds that the user has; 5 minutes when absent.
    pub timeout_ms: Option<u64>,
}

/// How a browser is started.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrowserOptions {
    /// Whether none is started.
    pub disabled: bool,
    /// The command to start: a program and its arguments, quoted as in a shell, which there is none. `%s` stands for
    /// the address, which is added at the end otherwise. When absent, `BROWSER` of the environment is tried, then the
    /// system's own browser.
    pub command: Option<String>,
    /// The environment of the host, for the browser and to see whether there is a screen; that of the process when
    /// empty.
    pub environment: Vec<Variable>,
}

/// A variable of the environment.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `value` in JSON.
    #[serde(rename = "value")]
    pub content: String,
}

/// An answer of the authorization endpoint that belongs to a request, and was accepted.
#[ffi]
#[derive(Serialize)]
pub struct AuthorizationResponse {
    /// The parameters as they came, without `state` and `iss`.
    pub parameters: Vec<ResponseParameter>,
    /// The response type in its usual order, such as `code` or `code id_token`.
    pub response_type: String,
    /// Whether it is a sign-in of OpenID Connect, with a nonce.
    pub is_openid: bool,
    /// The client, for the token request.
    pub client_id: String,
    /// The redirect URI that was sent, for the token request.
    pub redirect_uri: Option<String>,
    /// The nonce that was sent, for the token request.
    pub nonce: Option<String>,
    /// The PKCE verifier, for the token request.
    pub code_verifier: Option<String>,
    /// `expires_in` of an access token in the answer, in seconds.
    pub expires_in: Option<u64>,
    /// When that access token expires by this machine's clock: Unix time in milliseconds.
    pub expires_at_ms: Option<i64>,
}

/// A parameter of an answer.
#[ffi]
#[derive(Serialize)]
pub struct ResponseParameter {
    /// Its name.
    pub name: String,
    /// Its value; `value` in JSON.
    #[serde(rename = "value")]
    pub content: String,
}

/// The completion of an authorization request with an answer that the user brought.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationCompletion {
    /// The request as it was prepared.
    pub request: AuthorizationRequest,
    /// `state` of the prepared request.
    pub state: SecretInput,
    /// `nonce` of the prepared request.
    pub nonce: Option<SecretInput>,
    /// `code_verifier` of the prepared request.
    pub code_verifier: Option<SecretInput>,
    /// The address that the browser was sent to.
    pub answer: SecretInput,
}

/// A sign-in from its start to its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The request.
    pub request: AuthorizationRequest,
    /// Browser and time limit.
    #[serde(default)]
    pub options: SignInOptions,
}

/// A request to the device authorization endpoint (RFC 8628 section 3.1).
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceAuthorizationRequest {
    /// The device authorization endpoint.
    pub endpoint: String,
    /// The client.
    pub client_id: Option<String>,
    /// The permissions asked for, separated by spaces.
    pub scope: Option<String>,
    /// How the client proves who it is.
    #[serde(default)]
    pub authentication: ClientAuthentication,
    /// Further form fields.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Further headers.
    #[serde(default)]
    pub headers: Vec<Parameter>,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// What the device authorization endpoint answered (RFC 8628 section 3.2).
#[ffi]
#[derive(Serialize)]
pub struct DeviceAuthorizationResponse {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received.
    pub headers: Vec<Header>,
    /// The server's JSON object as text, untouched.
    pub body: String,
    /// `device_code`: secret, for the token request.
    pub device_code: String,
    /// `user_code`, which the user types in.
    pub user_code: String,
    /// `verification_uri`, where the user does so; also under its older name `verification_url`.
    pub verification_uri: String,
    /// `verification_uri_complete`, which holds the code (RFC 8628 section 3.3.1).
    pub verification_uri_complete: Option<String>,
    /// `expires_in` in seconds.
    pub expires_in: u32,
    /// When the codes expire by this machine's clock: Unix time in milliseconds.
    pub expires_at_ms: i64,
    /// `interval` in seconds; 5 where the server named none.
    pub interval: u32,
    /// What the user has to do: the server's `message`, or one that was made here.
    pub message: String,
}

/// An address to show to the user.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// The address: http or https.
    pub url: String,
    /// The browser.
    #[serde(default)]
    pub browser: BrowserOptions,
}

/// Whether a browser was started.
#[ffi]
#[derive(Serialize)]
pub struct OpenResult {
    /// Whether one was.
    pub started: bool,
    /// Which one, or why none.
    pub text: String,
}

/// A request to the userinfo endpoint (OpenID Connect Core section 5.3.1).
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserInfoRequest {
    /// The userinfo endpoint; that of the issuer's metadata when absent.
    pub endpoint: Option<String>,
    /// The issuer, or the full address of its metadata. Needed without an endpoint, and to verify a signed answer.
    pub issuer: Option<String>,
    /// The access token.
    pub access_token: SecretInput,
    /// The client: the audience of a signed answer. Not compared when absent.
    pub client_id: Option<String>,
    /// The subject that the answer must be about.
    pub subject: Option<String>,
    /// An ID token whose subject the answer must be about.
    pub id_token: Option<SecretInput>,
    /// Further headers.
    #[serde(default)]
    pub headers: Vec<Parameter>,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// What the userinfo endpoint said.
#[ffi]
#[derive(Serialize)]
pub struct UserInfoResponse {
    /// The claims: a JSON object in text.
    pub claims: String,
    /// Whether they came in a JWT that the issuer signed, and whose signature was verified.
    pub is_signed: bool,
}

/// A text to draw as QR code.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QrRequest {
    /// The text.
    pub text: String,
}

/// A QR code for the terminal.
#[ffi]
#[derive(Serialize)]
pub struct QrCode {
    /// Its lines, of equal width.
    pub lines: Vec<String>,
    /// Their width in columns.
    pub width: u32,
}

/// A prepared request that waits for its answer.
pub(crate) struct Pending {
    pub(crate) authorization: Authorization,
    pub(crate) listener: Option<LoopbackListener>,
    pub(crate) answer: Option<Answer>,
    pub(crate) http: HttpConfig,
}

impl AuthorizationRequest {
    pub(crate) fn prepare(self, resources: &Resources) -> Result<(PreparedAuthorization, Pending), Error> {
        let given = self.redirect_uri.filter(|uri| !uri.is_empty());
        let (listener, not_listening) = if self.listen {
            match LoopbackListener::bind(given.as_deref())? {
                Loopback::Listening(listener) => (Some(listener), None),
                Loopback::Elsewhere(reason) => (None, Some(reason)),
            }
        } else {
            (None, Some("The answer is not to be listened for.".to_owned()))
        };
        let redirect_uri = listener.as_ref().map(|listener| listener.redirect_uri().to_owned()).or(given);
        let request = tokenkit::AuthorizationRequest {
            endpoint: self.endpoint,
            client_id: self.client_id,
            redirect_uri,
            response_type: self.response_type.as_deref().map_or(Ok(ResponseType::CODE), str::parse)?,
            response_mode: self
                .response_mode
                .filter(|mode| !mode.is_empty())
                .map(|mode| mode.parse())
                .transpose()?,
            scope: self.scope,
            pkce: !self.without_pkce,
            parameters: resources.fields(self.parameters)?,
            issuer: self.issuer,
            allow_insecure_http: self.allow_insecure_http,
        };
        let authorization = request.prepare()?;
        if let (ResponseMode::FormPost, Some(reason)) = (authorization.response_mode(), &not_listening) {
            return Err(invalid(format!(
                "With response mode form_post the answer can only be listened for. {reason}"
            )));
        }
        let prepared = PreparedAuthorization {
            url: authorization.url().to_owned(),
            masked_url: authorization.masked_url(),
            redirect_uri: authorization.redirect_uri().map(str::to_owned),
            listening: listener.is_some(),
            not_listening,
            warnings: authorization.warnings().to_vec(),
            state: text(authorization.state()),
            nonce: authorization.nonce().map(str::to_owned),
            code_verifier: authorization.code_verifier().map(text),
        };
        let http = self.http.into_core(resources)?;
        Ok((prepared, Pending { authorization, listener, answer: None, http }))
    }
}

impl Pending {
    /// Takes an answer that the user brought.
    pub(crate) fn accept(&mut self, pasted: &str) -> Result<(), Error> {
        self.answer = Some(self.authorization.read_redirect(pasted)?);
        Ok(())
    }

    /// Listens for the answer.
    pub(crate) async fn authorize(
        self,
        options: SignInOptions,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<AuthorizationResponse, Error> {
        let listener = self.listener.ok_or_else(|| invalid("The answer is not listened for.".into()))?;
        let wait = options.timeout_ms.map_or(SIGN_IN_TIMEOUT, Duration::from_millis);
        let browser = options.browser.into_core();
        let response =
            client.authorize(&self.authorization, listener, &browser, wait, &self.http, observer).await?;
        Ok(AuthorizationResponse::new(&self.authorization, &response))
    }

    /// Completes the request with the answer that was accepted.
    pub(crate) async fn complete(
        self,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<AuthorizationResponse, Error> {
        let answer = self.answer.ok_or_else(|| invalid("No answer was accepted yet.".into()))?;
        let response =
            client.complete_authorization(&self.authorization, answer, &self.http, observer).await?;
        Ok(AuthorizationResponse::new(&self.authorization, &response))
    }
}

impl AuthorizationResponse {
    fn new(authorization: &Authorization, response: &tokenkit::AuthorizationResponse) -> Self {
        let parameters = response.parameters.iter();
        Self {
            parameters: parameters
                .map(|field| ResponseParameter { name: field.name.clone(), content: text(&field.value) })
                .collect(),
            response_type: authorization.response_type().to_string(),
            is_openid: authorization.nonce().is_some(),
            client_id: authorization.client_id().to_owned(),
            redirect_uri: authorization.redirect_uri().map(str::to_owned),
            nonce: authorization.nonce().map(str::to_owned),
            code_verifier: authorization.code_verifier().map(text),
            expires_in: response.expires_in,
            expires_at_ms: response.expires_at.map(|time| time.timestamp_millis()),
        }
    }
}

impl AuthorizationCompletion {
    pub(crate) async fn complete(mut self, client: &Client) -> Result<AuthorizationResponse, Error> {
        let own = [("state", Some(self.state)), ("nonce", self.nonce), ("code_verifier", self.code_verifier)];
        let names: Vec<_> = own.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        self.request.parameters.retain(|parameter| !names.contains(&parameter.name.as_str()));
        for (name, content) in own {
            let parameter = content.map(|content| Parameter { name: name.to_owned(), content });
            self.request.parameters.extend(parameter);
        }
        let resources = Resources::default();
        let (_, mut pending) = self.request.prepare(&resources)?;
        let answer = resources.secret(self.answer)?;
        pending.accept(answer.expose_str().unwrap_or_default())?;
        pending.complete(client, &()).await
    }
}

/// Signs in. Nobody could be shown the address: so a browser that does not start is a failure.
pub(crate) async fn sign_in(
    mut request: SignInRequest,
    client: &Client,
) -> Result<AuthorizationResponse, Error> {
    let watch = BrowserWatch::default();
    request.request.listen = true;
    let (prepared, pending) = request.request.prepare(&Resources::default())?;
    if let Some(reason) = &prepared.not_listening {
        return Err(Error::InvalidInput { code: ErrorCode::CannotListen, message: reason.clone() });
    }
    tokio::select! {
        biased;
        result = pending.authorize(request.options, client, &watch) => result,
        () = watch.failed.notified() => Err(Error::InvalidInput {
            code: ErrorCode::BrowserNotStarted,
            message: "No browser was started.".into(),
        }),
    }
}

/// Notices that no browser was started.
#[derive(Default)]
struct BrowserWatch {
    failed: tokio::sync::Notify,
}

impl Observer for BrowserWatch {
    fn event(&self, event: tokenkit::Event) {
        if let tokenkit::Event::BrowserNotStarted { .. } = event {
            self.failed.notify_one();
        }
    }
}

impl BrowserOptions {
    fn into_core(self) -> Browser {
        Browser {
            disabled: self.disabled,
            command: self.command.filter(|command| !command.trim().is_empty()),
            environment: self.environment.into_iter().map(|item| (item.name, item.content)).collect(),
        }
    }
}

impl OpenRequest {
    pub(crate) async fn open(self) -> OpenResult {
        match self.browser.into_core().open(&self.url).await {
            Ok(program) => OpenResult { started: true, text: program },
            Err(reason) => OpenResult { started: false, text: reason },
        }
    }
}

impl DeviceAuthorizationRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<DeviceAuthorizationResponse, Error> {
        let http = self.http.into_core(resources)?;
        let request = tokenkit::DeviceAuthorizationRequest {
            endpoint: self.endpoint,
            client_id: self.client_id,
            scope: self.scope,
            authentication: self.authentication.into_core(resources)?,
            parameters: resources.fields(self.parameters)?,
            headers: resources.fields(self.headers)?,
            allow_insecure_http: self.allow_insecure_http,
        };
        let response = client.device_authorization(&request, &http, observer).await?;
        let whole = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Ok(DeviceAuthorizationResponse {
            status: response.status,
            headers: Header::list(&response.headers),
            body: text(&response.body),
            device_code: text(&response.device_code),
            user_code: response.user_code,
            verification_uri: response.verification_uri,
            verification_uri_complete: response.verification_uri_complete,
            expires_in: whole(response.polling.expires_in),
            expires_at_ms: response.expires_at.timestamp_millis(),
            interval: whole(response.polling.interval),
            message: response.message,
        })
    }
}

impl UserInfoRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<UserInfoResponse, Error> {
        let http = self.http.into_core(resources)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let subject = match resources.optional(self.id_token)? {
            Some(token) => Some(subject_of(&token, given(self.subject))?),
            None => given(self.subject),
        };
        let request = tokenkit::UserInfoRequest {
            endpoint: given(self.endpoint),
            issuer: given(self.issuer),
            access_token: resources.secret(self.access_token)?,
            client_id: given(self.client_id),
            subject,
            headers: resources.fields(self.headers)?,
            allow_insecure_http: self.allow_insecure_http,
        };
        let answer = client.user_info(&request, &http, observer).await?;
        Ok(UserInfoResponse { claims: answer.claims, is_signed: answer.is_signed })
    }
}

/// The subject of an ID token, which must be `expected` if that is given, too.
fn subject_of(id_token: &Secret, expected: Option<String>) -> Result<String, Error> {
    let malformed = |message: String| Error::InvalidInput { code: ErrorCode::MalformedToken, message };
    let jwt = decode_unverified(id_token.expose_str().unwrap_or_default())
        .map_err(|error| malformed(format!("The ID token cannot be read: {error}.")))?;
    let subject = jwt.claims.get("sub").and_then(serde_json::Value::as_str);
    let subject = subject.ok_or_else(|| malformed("The ID token has no subject (sub).".into()))?;
    if expected.is_some_and(|expected| expected != subject) {
        return Err(invalid("The ID token is about another subject than the one that is given.".into()));
    }
    Ok(subject.to_owned())
}

impl QrRequest {
    pub(crate) fn draw(&self) -> Result<QrCode, Error> {
        let lines = tokenkit::qr_code(&self.text)?;
        let width = lines.first().map_or(0, |line| line.chars().count());
        Ok(QrCode { lines, width: u32::try_from(width).unwrap_or(u32::MAX) })
    }
}

/// What came as text.
fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

impl Drop for PreparedAuthorization {
    fn drop(&mut self) {
        self.code_verifier.zeroize();
    }
}

impl Drop for AuthorizationResponse {
    fn drop(&mut self) {
        for parameter in &mut self.parameters {
            parameter.content.zeroize();
        }
        self.code_verifier.zeroize();
    }
}

impl Drop for DeviceAuthorizationResponse {
    fn drop(&mut self) {
        self.body.zeroize();
        self.device_code.zeroize();
    }
}
