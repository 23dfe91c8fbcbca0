//! Answers that no well-behaved server gives: connections that end, stall or lie about what they carry.
//!
//! They have three ports of their own, since an HTTP library would refuse to send most of them: one for HTTP/1.1, one
//! for HTTP/2 over TLS, and one where nobody listens. A fault has a name, which is a segment of the paths it is for;
//! each connection carries one request.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::record::{Open, RecordedRequest, Scheme};
use crate::state::AppState;

/// What goes wrong. The request has been read and recorded before.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nobody listens.
    Refuse,
    /// The connection is reset (TCP RST).
    Reset(Place),
    /// Nothing more comes, and the connection stays.
    Stall(Place),
    /// The connection is closed.
    Close(Place),
    /// The header `Content-Length` has this value.
    ContentLength(String),
    /// The body is announced as chunked and is not.
    ChunkedGarbage,
    /// The body is chunked, and the last chunk is missing.
    ChunkedUnfinished,
    /// The body is gzip that nobody asked for, half a megabyte for 80 of zeros.
    GzipBomb,
    /// The body is one text of 100 MB, with or without a `Content-Length`.
    Huge {
        /// With.
        announced: bool,
    },
    /// The body is JSON of 100,000 levels.
    DeepJson,
    /// The body begins with a byte order mark in UTF-8 (EF BB BF).
    ByteOrderMark,
    /// The body is UTF-16, and the header says so.
    Utf16,
    /// The body is JSON in ISO 8859-1, and the header says UTF-8.
    Latin1,
    /// A header's value holds a NUL.
    NulInHeader,
    /// There is a NUL behind the body.
    NulInBody,
    /// So many interim responses (103) come before the answer.
    Interim(u32),
    /// The protocol is switched (101), though nobody asked.
    SwitchingProtocols,
    /// So many headers come with the answer.
    Headers(u32),
    /// The answer is no HTTP.
    NoHttp,
    /// A redirect; without a target to the same address.
    Redirect {
        /// The HTTP status code.
        status: u16,
        /// The header `Location`.
        target: Option<String>,
    },
    /// An error without a body.
    Status {
        /// The HTTP status code.
        status: u16,
        /// The header `Retry-After`.
        retry_after: Option<String>,
    },
    /// The answer is good, but the clock behind its header `Date` is not.
    Date(String),
    /// HTTP/2: the server ends the connection (GOAWAY) with this error code and has not worked on the request.
    GoAway(u32),
    /// HTTP/2: the server ends the request (`RST_STREAM`) with this error code.
    ResetStream {
        /// The error code.
        reason: u32,
        /// Before the headers of the answer, or in its body.
        place: Place,
    },
}

/// Where in an answer something happens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before its first byte.
    Start,
    /// Between two headers.
    Headers,
    /// In the middle of its body.
    Body,
}

/// What is left to do for an answer.
enum Step {
    Write(Vec<u8>),
    /// So many times.
    Repeat(Vec<u8>, u32),
    /// Until the peer hangs up.
    Stall,
    Reset,
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n";

impl Fault {
    fn is_http2(&self) -> bool {
        matches!(self, Self::GoAway(_) | Self::ResetStream { .. })
    }

    /// The answer, whose body would be `body` if nothing went wrong. At its end the connection is closed.
    fn steps(&self, body: &[u8], path: &str) -> Vec<Step> {
        let text = |text: &str| Step::Write(text.as_bytes().to_vec());
        let with = |headers: &str, body: &[u8]| {
            let length = body.len();
            Step::Write(
                [format!("{HEAD}{headers}Content-Length: {length}\r\n\r\n").as_bytes(), body].concat(),
            )
        };
        let raw = |headers: &str, body: &[u8]| {
            Step::Write([format!("{HEAD}{headers}\r\n").as_bytes(), body].concat())
        };
        match self {
            Self::Refuse | Self::GoAway(_) | Self::ResetStream { .. } => vec![],
            Self::Reset(place) => vec![until(*place, body), Step::Reset],
            Self::Stall(place) => vec![until(*place, body), Step::Stall],
            Self::Close(place) => vec![until(*place, body)],
            Self::ContentLength(value) => vec![raw(&format!("Content-Length: {value}\r\n"), body)],
            Self::ChunkedGarbage => vec![raw("Transfer-Encoding: chunked\r\n", b"not a length\r\n{}\r\n")],
            Self::ChunkedUnfinished => {
                let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
                vec![raw("Transfer-Encoding: chunked\r\n", &chunk)]
            }
            Self::GzipBomb => vec![with("Content-Encoding: gzip\r\n", &gzip_bomb())],
            Self::Huge { announced } => {
                let (start, part, parts) = (b"{\"access_token\":\"", vec![b'a'; 1_000_000], 100);
                let length = start.len() + part.len() * parts as usize + 2;
                let headers =
                    if *announced { format!("Content-Length: {length}\r\n") } else { String::new() };
                vec![raw(&headers, start), Step::Repeat(part, parts), text("\"}")]
            }
            Self::DeepJson => vec![with("", &b"{\"a\":".repeat(100_000))],
            Self::ByteOrderMark => vec![with("", &["\u{feff}".as_bytes(), body].concat())],
            Self::Utf16 => {
                let units = "\u{feff}"
                    .encode_utf16()
                    .chain(String::from_utf8_lossy(body).encode_utf16().collect::<Vec<_>>());
                let body: Vec<_> = units.flat_map(u16::to_le_bytes).collect();
                vec![with("Content-Type: application/json; charset=utf-16\r\n", &body)]
            }
            Self::Latin1 => {
                vec![with("Content-Type: application/json; charset=utf-8\r\n", b"{\"a\":\"\xe4\"}")]
            }
            Self::NulInHeader => vec![with("X-Nul: a\0b\r\n", body)],
            Self::NulInBody => vec![with("", &[body, b"\0"].concat())],
            Self::Interim(count) => {
                let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
                vec![Step::Repeat(interim.to_vec(), *count), with("", body)]
            }
            Self::SwitchingProtocols => {
                vec![text("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n")]
            }
            Self::Headers(count) => {
                vec![text(HEAD), Step::Repeat(b"X-Flood: 0123456789\r\n".to_vec(), *count), text("\r\n")]
            }
            Self::NoHttp => vec![text("SSH-2.0-OpenSSH_9.0\r\n")],
            Self::Redirect { status, target } => {
                let target = target.as_deref().unwrap_or(path);
                vec![text(&format!(
                    "HTTP/1.1 {status} Redirect\r\nConnection: close\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
                ))]
            }
            Self::Status { status, retry_after } => {
                let header = retry_after.iter().map(|value| format!("Retry-After: {value}\r\n"));
                let header: String = header.collect();
                vec![text(&format!(
                    "HTTP/1.1 {status} Fault\r\nConnection: close\r\n{header}Content-Length: 0\r\n\r\n"
                ))]
            }
            Self::Date(date) => vec![with(&format!("Date: {date}\r\nExpires: {date}\r\n"), body)],
        }
    }
}

/// The beginning of a good answer.
fn until(place: Place, body: &[u8]) -> Step {
    let head = format!("{HEAD}Content-Length: {}\r\n\r\n", body.len());
    Step::Write(match place {
        Place::Start => vec![],
        Place::Headers => HEAD.as_bytes()[..HEAD.len() - 9].to_vec(),
        Place::Body => [head.as_bytes(), &body[..body.len() / 2]].concat(),
    })
}

/// One deflate block with fixed codes (RFC 1951 section 3.2.6): a zero, then "258 times the same again".
fn gzip_bomb() -> Vec<u8> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut bits = 0;
    let mut push = |code: &str| {
        for digit in code.bytes() {
            if bits % 8 == 0 {
                gzip.push(0);
            }
            if let Some(last) = gzip.last_mut() {
                *last |= u8::from(digit == b'1') << (bits % 8);
            }
            bits += 1;
        }
    };
    push("1");
    push("10");
    push("00110000");
    for _ in 0..(500_000 * 8 / 13) {
        push("1100010100000");
    }
    push("0000000");
    gzip
}

/// The ports of the faults.
#[derive(Debug)]
pub(crate) struct Ports {
    http: SocketAddr,
    http2: SocketAddr,
    /// Bound, so that nobody else gets it, but nobody listens.
    closed: TcpSocket,
}

impl Ports {
    /// Where a fault of this name is met.
    pub(crate) fn url(&self, fault: &Fault, name: &str) -> io::Result<String> {
        Ok(match fault {
            Fault::Refuse => format!("http://{}/{name}", self.closed.local_addr()?),
            fault if fault.is_http2() => format!("https://{}/{name}", self.http2),
            _ => format!("http://{}/{name}", self.http),
        })
    }
}

/// Sockets for the ports, which [`serve`] puts to use.
pub(crate) struct Sockets {
    http: TcpListener,
    http2: TcpListener,
}

/// Takes free ports. Called inside a runtime.
pub(crate) fn bind() -> io::Result<(Ports, Sockets)> {
    let sockets = Sockets {
        http: TcpListener::from_std(crate::bind()?)?,
        http2: TcpListener::from_std(crate::bind()?)?,
    };
    let closed = TcpSocket::new_v4()?;
    closed.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let ports = Ports { http: sockets.http.local_addr()?, http2: sockets.http2.local_addr()?, closed };
    Ok((ports, sockets))
}

/// Serves the faults. Called inside a runtime, whose end is theirs.
pub(crate) fn serve(sockets: Sockets, state: &Arc<AppState>, mut tls: rustls::ServerConfig) {
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsAcceptor::from(Arc::new(tls));
    let shared = state.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets.http.accept().await {
            let state = shared.clone();
            // An error only says that the peer hung up.
            tokio::spawn(async move { drop(answer(&state, stream).await) });
        }
    });
    let shared = state.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets.http2.accept().await {
            let (state, tls) = (shared.clone(), tls.clone());
            tokio::spawn(async move { drop(answer_http2(&state, stream, &tls).await) });
        }
    });
}

/// Sets what happens on paths with the segment `name`, and tells where that is.
pub(crate) fn set(state: &AppState, name: &str, fault: Fault, body: Vec<u8>) -> io::Result<String> {
    let url = state.fault_ports.url(&fault, name)?;
    state.store().faults.insert(name.to_owned(), (fault, body));
    Ok(url)
}

/// The fault for a path, and what the body would be without it.
fn find(state: &AppState, path: &str) -> Option<(Fault, Vec<u8>)> {
    let store = state.store();
    path.split(['/', '?']).find_map(|segment| store.faults.get(segment).cloned())
}

async fn answer(state: &Arc<AppState>, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let _open = Open::new(state.clone());
    let request = read(&mut stream).await?;
    let path = request.path.clone();
    state.store().requests.push(request);
    let Some((fault, body)) = find(state, &path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    };
    for step in fault.steps(&body, &path) {
        match step {
            Step::Write(bytes) => stream.write_all(&bytes).await?,
            Step::Repeat(bytes, times) => {
                for number in 1..=times {
                    stream.write_all(&bytes).await?;
                    // Both sides share one machine, which an endless answer must not take for itself.
                    if number % 64 == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            Step::Stall => while stream.read(&mut [0; 512]).await? > 0 {},
            Step::Reset => {
                // What was written before shall arrive before the reset.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return stream.set_zero_linger();
            }
        }
    }
    stream.shutdown().await?;
    // Closed with unread bytes, the socket would send a reset after all.
    while stream.read(&mut [0; 512]).await? > 0 {}
    Ok(())
}

/// Reads a request with its body.
async fn read(stream: &mut TcpStream) -> io::Result<RecordedRequest> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, path, version) = (words.next(), words.next(), words.next());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let start = head.len() + 4;
        if bytes.len() >= start + length {
            return Ok(RecordedRequest {
                method: method.unwrap_or_default(),
                path: path.unwrap_or_default(),
                http_version: version.unwrap_or_default(),
                headers,
                body: bytes[start..start + length].to_vec(),
                via_proxy: false,
                proxy_authorization: None,
                scheme: Scheme::Http,
            });
        }
    }
}

async fn answer_http2(state: &Arc<AppState>, stream: TcpStream, tls: &TlsAcceptor) -> io::Result<()> {
    let _open = Open::new(state.clone());
    let stream = tls.accept(stream).await?;
    let mut connection = h2::server::handshake(stream).await.map_err(io::Error::other)?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request.map_err(io::Error::other)?;
        let fault = find(state, request.uri().path());
        state.store().requests.push(recorded(&request));
        match fault {
            Some((Fault::GoAway(code), _)) => connection.abrupt_shutdown(Reason::from(code)),
            Some((Fault::ResetStream { reason, place }, body)) => {
                reset_stream(respond, Reason::from(reason), place, body).map_err(io::Error::other)?;
            }
            _ => drop(respond),
        }
    }
    Ok(())
}

fn reset_stream(
    mut respond: SendResponse<Bytes>,
    reason: Reason,
    place: Place,
    mut body: Vec<u8>,
) -> Result<(), h2::Error> {
    if place == Place::Start {
        respond.send_reset(reason);
        return Ok(());
    }
    let mut sender = respond.send_response(Response::new(()), false)?;
    if place == Place::Body {
        body.truncate(body.len() / 2);
        sender.send_data(body.into(), false)?;
    }
    tokio::spawn(async move {
        // As above: the reset would overtake what is still to be written.
        tokio::time::sleep(Duration::from_millis(20)).await;
        sender.send_reset(reason);
    });
    Ok(())
}

fn recorded(request: &Request<RecvStream>) -> RecordedRequest {
    let headers = request.headers().iter();
    RecordedRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        http_version: "HTTP/2.0".to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: Vec::new(),
        via_proxy: false,
        proxy_authorization: None,
        scheme: Scheme::Https,
    }
}
