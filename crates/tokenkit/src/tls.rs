//! Which servers are believed: TLS 1.2 or newer, the authorities that the system trusts and those of a file, and no
//! certificate that a list in that file revokes (RFC 5280 section 5). What is refused is told with the certificates that
//! the server presented.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, PeerIncompatible,
    RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

use crate::error::{Error, ErrorCode};
use crate::jwt::is_pem;

/// No more certificates and names are told: a server may present any number.
const MOST: usize = 4;

/// No more characters of a name are told.
const LONGEST: usize = 100;

const UNTRUSTED: &str = "If the certificate comes from a private authority, give the file with that authority's own certificate as certificate_authority. Else do not trust this server.";
const WRONG_NAME: &str = "Use one of the certificate's names in the address. Else have the server given a certificate with its name.";
const EXPIRED: &str = "Have the server's certificate renewed, and check the clock of this machine.";
const NOT_YET: &str = "Check the clock of this machine, and wait until the certificate is valid.";
const REVOKED: &str = "Do not trust this server until it has a new certificate. The lists of revoked certificates are in the file given as certificate_authority.";
const UNUSABLE: &str = "Have the server given a certificate for TLS servers that its authority has signed.";
const UNUSABLE_LIST: &str = "Get the lists of revoked certificates in the file given as certificate_authority anew from their authorities, or leave them out.";
const TOO_OLD: &str =
    "Have TLS 1.2 or 1.3 enabled at the server: older versions are not secure, and never used.";

/// The settings for connections, with the authorities and lists of a file beside what the system trusts.
///
/// # Errors
/// [`ErrorCode::InvalidCertificateAuthority`].
pub(crate) fn config(file: Option<&[u8]>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider::default_provider());
    let verifier = Arc::new(Explaining::new(file, provider.clone())?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS cannot be set up: {error}.")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What went wrong, and what to do about it where something is to be done.
pub(crate) fn problem(error: &rustls::Error) -> (String, Option<&'static str>) {
    if let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error
        && let Some(refusal) = inner.downcast_ref::<Refusal>()
    {
        return (refusal.to_string(), Some(refusal.advice));
    }
    match error {
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ("the server offers no TLS 1.2 or newer".into(), Some(TOO_OLD)),
        other => (other.to_string(), None),
    }
}

/// Certificates and lists of a file, PEM or one certificate as DER.
fn read(
    file: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, Vec<CertificateRevocationListDer<'static>>), Error> {
    if !is_pem(file) {
        return Ok((vec![CertificateDer::from(file.to_vec())], vec![]));
    }
    let damaged = |error| unusable(&format!("is damaged: {error}"));
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(file).collect::<Result<_, _>>().map_err(damaged)?;
    let lists =
        CertificateRevocationListDer::pem_slice_iter(file).collect::<Result<_, _>>().map_err(damaged)?;
    if certificates.is_empty() {
        return Err(unusable("holds no certificate"));
    }
    Ok((certificates, lists))
}

fn unusable(what: &str) -> Error {
    Error::invalid(ErrorCode::InvalidCertificateAuthority, format!("The certificate authority file {what}."))
}

/// The system's verdict and that of the lists, told with what was presented.
#[derive(Debug)]
struct Explaining {
    system: Verifier,
    /// Knows the authorities and the lists of the file; when there are lists.
    lists: Option<Arc<WebPkiServerVerifier>>,
}

impl Explaining {
    fn new(file: Option<&[u8]>, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let (certificates, lists) = file.map(read).transpose()?.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|_| unusable("holds no readable certificate"))?;
        }
        let lists = if lists.is_empty() {
            None
        } else {
            // What no list tells about is not revoked: the file may have the lists of some authorities only. A list counts
            // beyond its time: what it revokes stays revoked.
            let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
                .with_crls(lists)
                .allow_unknown_revocation_status()
                .build();
            Some(verifier.map_err(|error| unusable(&format!("has a list that cannot be used: {error}")))?)
        };
        // A new one each time: it reads the system's authorities, which may have changed.
        let system = Verifier::new_with_extra_roots(certificates, provider).map_err(|error| {
            Error::invalid(
                ErrorCode::InvalidCertificateAuthority,
                format!("The certificate authorities of this system cannot be used: {error}."),
            )
        })?;
        Ok(Self { system, lists })
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let verdict = verify(&self.system).and_then(|verified| match &self.lists {
            // Only what the lists say: the chain has been found good, by authorities that may not be in the file.
            Some(lists) => match verify(&**lists) {
                Err(
                    error @ (rustls::Error::InvalidCertificate(CertificateError::Revoked)
                    | rustls::Error::InvalidCertRevocationList(_)),
                ) => Err(error),
                _ => Ok(verified),
            },
            None => Ok(verified),
        });
        verdict.map_err(|error| {
            let chain =
                [end_entity].into_iter().chain(intermediates).map(|der| Presented::read(der)).collect();
            let refusal = Refusal::new(&error, chain, server_name, now);
            CertificateError::Other(OtherError(Arc::new(refusal))).into()
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.system.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.system.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

/// Why a server is not believed, on its way through the TLS library.
#[derive(Debug)]
struct Refusal {
    problem: String,
    advice: &'static str,
    chain: Vec<Presented>,
}

impl Refusal {
    fn new(error: &rustls::Error, chain: Vec<Presented>, server: &ServerName<'_>, now: UnixTime) -> Self {
        use CertificateError as Bad;
        let now =
            DateTime::from_timestamp(i64::try_from(now.as_secs()).unwrap_or(i64::MAX), 0).unwrap_or_default();
        let readable = || chain.iter().filter_map(|presented| presented.content.as_ref());
        let (problem, advice) = match error {
            rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
                let over = readable().find(|one| one.not_after < now);
                let over = over.map_or_else(
                    || "a certificate of the server has expired".into(),
                    |one| format!("the certificate of {} expired at {}", one.subject, shown(one.not_after)),
                );
                (over, EXPIRED)
            }
            rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
                let early = readable().find(|one| one.not_before > now);
                let early = early.map_or_else(
                    || "a certificate of the server is not valid yet".into(),
                    |one| {
                        format!(
                            "the certificate of {} is not valid before {}",
                            one.subject,
                            shown(one.not_before)
                        )
                    },
                );
                (early, NOT_YET)
            }
            rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                let names = readable().next().map(|one| listed(&one.names)).filter(|names| !names.is_empty());
                let server = server.to_str();
                let problem = names.map_or_else(
                    || format!("the certificate names no server, so it is not for {server}"),
                    |names| format!("the certificate is for {names}, not for {server}"),
                );
                (problem, WRONG_NAME)
            }
            rustls::Error::InvalidCertificate(Bad::Revoked) => {
                ("a certificate of the server, or of an authority above it, was revoked".into(), REVOKED)
            }
            rustls::Error::InvalidCertRevocationList(list) => {
                (format!("a list of revoked certificates cannot be used: {list:?}"), UNUSABLE_LIST)
            }
            // An authority may have a new key, or somebody its name.
            rustls::Error::InvalidCertificate(Bad::BadSignature) => {
                let issuer = readable().next_back().map_or("(no name)", |one| &one.issuer);
                (
                    format!("the certificate comes from another {issuer} than the one that is trusted"),
                    UNTRUSTED,
                )
            }
            rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => (untrusted(&chain), UNTRUSTED),
            _ if chain.len() == 1 && readable().any(|one| one.subject == one.issuer) => {
                (untrusted(&chain), UNTRUSTED)
            }
            rustls::Error::InvalidCertificate(Bad::Other(OtherError(inner))) => {
                (format!("the certificate cannot be used: {inner}"), UNUSABLE)
            }
            other => (format!("the certificate cannot be used: {other}"), UNUSABLE),
        };
        Self { problem, advice, chain }
    }
}

fn untrusted(chain: &[Presented]) -> String {
    match chain.last().and_then(|last| last.content.as_ref()) {
        Some(last) if last.subject == last.issuer && chain.len() == 1 => {
            "the certificate is signed by itself".into()
        }
        Some(last) => format!("the certificate comes from an authority that is not trusted, {}", last.issuer),
        None => "the certificate comes from an authority that is not trusted".into(),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.chain.iter().take(MOST).map(Presented::to_string).collect();
        let more = if self.chain.len() > MOST { "; and more" } else { "" };
        write!(f, "{}. The server presented: {}{more}", self.problem, shown.join("; "))
    }
}

impl std::error::Error for Refusal {}

/// A certificate that a server presented.
#[derive(Debug)]
struct Presented {
    /// SHA-256 of its DER, in hexadecimal.
    fingerprint: String,
    /// `None` when it cannot be read.
    content: Option<Content>,
}

#[derive(Debug)]
struct Content {
    subject: String,
    issuer: String,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    /// Of the servers that it is for.
    names: Vec<String>,
}

impl Presented {
    fn read(der: &[u8]) -> Self {
        Self {
            fingerprint: hex::encode(digest::digest(&digest::SHA256, der)),
            content: X509Certificate::from_der(der).ok().map(|(_, certificate)| Content::of(&certificate)),
        }
    }
}

impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Some(Content { subject, issuer, not_before, not_after, .. }) => {
                let (from, to) = (not_before.format("%Y-%m-%d"), not_after.format("%Y-%m-%d"));
                write!(f, "{subject}, issued by {issuer}, valid {from} to {to}, SHA-256 {}", self.fingerprint)
            }
            None => write!(f, "a certificate that cannot be read, SHA-256 {}", self.fingerprint),
        }
    }
}

impl Content {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        Self {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            names: names.iter().filter_map(host).collect(),
        }
    }
}

fn name(name: &X509Name<'_>) -> String {
    match clean(&name.to_string()) {
        text if text.is_empty() => "(no name)".into(),
        text => text,
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(clean(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).ok().map(std::net::IpAddr::from);
            let address = v4.or_else(|| <[u8; 16]>::try_from(*bytes).ok().map(std::net::IpAddr::from));
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The server chose the text, and somebody's terminal will show it.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(LONGEST).collect()
}

fn listed(names: &[String]) -> String {
    let more = if names.len() > MOST { " and others" } else { "" };
    format!("{}{more}", names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", "))
}

fn time(time: ASN1Time) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or_default()
}

fn shown(time: DateTime<Utc>) -> impl fmt::Display {
    time.format("%Y-%m-%d %H:%M:%S UTC")
}
