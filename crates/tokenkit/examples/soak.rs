//! Many requests over a long time, every tenth to a server that misbehaves: does the process stay as it is?
//!
//! `cargo run --release -p tokenkit --example soak -- --requests 200000 --minutes 30`
//!
//! Prints resident memory, open handles, threads and tasks at intervals. The first tenth of the time is for warming up.
//! Ends with exit code 1 when the mean memory of the last fifth is more than a tenth above that of the first fifth after
//! it, or when handles, threads or tasks are left over at the end, after the idle connections have been closed. The
//! server runs in a process of its own. Needs Linux, for its /proc.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokenkit::jwt::{self, Header, KeyType, SigningKey};
use tokenkit::{
    Client, ClientAuthentication, Grant, HttpConfig, KeySource, MetadataLocation, Proxy, Secret,
    TokenRequest, Verification,
};
use tokenkit_testserver::{Canned, Fault, Place, TestServer};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

/// How many lines are printed.
const LINES: u32 = 30;

/// How many of them are a tenth of the time, and a fifth.
const TENTH: usize = 3;
const FIFTH: usize = 6;

/// By how many handles, threads and tasks the end may differ from the start: the pool's own, and what the runtime keeps.
const SLACK: u64 = 8;

/// By then idle connections and idle threads have ended.
const REST: Duration = Duration::from_secs(45);

/// How many requests run at the same time.
const ABREAST: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve"] => serve().map(|()| ExitCode::SUCCESS),
        ["--requests", requests, "--minutes", minutes] => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(soak(requests.parse()?, minutes.parse()?))
        }
        _ => Err("usage: soak --requests <number> --minutes <number>".into()),
    }
}

/// What goes wrong at every tenth request.
fn faults() -> Vec<Fault> {
    let status = |status, retry_after: Option<&str>| Fault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
    };
    vec![
        Fault::Refuse,
        Fault::Reset(Place::Start),
        Fault::Reset(Place::Body),
        Fault::Stall(Place::Headers),
        Fault::Stall(Place::Body),
        Fault::Close(Place::Body),
        Fault::ChunkedGarbage,
        Fault::GzipBomb,
        Fault::Huge { announced: false },
        Fault::DeepJson,
        Fault::Interim(100),
        Fault::Redirect { status: 307, target: None },
        status(401, None),
        status(429, Some("1")),
        status(503, None),
        Fault::GoAway(0),
        Fault::ResetStream { reason: 7, place: Place::Start },
        Fault::ResetStream { reason: 8, place: Place::Body },
    ]
}

/// Runs the server until standard input ends, and prints what the client has to know.
fn serve() -> Result<()> {
    let server = TestServer::start()?;
    let key = SigningKey::generate(KeyType::P256, None)?;
    let keys = serde_json::json!({ "keys": [key.verifying_key()?.to_jwk()] }).to_string();
    server.canned("/canned/jwks", Canned::json(200, &keys));
    let issuer = server.url("/canned");
    let metadata = serde_json::json!({ "issuer": issuer, "jwks_uri": server.url("/canned/jwks") });
    server.canned("/canned/.well-known/openid-configuration", Canned::json(200, &metadata.to_string()));
    let token = jwt::sign(&Header::new(key.default_algorithm(), &key), &serde_json::json!({}), &key)?;
    println!("{}", server.url("/token"));
    println!("{}", server.tls_url("/token"));
    println!("{}", server.certificate_authority().display());
    println!("{issuer}");
    println!("{}", token.expose_str().unwrap_or_default());
    for (number, fault) in faults().into_iter().enumerate() {
        println!("{}", server.fault(&format!("fault-{number}"), fault, "{\"access_token\":\"at\"}")?);
    }
    println!();
    std::thread::spawn(move || {
        loop {
            // They would fill the memory of this process.
            drop(server.requests());
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// The server's process, and what it told.
struct Peer {
    process: Child,
    lines: Vec<String>,
}

impl Peer {
    fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let lines =
            BufReader::new(output).lines().take_while(|line| !matches!(line, Ok(line) if line.is_empty()));
        let lines = lines.collect::<io::Result<Vec<_>>>()?;
        Ok(Self { process, lines })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

async fn soak(requests: u32, minutes: u32) -> Result<ExitCode> {
    let peer = Peer::start()?;
    let world = Arc::new(World::new(&peer)?);
    let time = Duration::from_secs(60 * u64::from(minutes));
    let started = Instant::now();
    let mut pace = tokio::time::interval(time / requests);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let abreast = Arc::new(Semaphore::new(ABREAST));
    let (start, mut states) = (State::now()?, Vec::new());
    println!(
        "{:>8} {:>9} {:>10} {:>8} {:>8} {:>6}",
        "seconds", "requests", "memory kB", "handles", "threads", "tasks"
    );
    for number in 0..requests {
        pace.tick().await;
        let turn = abreast.clone().acquire_owned().await?;
        let world = world.clone();
        tokio::spawn(async move {
            let outcome = world.ask(number).await;
            *world.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
            drop(turn);
        });
        if (number + 1) % requests.div_ceil(LINES) == 0 || number + 1 == requests {
            let state = State::now()?;
            println!("{:>8} {:>9} {state}", started.elapsed().as_secs(), number + 1);
            states.push(state);
        }
    }
    // All are done when all turns are free.
    drop(abreast.acquire_many(u32::try_from(ABREAST)?).await?);
    for (outcome, count) in world.outcomes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{count:>9} {outcome}");
    }
    let (Some(warm), Some(end)) = (states.get(TENTH..TENTH + FIFTH), states.last_chunk::<FIFTH>()) else {
        return Err("so few requests say nothing".into());
    };
    let (warm, end) = (State::mean(warm), State::mean(end));
    tokio::time::sleep(REST).await;
    let rest = State::now()?;
    for (title, state) in
        [("at the start", &start), ("after warming up", &warm), ("at the end", &end), ("at rest", &rest)]
    {
        println!("{title:>18} {state}");
    }
    let is_flat = end.memory * 10 <= warm.memory * 11
        && rest.handles <= start.handles + SLACK
        && rest.threads <= start.threads + SLACK
        && rest.tasks <= start.tasks + SLACK;
    println!("{}", if is_flat { "flat" } else { "GROWN" });
    Ok(if is_flat { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What this process holds.
struct State {
    /// Resident, in kB.
    memory: u64,
    handles: u64,
    threads: u64,
    tasks: u64,
}

impl State {
    fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let value = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Self {
            memory: value("VmRSS:")?,
            handles: fs::read_dir("/proc/self/fd")?.count() as u64,
            threads: value("Threads:")?,
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks() as u64,
        })
    }

    fn mean(states: &[Self]) -> Self {
        let mean =
            |value: fn(&Self) -> u64| states.iter().map(value).sum::<u64>() / states.len().max(1) as u64;
        Self {
            memory: mean(|state| state.memory),
            handles: mean(|state| state.handles),
            threads: mean(|state| state.threads),
            tasks: mean(|state| state.tasks),
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>10} {:>8} {:>8} {:>6}", self.memory, self.handles, self.threads, self.tasks)
    }
}

struct World {
    client: Client,
    config: HttpConfig,
    http: String,
    https: String,
    issuer: String,
    token: String,
    faults: Vec<String>,
    /// How often what came of a request.
    outcomes: Mutex<BTreeMap<String, u64>>,
}

impl World {
    fn new(peer: &Peer) -> Result<Self> {
        let [http, https, authority, issuer, token, faults @ ..] = &peer.lines[..] else {
            return Err("the server did not get ready".into());
        };
        let config = HttpConfig {
            timeout: Duration::from_secs(2),
            max_retries: 1,
            proxy: Proxy::None,
            certificate_authority: Some(authority.into()),
            ..HttpConfig::default()
        };
        let (http, https, issuer, token) = (http.clone(), https.clone(), issuer.clone(), token.clone());
        Ok(Self {
            client: Client::new(),
            config,
            http,
            https,
            issuer,
            token,
            faults: faults.to_vec(),
            outcomes: Mutex::default(),
        })
    }

    /// Makes a request; its number says which. Returns what came of it.
    async fn ask(&self, number: u32) -> String {
        let fault = &self.faults[number as usize / 10 % self.faults.len()];
        let (what, result) = match number % 10 {
            0 => ("fault", self.request(fault, "demo-secret").await),
            1 => ("metadata", self.metadata().await),
            2 => ("verify", self.verify().await),
            3 => ("token, wrong secret", self.request(&self.http, "wrong-secret").await),
            4..=6 => ("token over http", self.request(&self.http, "demo-secret").await),
            _ => ("token over https", self.request(&self.https, "demo-secret").await),
        };
        match result {
            Ok(()) => format!("{what}: good"),
            Err(error) => format!("{what}: {}", error.code()),
        }
    }

    async fn request(&self, endpoint: &str, secret: &str) -> std::result::Result<(), tokenkit::Error> {
        let mut request = TokenRequest::new(endpoint, Grant::ClientCredentials);
        request.client_id = Some("demo-client".into());
        request.authentication = ClientAuthentication::SecretBasic { secret: Secret::from(secret) };
        self.client.token(&request, &self.config, &()).await.map(drop)
    }

    async fn metadata(&self) -> std::result::Result<(), tokenkit::Error> {
        let location = MetadataLocation::parse(&self.issuer, false)?;
        self.client.metadata(&location, &self.config, &()).await.map(drop)
    }

    async fn verify(&self) -> std::result::Result<(), tokenkit::Error> {
        let verification = Verification {
            source: KeySource::Issuer(self.issuer.clone()),
            claims: None,
            with_content: true,
            allow_insecure_http: false,
            now: Utc::now(),
        };
        let tokens = vec![Secret::from(self.token.as_str()); 10];
        self.client.verify(tokens, verification, &self.config, &()).await.map(drop)
    }
}
