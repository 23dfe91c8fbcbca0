//! A certificate authority for one run, and the server certificate that it signed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use tempfile::TempDir;

use crate::id_token::unix_time;

const DAY: u64 = 24 * 60 * 60;

/// The server's certificate and key, and the folder that holds its authority's certificate.
#[derive(Debug)]
pub(crate) struct Certificates {
    _folder: TempDir,
    authority_file: PathBuf,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
    sessions: Arc<Sessions>,
}

/// The TLS sessions that clients may resume, and how often one did (RFC 8446 section 2.2).
#[derive(Debug)]
struct Sessions {
    known: Arc<ServerSessionMemoryCache>,
    resumed: AtomicUsize,
}

impl Sessions {
    fn counted(&self, session: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.resumed.fetch_add(usize::from(session.is_some()), Ordering::SeqCst);
        session
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.known.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.counted(self.known.get(key))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.counted(self.known.take(key))
    }

    fn can_cache(&self) -> bool {
        self.known.can_cache()
    }
}

impl Certificates {
    pub(crate) fn issue() -> io::Result<Self> {
        let mut authority = params(Vec::new(), "TokenKit test authority")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(io::Error::other)?)
                .map_err(io::Error::other)?;

        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut server = params(names, "localhost")?;
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = server.signed_by(&key, &authority).map_err(io::Error::other)?;

        let folder = tempfile::Builder::new().prefix("tokenkit-testserver-").tempdir()?;
        let authority_file = folder.path().join("ca.pem");
        std::fs::write(&authority_file, authority.pem())?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let sessions =
            Arc::new(Sessions { known: ServerSessionMemoryCache::new(256), resumed: AtomicUsize::new(0) });
        Ok(Self { _folder: folder, authority_file, certificate: certificate.der().clone(), key, sessions })
    }

    pub(crate) fn authority_file(&self) -> &Path {
        &self.authority_file
    }

    /// How many handshakes resumed a session.
    pub(crate) fn resumed(&self) -> usize {
        self.sessions.resumed.load(Ordering::SeqCst)
    }

    /// TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 to choose from.
    pub(crate) fn server_config(&self) -> io::Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], PrivateKeyDer::Pkcs8(self.key.clone_key()))
            .map_err(io::Error::other)?;
        config.session_storage = self.sessions.clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A certificate good from yesterday for a month: some systems refuse one that is good for years.
fn params(names: Vec<String>, common_name: &str) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    let yesterday = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_time().saturating_sub(DAY));
    params.not_before = yesterday;
    params.not_after = yesterday + Duration::from_secs(30 * DAY);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}
