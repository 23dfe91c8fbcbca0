//! Listening for the answer on this machine (RFC 8252 sections 7.3 and 8.3).
//!
//! Only the one path is answered, under the one host name, and only an answer with the right state ends the wait.
//! What else comes is turned away and waited past: a tab of an earlier attempt, a page that guesses, a connection that
//! stays half open.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

use super::page::Page;
use super::{Answer, Authorization, ResponseMode};
use crate::error::{Error, ErrorCode, TransportError};
use crate::event::{Event, Observer, count_down, deadline};
use crate::secret::Secret;

/// How long a connection may take for the head of its request, and again for the body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the browser may take to fetch the last page.
const LAST_PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest head and the longest body of a request. An answer holds an access token and an ID token at most.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 256 * 1024;

/// Connections at one time; beyond that, the oldest one goes.
const MAX_CONNECTIONS: usize = 64;

/// How many free ports are tried until one is free for both versions of IP.
const PORT_ATTEMPTS: usize = 20;

/// Whether the answer can be listened for.
#[derive(Debug)]
pub enum Loopback {
    /// It is listened for.
    Listening(LoopbackListener),
    /// It cannot be with this redirect URI, for this reason.
    Elsewhere(String),
}

/// Listens for one answer. The port is free again when this is dropped.
#[derive(Debug)]
pub struct LoopbackListener {
    sockets: Vec<TcpListener>,
    redirect_uri: String,
    url: Url,
    authority: Authority,
}

impl LoopbackListener {
    /// Listens on a redirect URI of the form `http://127.0.0.1[:port][/path]`, with `[::1]` or `localhost` in its
    /// place, or on `http://127.0.0.1/` when there is none. A free port is taken when none is given: the server is to
    /// accept any (RFC 8252 section 7.3). `localhost` is listened for on both versions of IP.
    ///
    /// # Errors
    /// [`ErrorCode::PortInUse`], [`ErrorCode::CannotListen`], or an invalid URI.
    ///
    /// ```
    /// use tokenkit::{Loopback, LoopbackListener};
    ///
    /// let Loopback::Listening(listener) = LoopbackListener::bind(Some("http://localhost/callback"))? else { panic!() };
    /// assert!(listener.redirect_uri().starts_with("http://localhost:"));
    /// assert!(listener.redirect_uri().ends_with("/callback"));
    /// assert!(matches!(LoopbackListener::bind(Some("myapp://auth"))?, Loopback::Elsewhere(_)));
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn bind(redirect_uri: Option<&str>) -> Result<Loopback, Error> {
        let given = redirect_uri.filter(|uri| !uri.is_empty()).unwrap_or("http://127.0.0.1/");
        super::check_redirect_uri(given)?;
        let elsewhere = |why: &str| Ok(Loopback::Elsewhere(format!("The redirect URI {given} {why}")));
        let (Ok(url), Some((scheme, rest))) = (Url::parse(given), given.split_once("://")) else {
            return elsewhere("is not one of a web address on this machine.");
        };
        if url.scheme() != "http" {
            return elsewhere("is not plain http, which is what can be listened on.");
        }
        let addresses: &[IpAddr] = match url.host() {
            Some(Host::Domain("localhost")) => {
                &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Some(Host::Ipv4(Ipv4Addr::LOCALHOST)) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
            Some(Host::Ipv6(Ipv6Addr::LOCALHOST)) => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
            _ => {
                return elsewhere(
                    "is not on this machine: its host is none of localhost, 127.0.0.1 and [::1].",
                );
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let invalid = || {
            Error::invalid(
                ErrorCode::InvalidArgument,
                format!("The redirect URI {given} has no valid host and port."),
            )
        };
        let asked = Authority::from_str(authority).map_err(|_| invalid())?;
        if authority.contains('@') || asked.port_u16() == Some(0) {
            return Err(invalid());
        }
        let sockets = match asked.port_u16() {
            Some(port) => listen(addresses, port).map_err(|error| cannot_listen(&error, given, port))?,
            None => listen_anywhere(addresses).map_err(|error| cannot_listen(&error, given, 0))?,
        };
        let port =
            sockets.first().and_then(|socket| socket.local_addr().ok()).map_or(0, |address| address.port());
        // The text of the caller is kept but for the port: servers compare it letter by letter.
        let authority = if asked.port_u16().is_some() {
            authority.to_owned()
        } else {
            format!("{}:{port}", asked.host())
        };
        let redirect_uri = format!("{scheme}://{authority}{tail}");
        Ok(Loopback::Listening(Self {
            sockets,
            url: Url::parse(&redirect_uri).map_err(|_| invalid())?,
            redirect_uri,
            authority: Authority::from_str(&authority).map_err(|_| invalid())?,
        }))
    }

    /// The redirect URI for the request, with the port.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits, as long as `wait` says, for the answer to `authorization`, tells the browser what `complete` made of
    /// it, and returns that. Meanwhile `beside` runs.
    pub(crate) async fn answer<T>(
        self,
        authorization: &Authorization,
        wait: Duration,
        observer: &dyn Observer,
        beside: impl Future<Output = ()>,
        complete: impl AsyncFnOnce(Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = deadline(Instant::now(), wait);
        let sockets = self.sockets.into_iter().map(tokio_listener).collect::<Result<Vec<_>, _>>()?;
        let (accepted, answer) = oneshot::channel();
        let (refused, refusals) = mpsc::unbounded_channel();
        let door = Arc::new(Door {
            authority: self.authority,
            redirect_uri: self.url,
            mode: authorization.response_mode(),
            state: authorization.state().clone(),
            accepted: Mutex::new(Some(accepted)),
            had_wrong_state: AtomicBool::new(false),
            refused,
        });
        let mut server =
            Server { door: door.clone(), sockets, connections: JoinSet::new(), open: VecDeque::new() };

        let sign_in = async {
            let Ok(Ok((answer, browser))) = timeout_at(deadline, answer).await else {
                return Err(if door.had_wrong_state.load(Ordering::Relaxed) {
                    authorization.state_mismatch()
                } else {
                    no_answer(authorization, wait)
                });
            };
            let result = complete(answer).await;
            let page = result.as_ref().map_or_else(Page::failed, |_| Page::SignedIn);
            // A browser that has hung up misses the page only.
            let _ = browser.send(page);
            result
        };
        let result = {
            let serving = server.run();
            let beside = async {
                beside.await;
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                biased;
                result = sign_in => result,
                never = serving => match never {},
                never = tell(refusals, observer) => match never {},
                never = count_down(deadline, observer) => match never {},
                never = beside => match never {},
            }
        };
        server.finish().await;
        result
    }
}

/// An answer with the right state, and where the page for its browser goes.
type Accepted = (Answer, oneshot::Sender<Page>);

/// What all connections share.
struct Door {
    authority: Authority,
    redirect_uri: Url,
    mode: ResponseMode,
    state: Secret,
    /// Taken by the first answer with the right state.
    accepted: Mutex<Option<oneshot::Sender<Accepted>>>,
    had_wrong_state: AtomicBool,
    refused: mpsc::UnboundedSender<&'static str>,
}

/// A connection that can be ended, and whether its request has arrived as a whole.
struct Connection {
    task: AbortHandle,
    has_request: Arc<AtomicBool>,
}

impl Connection {
    /// Whether it has nothing yet that it could be answered.
    fn is_idle(&self) -> bool {
        !self.has_request.load(Ordering::Relaxed)
    }
}

struct Server {
    door: Arc<Door>,
    sockets: Vec<tokio::net::TcpListener>,
    connections: JoinSet<()>,
    open: VecDeque<Connection>,
}

impl Server {
    async fn run(&mut self) -> Infallible {
        loop {
            tokio::select! {
                stream = accept(&self.sockets) => self.serve(stream),
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    fn serve(&mut self, stream: tokio::net::TcpStream) {
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.open.iter().position(Connection::is_idle)
            && let Some(connection) = self.open.remove(oldest)
        {
            connection.task.abort();
        }
        let (door, has_request) = (self.door.clone(), Arc::new(AtomicBool::new(false)));
        let arrived = has_request.clone();
        let task = self.connections.spawn(async move {
            let service = service_fn(|request| {
                let (door, arrived) = (door.clone(), arrived.clone());
                async move { Ok::<_, Infallible>(door.handle(request, &arrived).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(READ_TIMEOUT)
                .max_buf_size(MAX_HEAD)
                .keep_alive(false)
                // An answer counts even if its browser closes the connection at once.
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service);
            // One that breaks has nothing to tell.
            let _ = connection.await;
        });
        self.open.push_back(Connection { task, has_request });
    }

    /// Listens no more, and gives the last pages their time.
    async fn finish(mut self) {
        self.sockets.clear();
        for connection in self.open.iter().filter(|connection| connection.is_idle()) {
            connection.task.abort();
        }
        let ended = async { while self.connections.join_next().await.is_some() {} };
        let _ = timeout(LAST_PAGE_TIMEOUT, ended).await;
    }
}

impl Door {
    async fn handle(&self, request: Request<Incoming>, has_request: &AtomicBool) -> Response<Full<Bytes>> {
        let answer = self.answer_in(request).await;
        has_request.store(true, Ordering::Relaxed);
        let page = match answer {
            Ok(answer) => self.pass(answer).await,
            Err(page) => page,
        };
        page.response()
    }

    /// The answer in a request, or the page that turns the request away.
    async fn answer_in(&self, request: Request<Incoming>) -> Result<Answer, Page> {
        // A name that someone else has pointed here (DNS rebinding) is not the redirect URI's.
        if !self.is_addressed(request.headers()) {
            self.refuse("it was addressed to another host");
            return Err(Page::Refused(StatusCode::MISDIRECTED_REQUEST));
        }
        let query = request.uri().query().unwrap_or_default();
        if request.uri().path() != self.redirect_uri.path() {
            if !query.is_empty() {
                self.refuse("its path is not that of the redirect URI");
            }
            return Err(Page::Refused(StatusCode::NOT_FOUND));
        }
        // The answer is a page that the user sees. Scripts, images and frames of other pages are told apart by what
        // each browser says about them (W3C Fetch Metadata).
        if request.headers().get("sec-fetch-dest").is_some_and(|kind| kind != "document") {
            self.refuse("it came from within another page");
            return Err(Page::Refused(StatusCode::FORBIDDEN));
        }
        let (method, mode) = (request.method().clone(), self.mode);
        let in_query = Answer::from_form(query.as_bytes());
        let answer = match (method, mode) {
            // Some servers always send errors in the query.
            (Method::GET, ResponseMode::Query) => in_query,
            (Method::GET, _) if in_query.has("error") => in_query,
            (Method::GET, ResponseMode::Fragment) => return Err(Page::HandOver),
            (Method::GET, ResponseMode::FormPost) => return Err(Page::NoAnswer),
            (Method::POST, ResponseMode::FormPost) => Answer::from_form(self.form(request).await?.expose()),
            (Method::POST, ResponseMode::Fragment) => {
                let form = Answer::from_form(self.form(request).await?.expose());
                Answer::from_form(form.text("fragment").unwrap_or_default().as_bytes())
            }
            (_, ResponseMode::Query) => return Err(Page::WrongMethod("GET")),
            _ => return Err(Page::WrongMethod("GET, POST")),
        };
        if !answer.has("state") && !answer.has("code") && !answer.has("error") && !answer.has("id_token") {
            return Err(Page::NoAnswer);
        }
        Ok(answer.without_own(&self.redirect_uri))
    }

    /// Gives the first answer with the right state to whoever waits for it; the page that came of it.
    async fn pass(&self, answer: Answer) -> Page {
        if !answer.has_state(&self.state) {
            self.had_wrong_state.store(true, Ordering::Relaxed);
            self.refuse("its state is not the one that was sent, so it belongs to another sign-in");
            return Page::WrongState;
        }
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(accepted) = accepted else {
            self.refuse("the sign-in has its answer already");
            return Page::AlreadyUsed;
        };
        let (browser, page) = oneshot::channel();
        if accepted.send((answer, browser)).is_err() {
            return Page::AlreadyUsed;
        }
        page.await.unwrap_or(Page::AlreadyUsed)
    }

    async fn form(&self, request: Request<Incoming>) -> Result<Secret, Page> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            self.refuse("it is no form");
            return Err(Page::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        match timeout(READ_TIMEOUT, Limited::new(request.into_body(), MAX_BODY).collect()).await {
            Ok(Ok(body)) => Ok(Secret::from(body.to_bytes().to_vec())),
            Ok(Err(_)) => {
                self.refuse("it is too large, or was cut off");
                Err(Page::Refused(StatusCode::PAYLOAD_TOO_LARGE))
            }
            Err(_) => Err(Page::Refused(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    fn is_addressed(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Some(host) = host.to_str().ok().filter(|host| !host.contains('@')) else { return false };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(80);
        Authority::from_str(host).is_ok_and(|host| {
            host.host().eq_ignore_ascii_case(self.authority.host()) && port(&host) == port(&self.authority)
        })
    }

    fn refuse(&self, reason: &'static str) {
        // Nobody listens any more once the sign-in is over.
        let _ = self.refused.send(reason);
    }
}

/// Tells of what was refused, each thing once.
async fn tell(mut refusals: mpsc::UnboundedReceiver<&'static str>, observer: &dyn Observer) -> Infallible {
    let mut told = HashSet::new();
    loop {
        match refusals.recv().await {
            Some(reason) if told.insert(reason) => {
                observer.event(Event::AnswerRefused { reason: reason.to_owned() });
            }
            Some(_) => {}
            None => return std::future::pending().await,
        }
    }
}

async fn accept(sockets: &[tokio::net::TcpListener]) -> tokio::net::TcpStream {
    loop {
        let accepted = std::future::poll_fn(|context| {
            sockets
                .iter()
                .map(|socket| socket.poll_accept(context))
                .find(Poll::is_ready)
                .unwrap_or(Poll::Pending)
        });
        match accepted.await {
            Ok((stream, _)) => return stream,
            // The peer is gone again, or there are no descriptors for a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn listen(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    let mut unavailable = None;
    for address in addresses {
        match TcpListener::bind(SocketAddr::new(*address, port)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                sockets.push(socket);
            }
            Err(error) if is_refused(&error) => return Err(error),
            // Not every machine has both versions of IP.
            Err(error) => unavailable = Some(error),
        }
    }
    match unavailable {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(sockets),
    }
}

/// Listens on one port that is free on all addresses.
fn listen_anywhere(addresses: &[IpAddr]) -> io::Result<Vec<TcpListener>> {
    let mut result = Err(io::Error::from(ErrorKind::AddrInUse));
    for _ in 0..PORT_ATTEMPTS {
        // The system picks a port on the first address that there is; the others follow.
        let probe = addresses.iter().find_map(|address| TcpListener::bind(SocketAddr::new(*address, 0)).ok());
        let Some(probe) = probe else { return Err(ErrorKind::AddrNotAvailable.into()) };
        let first = probe.local_addr()?;
        let others: Vec<_> = addresses.iter().copied().filter(|address| *address != first.ip()).collect();
        result = listen(&others, first.port())
            .or_else(|error| if is_refused(&error) { Err(error) } else { Ok(Vec::new()) });
        if let Ok(sockets) = &mut result {
            probe.set_nonblocking(true)?;
            sockets.insert(0, probe);
            break;
        }
    }
    result
}

/// Whether the address is there, but not for us.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

fn tokio_listener(socket: TcpListener) -> Result<tokio::net::TcpListener, Error> {
    tokio::net::TcpListener::from_std(socket)
        .map_err(|error| Error::internal(format!("The socket cannot be waited on: {error}.")))
}

fn cannot_listen(error: &io::Error, redirect_uri: &str, port: u16) -> Error {
    if error.kind() == ErrorKind::AddrInUse {
        let message = format!("Port {port} of the redirect URI {redirect_uri} is used by another program.");
        return Error::invalid(ErrorCode::PortInUse, message);
    }
    Error::invalid(
        ErrorCode::CannotListen,
        format!("The redirect URI {redirect_uri} cannot be listened on: {error}."),
    )
}

fn no_answer(authorization: &Authorization, wait: Duration) -> Error {
    Error::Transport(Box::new(TransportError {
        code: ErrorCode::Timeout,
        message: format!("the sign-in was not finished within {} s", wait.as_secs_f64()),
        endpoint: authorization.endpoint().to_owned(),
        retryable: true,
        advice: ErrorCode::Timeout.advice(),
    }))
}
