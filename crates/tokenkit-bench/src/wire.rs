//! Token requests: bytes on a socket, raw reqwest, the core crate.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokenkit::{Client, ClientAuthentication, Grant, HttpConfig, Secret, TokenRequest};
use tokio::runtime::{self, Runtime};
use tokio::task::JoinSet;

use crate::{Outcome, timed};

const FORM: &str =
    "grant_type=client_credentials&scope=api.read&client_id=demo-client&client_secret=demo-secret";

pub(crate) struct Wire {
    endpoint: String,
    /// One thread, for one request after the other: nothing is faster.
    single: Runtime,
    /// A thread for each core, for many at a time.
    multi: Runtime,
    // Connections belong to the runtime that made them, so each has its own.
    reqwest: [reqwest::Client; 2],
    core: [Arc<Client>; 2],
    request: Arc<TokenRequest>,
}

impl Wire {
    pub(crate) fn new(endpoint: String) -> Outcome<Self> {
        let mut request = TokenRequest::new(&endpoint, Grant::ClientCredentials);
        request.client_id = Some("demo-client".into());
        request.authentication = ClientAuthentication::SecretPost { secret: Secret::from("demo-secret") };
        request.scope = Some("api.read".into());
        Ok(Self {
            endpoint,
            single: runtime::Builder::new_current_thread().enable_all().build()?,
            multi: runtime::Builder::new_multi_thread().enable_all().build()?,
            reqwest: [
                reqwest::Client::builder().no_proxy().build()?,
                reqwest::Client::builder().no_proxy().build()?,
            ],
            core: [Arc::default(), Arc::default()],
            request: Arc::new(request),
        })
    }

    /// What the server itself takes: the bytes of one request on one connection, over and over.
    pub(crate) fn server(&self, count: usize) -> Outcome<Duration> {
        let url = url::Url::parse(&self.endpoint)?;
        let address = url.socket_addrs(|| None)?;
        let mut stream = TcpStream::connect(&*address)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{FORM}",
            url.path(),
            url.authority(),
            FORM.len()
        );
        let mut answer = [0; 8192];
        timed(count, |_| {
            stream.write_all(request.as_bytes())?;
            let mut length = 0;
            // The answer is a JSON object, and nothing before its body has a brace.
            while !answer[..length].ends_with(b"}") {
                match stream.read(&mut answer[length..])? {
                    0 => return Err("the server hung up".into()),
                    read => length += read,
                }
            }
            if answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("the server refused".into()) }
        })
    }

    pub(crate) fn reqwest(&self, count: usize) -> Outcome<Duration> {
        timed(count, |_| self.single.block_on(raw(&self.reqwest[0], &self.endpoint)))
    }

    pub(crate) fn core(&self, count: usize) -> Outcome<Duration> {
        timed(count, |_| self.single.block_on(ask(&self.core[0], &self.request)))
    }

    pub(crate) fn reqwest_many(&self, count: usize, width: usize) -> Outcome<Duration> {
        let client = self.reqwest[1].clone();
        let endpoint: Arc<str> = self.endpoint.as_str().into();
        self.many(count, width, move || {
            let (client, endpoint) = (client.clone(), endpoint.clone());
            async move { raw(&client, &endpoint).await.is_ok() }
        })
    }

    pub(crate) fn core_many(&self, count: usize, width: usize) -> Outcome<Duration> {
        let client = self.core[1].clone();
        let request = self.request.clone();
        self.many(count, width, move || {
            let (client, request) = (client.clone(), request.clone());
            async move { ask(&client, &request).await.is_ok() }
        })
    }

    /// `count` requests, `width` at a time.
    fn many<F: Future<Output = bool> + Send>(
        &self,
        count: usize,
        width: usize,
        request: impl Fn() -> F + Clone + Send + 'static,
    ) -> Outcome<Duration> {
        let started = Instant::now();
        let taken = Arc::new(AtomicUsize::new(0));
        let succeeded = self.multi.block_on(async {
            let mut workers = JoinSet::new();
            for _ in 0..width {
                let (taken, request) = (taken.clone(), request.clone());
                workers.spawn(async move {
                    let mut succeeded = 0;
                    while taken.fetch_add(1, Ordering::Relaxed) < count {
                        succeeded += usize::from(request().await);
                    }
                    succeeded
                });
            }
            workers.join_all().await.into_iter().sum::<usize>()
        });
        if succeeded == count { Ok(started.elapsed()) } else { Err("requests failed".into()) }
    }
}

async fn raw(client: &reqwest::Client, endpoint: &str) -> Outcome<()> {
    let request = client
        .post(endpoint)
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(FORM);
    request.send().await?.error_for_status()?.bytes().await?;
    Ok(())
}

async fn ask(client: &Client, request: &TokenRequest) -> Outcome<()> {
    client.token(request, &HttpConfig::default(), &()).await?;
    Ok(())
}
