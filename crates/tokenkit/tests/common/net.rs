//! The other end of a connection, where a test needs more than the authorization server gives.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokenkit::{Event, Observer};
use tokio::sync::mpsc;

/// Accepts connections on loopback and counts them.
pub struct Listener {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Listener {
    /// Hands each connection to `serve`, on a thread of its own.
    pub fn new(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, serve) = (connections.clone(), Arc::new(serve));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections }
    }

    /// Reads a request from each connection, writes `answer`, and closes.
    pub fn answering(answer: &'static [u8]) -> Self {
        Self::new(loopback(), move |mut stream| {
            read_request(&mut stream);
            // The client may have hung up already.
            let _ = stream.write_all(answer);
        })
    }

    /// Passes each connection on to `port`.
    pub fn forwarding(listener: TcpListener, port: u16) -> Self {
        Self::new(listener, move |client| {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(from_client, to_server));
            pass_on(server, client);
        })
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

pub fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // Either side may end the connection at any time.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Reads a request with its body and throws it away.
pub fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
}

/// An address that refuses connections, and keeps doing so until something listens there.
pub struct ClosedPort(tokio::net::TcpSocket);

impl ClosedPort {
    pub fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.local_addr().unwrap())
    }

    pub fn open(self) -> TcpListener {
        let listener = self.0.listen(16).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        listener
    }
}

/// Keeps the events of a request.
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    pauses: mpsc::UnboundedSender<Duration>,
}

impl Recorder {
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// The pauses before repeated attempts and polls.
    pub fn pauses(&self) -> Vec<Duration> {
        self.events().iter().filter_map(pause).collect()
    }

    /// How many requests were sent.
    pub fn sent(&self) -> usize {
        self.events().iter().filter(|event| matches!(event, Event::Sending { .. })).count()
    }
}

impl Observer for Recorder {
    fn event(&self, event: Event) {
        if let Some(pause) = pause(&event) {
            self.pauses.send(pause).unwrap();
        }
        self.events.lock().unwrap().push(event);
    }
}

fn pause(event: &Event) -> Option<Duration> {
    match event {
        Event::Retrying { delay, .. } => Some(*delay),
        Event::Pending { interval, .. } => Some(*interval),
        _ => None,
    }
}

/// Runs a request whose pauses take no time: the clock is put forward when one begins, after `at_pause` was
/// called with its number. For tests on a single thread.
pub async fn without_pauses<T, F: Future<Output = T>>(
    request: impl FnOnce(Arc<Recorder>) -> F,
    mut at_pause: impl FnMut(usize),
) -> (T, Arc<Recorder>) {
    let (sender, mut pauses) = mpsc::unbounded_channel();
    let recorder = Arc::new(Recorder { events: Mutex::default(), pauses: sender });
    let mut request = pin!(request(recorder.clone()));
    let mut number = 0;
    loop {
        tokio::select! {
            biased;
            result = &mut request => return (result, recorder),
            Some(pause) = pauses.recv() => {
                number += 1;
                at_pause(number);
                tokio::time::pause();
                // Timers count in whole milliseconds, rounded up.
                tokio::time::advance(pause + Duration::from_millis(2)).await;
                tokio::time::resume();
            }
        }
    }
}
