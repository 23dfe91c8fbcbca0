//! Servers that must not be believed, each a real one on loopback: the error says why, what was presented, and what to
//! do about it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use common::net::{Listener, loopback};
use common::{basic, request};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rstest::rstest;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokenkit::{Category, Client, Error, ErrorCode, HttpConfig, Proxy};

type Authority = CertifiedIssuer<'static, KeyPair>;

const DAY: u64 = 24 * 60 * 60;
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"access_token\":\"at\"}";

/// The serial numbers of the server's certificate and of the authority that issued it.
const LEAF: u64 = 7;
const ISSUING: u64 = 8;

/// So many seconds from now, as the type of a certificate's times, which has no name here.
macro_rules! from_now {
    ($seconds:expr) => {{
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let then = now.checked_add_signed($seconds).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(then)
    }};
}

const fn days(days: i64) -> i64 {
    days * DAY.cast_signed()
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    (params.not_before, params.not_after) = (from_now!(days(-10)), from_now!(days(10)));
    params
}

fn authority_params(name: &str, serial: u64) -> CertificateParams {
    let mut params = params(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name, 1), KeyPair::generate().unwrap()).unwrap()
}

fn leaf_params() -> CertificateParams {
    let mut params = params("server", LEAF);
    params.subject_alt_names = vec![rcgen::SanType::IpAddress([127, 0, 0, 1].into())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// What a server presents, and who is trusted for it.
struct Chain {
    root: Authority,
    issuing: Authority,
    certificates: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Chain {
    fn good() -> Self {
        Self::new(|_| {}, |_| {})
    }

    fn new(leaf: impl FnOnce(&mut CertificateParams), issuing: impl FnOnce(&mut CertificateParams)) -> Self {
        let root = root("Root");
        let mut authority = authority_params("Issuing", ISSUING);
        issuing(&mut authority);
        let issuing = CertifiedIssuer::signed_by(authority, KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = leaf_params();
        leaf(&mut params);
        let certificate = params.signed_by(&key, &issuing).unwrap();
        let certificates = vec![certificate.der().clone(), issuing.der().clone()];
        Self { root, issuing, certificates, key }
    }

    fn self_signed() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf_params().self_signed(&key).unwrap();
        Self { certificates: vec![certificate.der().clone()], key, ..Self::good() }
    }

    fn server(&self) -> Server {
        let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                self.certificates.clone(),
                PrivateKeyDer::Pkcs8(self.key.serialize_der().into()),
            )
            .unwrap();
        let (config, heard) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
        let count = heard.clone();
        let listener = Listener::new(loopback(), move |stream| {
            // The client hangs up on most of them.
            let _ = serve(&config, stream, &count);
        });
        Server { listener, heard }
    }
}

fn serve(config: &Arc<ServerConfig>, stream: TcpStream, heard: &AtomicUsize) -> std::io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    if std::io::Read::read(&mut stream, &mut [0; 4096])? > 0 {
        heard.fetch_add(1, Ordering::SeqCst);
        stream.write_all(ANSWER)?;
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    Ok(())
}

struct Server {
    listener: Listener,
    /// How many requests came through.
    heard: Arc<AtomicUsize>,
}

impl Server {
    fn url(&self) -> String {
        self.listener.url("/token").replace("http:", "https:")
    }

    async fn ask(&self, trusted: &str) -> Result<(), Error> {
        ask(&self.url(), trusted).await
    }

    async fn refuses(&self, trusted: &str) -> Error {
        let error = self.ask(trusted).await.unwrap_err();
        assert_eq!(
            (error.category(), error.error_code()),
            (Category::Transport, ErrorCode::TlsFailed),
            "{error}"
        );
        assert!(!error.is_retryable());
        assert_eq!((self.listener.connections(), self.heard.load(Ordering::SeqCst)), (1, 0), "{error}");
        error
    }
}

/// Asks with a file of this content, or without one.
async fn ask(url: &str, trusted: &str) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, trusted).unwrap();
    let certificate_authority = (!trusted.is_empty()).then_some(path);
    let config = HttpConfig { proxy: Proxy::None, certificate_authority, ..HttpConfig::default() };
    Client::new().token(&request(url, basic("s3cr3t")), &config, &()).await.map(drop)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex::encode(digest::digest(&digest::SHA256, certificate))
}

/// The list of an authority, as PEM, good until so many days from now.
fn list(authority: &Authority, revoked: &[u64], until: i64) -> String {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: from_now!(days(-2)),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: from_now!(days(-2)),
        next_update: from_now!(days(until)),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(authority).unwrap().pem().unwrap()
}

#[tokio::test]
async fn a_good_chain_is_taken() {
    let chain = Chain::good();
    let server = chain.server();
    server.ask(&chain.root.pem()).await.unwrap();
    assert_eq!(server.heard.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_chain_of_an_unknown_authority_is_named() {
    let chain = Chain::good();
    let server = chain.server();
    let error = server.refuses(&root("Other").pem()).await;
    let day = |seconds: i64| {
        (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).format("%Y-%m-%d").to_string()
    };
    let valid = format!("valid {} to {}", day(days(-10)), day(days(10)));
    let [leaf, issuing] = [0, 1].map(|index| fingerprint(&chain.certificates[index]));
    assert_eq!(
        error.to_string(),
        format!(
            "{}: no secure connection: the certificate comes from an authority that is not trusted, CN=Root. \
             The server presented: CN=server, issued by CN=Issuing, {valid}, SHA-256 {leaf}; \
             CN=Issuing, issued by CN=Root, {valid}, SHA-256 {issuing}",
            server.url()
        )
    );
    assert!(
        error
            .advice()
            .contains("give the file with that authority's own certificate as certificate_authority")
    );
}

#[tokio::test]
async fn an_authority_with_the_name_of_a_trusted_one_is_not_it() {
    let error = Chain::good().server().refuses(&root("Root").pem()).await;
    let text =
        "the certificate comes from another CN=Root than the one that is trusted. The server presented: ";
    assert!(error.to_string().contains(text), "{error}");
    assert!(error.advice().contains("certificate_authority"));
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_refused() {
    let chain = Chain::self_signed();
    let error = chain.server().refuses(&chain.root.pem()).await;
    let text = error.to_string();
    assert!(
        text.contains(
            "the certificate is signed by itself. The server presented: CN=server, issued by CN=server,"
        ),
        "{text}"
    );
    assert!(text.contains(&fingerprint(&chain.certificates[0])), "{text}");
    assert!(error.advice().contains("certificate_authority"));
}

/// What is wrong with a certificate, and what the error and the advice say.
#[rstest]
#[case::other_name(
    |leaf: &mut CertificateParams| {
        leaf.subject_alt_names = ["as.example", "*.id.example"].map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())).into();
    },
    "the certificate is for as.example, *.id.example, not for 127.0.0.1.",
    "one of the certificate's names"
)]
#[case::no_name(
    |leaf: &mut CertificateParams| leaf.subject_alt_names.clear(),
    "the certificate names no server, so it is not for 127.0.0.1.",
    "with its name"
)]
#[case::expired(
    |leaf: &mut CertificateParams| leaf.not_after = rcgen::date_time_ymd(2024, 2, 29),
    "the certificate of CN=server expired at 2024-02-29 00:00:00 UTC.",
    "renewed"
)]
#[case::early(
    |leaf: &mut CertificateParams| {
        (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2199, 12, 31), rcgen::date_time_ymd(2200, 1, 1));
    },
    "the certificate of CN=server is not valid before 2199-12-31 00:00:00 UTC.",
    "clock"
)]
#[case::for_clients(
    |leaf: &mut CertificateParams| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
    "the certificate cannot be used: ",
    "a certificate for TLS servers"
)]
#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused(
    #[case] wrong: fn(&mut CertificateParams),
    #[case] message: &str,
    #[case] advice: &str,
) {
    let leaf = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2023, 1, 1);
        wrong(params);
    };
    let chain = Chain::new(leaf, |_| {});
    let error = chain.server().refuses(&chain.root.pem()).await;
    let text = error.to_string();
    assert!(text.contains(message), "{text}");
    assert!(text.contains(&fingerprint(&chain.certificates[0])), "{text}");
    assert!(error.advice().contains(advice), "{}", error.advice());
}

#[tokio::test]
async fn an_authority_that_expired_is_the_one_that_is_named() {
    let chain = Chain::new(
        |_| {},
        |issuing| {
            (issuing.not_before, issuing.not_after) =
                (rcgen::date_time_ymd(2023, 1, 1), rcgen::date_time_ymd(2024, 1, 1));
        },
    );
    let error = chain.server().refuses(&chain.root.pem()).await;
    assert!(error.to_string().contains("the certificate of CN=Issuing expired at 2024-01-01"), "{error}");
}

#[tokio::test]
async fn what_a_server_writes_into_names_does_not_reach_the_terminal() {
    let name = format!("\u{1b}[2J\r\nIt is fine.{}", "x".repeat(10_000));
    let chain = Chain::new(
        |leaf| {
            leaf.distinguished_name = rcgen::DistinguishedName::new();
            leaf.distinguished_name.push(DnType::CommonName, name);
        },
        |_| {},
    );
    let text = chain.server().refuses(&root("Other").pem()).await.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 1000, "{text:?}");
}

// Revocation.

#[tokio::test]
async fn what_a_list_in_the_file_revokes_is_refused() {
    let chain = Chain::good();
    let lists = [
        ("the server's certificate", list(&chain.issuing, &[1000, LEAF], 2)),
        ("the authority's certificate", list(&chain.root, &[ISSUING], 2)),
        ("by a list of the past", list(&chain.issuing, &[LEAF], -1)),
        ("by one of two lists", list(&chain.root, &[], 2) + &list(&chain.issuing, &[LEAF], 2)),
    ];
    for (what, list) in lists {
        let error = chain.server().refuses(&(chain.root.pem() + &list)).await;
        let text = error.to_string();
        assert!(text.contains("a certificate of the server, or of an authority above it, was revoked. The server presented: CN=server"), "{what}: {text}");
        assert!(error.advice().contains("certificate_authority"));
    }
}

#[tokio::test]
async fn what_no_list_revokes_is_taken() {
    let (chain, other) = (Chain::good(), root("Other"));
    let lists = [
        list(&chain.issuing, &[1000], 2) + &list(&chain.root, &[LEAF], 2),
        // That of another authority, with or without its certificate.
        list(&other, &[LEAF, ISSUING], 2),
        other.pem() + &list(&other, &[LEAF, ISSUING], 2),
        list(&chain.root, &[], -1),
    ];
    for list in lists {
        chain.server().ask(&(chain.root.pem() + &list)).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_that_somebody_else_signed_is_no_list() {
    let chain = Chain::good();
    let forged = list(&root("Root"), &[], 2);
    let error = chain.server().refuses(&(chain.root.pem() + &forged)).await;
    assert!(error.to_string().contains("a list of revoked certificates cannot be used: "), "{error}");
    assert!(error.advice().contains("lists"), "{}", error.advice());
}

#[tokio::test]
async fn a_damaged_list_is_told_before_anything_is_sent() {
    let chain = Chain::good();
    let server = chain.server();
    let damaged = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let error = server.ask(&(chain.root.pem() + damaged)).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidCertificateAuthority, "{error}");
    assert!(error.to_string().contains("list that cannot be used"), "{error}");
    assert_eq!(server.listener.connections(), 0);
}

// The system.

/// Who is trusted by the system is read from a file, which a process of its own is told.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[test]
fn the_systems_authorities_count_beside_those_of_the_file() {
    const NAME: &str = "the_systems_authorities_count_beside_those_of_the_file";
    let variable = |name| std::env::var(name).ok();
    if let (Some(url), Some(trusted)) = (variable("TEST_URL"), variable("TEST_TRUSTED")) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let outcome = runtime.block_on(ask(&url, &trusted));
        println!("outcome: {}.", outcome.err().map_or("good", |error| error.error_code().as_str()));
        return;
    }
    let (chain, other) = (Chain::good(), root("Other"));
    let folder = tempfile::tempdir().unwrap();
    let [system, none] = ["system.pem", "none.pem"].map(|name| folder.path().join(name));
    fs::write(&system, chain.root.pem()).unwrap();
    fs::write(&none, "").unwrap();
    let rows = [
        (&system, String::new(), "good"),
        (&system, other.pem(), "good"),
        (&system, other.pem() + &list(&other, &[LEAF, ISSUING], 2), "good"),
        (&system, chain.root.pem() + &list(&chain.issuing, &[LEAF], 2), "tls_failed"),
        (&none, chain.root.pem(), "good"),
        (&none, other.pem(), "tls_failed"),
        (&none, String::new(), "invalid_certificate_authority"),
    ];
    for (number, (system, trusted, expected)) in rows.into_iter().enumerate() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("SSL_CERT_FILE", system)
            .env_remove("SSL_CERT_DIR")
            .env("TEST_URL", chain.server().url())
            .env("TEST_TRUSTED", trusted)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(&format!("outcome: {expected}.")), "row {number}: {printed}");
    }
}

// Versions.

/// What servers without TLS 1.2 answer: a hello of an older version, or the alert `protocol_version`.
#[rstest]
#[case::tls_1_1(&server_hello(2))]
#[case::tls_1_0(&server_hello(1))]
#[case::ssl_3(&server_hello(0))]
#[case::alert(&[0x15, 3, 2, 0, 2, 2, 70])]
#[tokio::test]
async fn versions_before_tls_1_2_are_refused(#[case] answer: &[u8]) {
    let answer = answer.to_vec();
    let listener = Listener::new(loopback(), move |mut stream| {
        // The ClientHello.
        std::io::Read::read(&mut stream, &mut [0; 8192]).unwrap();
        stream.write_all(&answer).unwrap();
        // Until the client hangs up.
        while std::io::Read::read(&mut stream, &mut [0; 512]).is_ok_and(|length| length > 0) {}
    });
    let error =
        ask(&listener.url("/token").replace("http:", "https:"), &root("Root").pem()).await.unwrap_err();
    assert_eq!(
        (error.category(), error.error_code()),
        (Category::Transport, ErrorCode::TlsFailed),
        "{error}"
    );
    assert!(
        error.to_string().contains("no secure connection: the server offers no TLS 1.2 or newer"),
        "{error}"
    );
    assert!(error.advice().contains("TLS 1.2 or 1.3"), "{}", error.advice());
}

/// A record with the hello of a server (RFC 4346 section 7.4.1.3) of version 3.`minor`, as OpenSSL sends it.
fn server_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([0x5a; 32]);
    // No session, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, no compression, the extension for secure renegotiation.
    hello.extend([0, 0xc0, 0x14, 0, 0, 5, 0xff, 1, 0, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    [&[0x16, 3, minor, 0, length + 4, 2, 0, 0, length], &hello[..]].concat()
}

#[tokio::test]
async fn plain_http_reaches_no_other_machine() {
    for url in [
        "http://as.example/token",
        "http://192.0.2.1/token",
        "http://[2001:db8::1]/token",
        "http://127.0.0.1.as.example/token",
    ] {
        let error = ask(url, &root("Root").pem()).await.unwrap_err();
        assert_eq!(
            (error.category(), error.error_code()),
            (Category::InvalidInput, ErrorCode::InsecureEndpoint),
            "{error}"
        );
        assert!(error.advice().contains("Use the https address"));
    }
}
