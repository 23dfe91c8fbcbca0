//! Private keys in every form that `openssl` writes: each loads and signs, and openssl accepts the signature.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::openssl::{OpenSsl, PASSWORD};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::jwt::{self, Algorithm, Header, SigningKey};
use tokenkit::{ErrorCode, Secret};

/// A type of key: what `openssl genpkey` is told, and the algorithms that such a key signs with.
#[derive(Debug, Clone, Copy)]
struct Kind {
    genpkey: &'static str,
    algorithms: &'static [Algorithm],
}

const RSA: Kind = Kind {
    genpkey: "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    algorithms: &[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ],
};
const P256: Kind =
    Kind { genpkey: "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", algorithms: &[Algorithm::ES256] };
const P384: Kind =
    Kind { genpkey: "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", algorithms: &[Algorithm::ES384] };
const P521: Kind =
    Kind { genpkey: "-algorithm EC -pkeyopt ec_paramgen_curve:P-521", algorithms: &[Algorithm::ES512] };
const ED25519: Kind = Kind { genpkey: "-algorithm ED25519", algorithms: &[Algorithm::EdDSA] };

impl Kind {
    /// A new key as `key.pem` (PKCS#8), its public half as `public.pem`, its certificate as `cert.pem`.
    fn generate(self) -> OpenSsl {
        let openssl = OpenSsl::new();
        openssl.run(&format!("genpkey {} -out key.pem", self.genpkey));
        openssl.run("pkey -in key.pem -pubout -out public.pem");
        openssl.certificate("key.pem", "cert.pem");
        openssl
    }
}

fn password() -> Secret {
    Secret::from(PASSWORD)
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Lets `key` sign with each algorithm of its kind, and openssl check the signatures with `public.pem`.
fn assert_signs(openssl: &OpenSsl, key: &SigningKey, kind: Kind) {
    for algorithm in kind.algorithms {
        let jwt = jwt::sign(&Header::new(*algorithm, key), &json!({"sub": "app"}), key).unwrap();
        let (input, signature) = jwt.expose_str().unwrap().rsplit_once('.').unwrap();
        openssl.write("input", input.as_bytes());
        openssl.write("signature", &for_openssl(*algorithm, &URL_SAFE_NO_PAD.decode(signature).unwrap()));
        let hash = format!("sha{}", &algorithm.as_str()[2..]);
        let command = match &algorithm.as_str()[..2] {
            "PS" => format!(
                "dgst -{hash} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{} \
                 -verify public.pem -signature signature input",
                hash[3..].parse::<u32>().unwrap() / 8
            ),
            "Ed" => "pkeyutl -verify -rawin -pubin -inkey public.pem -sigfile signature -in input".into(),
            _ => format!("dgst -{hash} -verify public.pem -signature signature input"),
        };
        openssl.run(&command);
    }
}

/// A signature of JWS as openssl reads it: for ECDSA a DER sequence of r and s.
fn for_openssl(algorithm: Algorithm, signature: &[u8]) -> Vec<u8> {
    let length = match algorithm {
        Algorithm::ES256 => 32,
        Algorithm::ES384 => 48,
        Algorithm::ES512 => 66,
        _ => return signature.to_vec(),
    };
    assert_eq!(signature.len(), 2 * length, "{algorithm}");
    let integer = |bytes: &[u8]| {
        let mut number: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        [&[2, u8::try_from(number.len()).unwrap()], &*number].concat()
    };
    let (r, s) = signature.split_at(length);
    let numbers = [integer(r), integer(s)].concat();
    let size = u8::try_from(numbers.len()).unwrap();
    let header = if size < 0x80 { vec![0x30, size] } else { vec![0x30, 0x81, size] };
    [header, numbers].concat()
}

// Each form of each key.

#[rstest]
#[case::pkcs8_pem("pkey -in key.pem -out form")]
#[case::pkcs8_der("pkey -in key.pem -outform DER -out form")]
fn pkcs8(#[case] command: &str, #[values(RSA, P256, P384, P521, ED25519)] kind: Kind) {
    let openssl = kind.generate();
    openssl.run(command);
    let key = SigningKey::from_bytes(&openssl.read("form"), None).unwrap();
    assert_signs(&openssl, &key, kind);
}

#[rstest]
#[case::pkcs1_pem(RSA, "rsa -in key.pem -traditional -out form", "-----BEGIN RSA PRIVATE KEY-----")]
#[case::pkcs1_der(RSA, "rsa -in key.pem -traditional -outform DER -out form", "")]
#[case::sec1_pem(P256, "ec -in key.pem -out form", "-----BEGIN EC PRIVATE KEY-----")]
#[case::sec1_pem(P384, "ec -in key.pem -out form", "-----BEGIN EC PRIVATE KEY-----")]
#[case::sec1_pem(P521, "ec -in key.pem -out form", "-----BEGIN EC PRIVATE KEY-----")]
#[case::sec1_der(P256, "ec -in key.pem -outform DER -out form", "")]
#[case::sec1_der(P384, "ec -in key.pem -outform DER -out form", "")]
#[case::sec1_der(P521, "ec -in key.pem -outform DER -out form", "")]
fn traditional(#[case] kind: Kind, #[case] command: &str, #[case] begins: &str) {
    let openssl = kind.generate();
    openssl.run(command);
    let form = openssl.read("form");
    assert!(form.starts_with(begins.as_bytes()));
    assert_signs(&openssl, &SigningKey::from_bytes(&form, None).unwrap(), kind);
}

const PBKDF2: &str = "pkcs8 -topk8 -in key.pem -passout env:PASSWORD -v2 aes-256-cbc -out form";
const SCRYPT: &str = "pkcs8 -topk8 -in key.pem -passout env:PASSWORD -scrypt -out form";

#[rstest]
#[case::pbkdf2(PBKDF2.to_owned())]
#[case::pbkdf2_with_sha512(format!("{PBKDF2} -v2prf hmacWithSHA512"))]
#[case::pbkdf2_aes128(PBKDF2.replace("256", "128"))]
#[case::pbkdf2_3des(PBKDF2.replace("aes-256-cbc", "des3"))]
#[case::scrypt(SCRYPT.to_owned())]
#[case::pbkdf2_der(format!("{PBKDF2} -outform DER"))]
#[case::scrypt_der(format!("{SCRYPT} -outform DER"))]
fn encrypted_pkcs8(#[case] command: String, #[values(RSA, ED25519)] kind: Kind) {
    let openssl = kind.generate();
    openssl.run(&command);
    let key = SigningKey::from_bytes(&openssl.read("form"), Some(&password())).unwrap();
    assert_signs(&openssl, &key, kind);
}

#[rstest]
#[case::pbkdf2(PBKDF2.to_owned())]
#[case::scrypt_der(format!("{SCRYPT} -outform DER"))]
#[case::pfx(PFX.to_owned())]
#[case::legacy_pfx(format!("{PFX} {LEGACY}"))]
fn a_wrong_or_missing_password_is_told_apart(#[case] command: String) {
    let openssl = P256.generate();
    openssl.run(&command);
    for wrong in [None, Some(Secret::from("wrong")), Some(Secret::default()), Some(vec![0xff].into())] {
        let (code, message) = refused(&openssl.read("form"), wrong.as_ref());
        assert_eq!(code, ErrorCode::InvalidKeyPassword, "{message}");
    }
}

const PFX: &str = "pkcs12 -export -inkey key.pem -in cert.pem -passout env:PASSWORD -out form";

const LEGACY: &str = "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1";

#[rstest]
#[case::modern(PFX.to_owned())]
#[case::legacy_3des(format!("{PFX} {LEGACY}"))]
#[case::certificate_in_clear_text(format!("{PFX} -certpbe NONE"))]
#[case::all_in_clear_text(format!("{PFX} -keypbe NONE -certpbe NONE"))]
#[case::sha512(format!("{PFX} -macalg sha512"))]
fn pkcs12(#[case] command: String, #[values(RSA, P256, P521, ED25519)] kind: Kind) {
    let openssl = kind.generate();
    openssl.run(&command);
    let form = openssl.read("form");
    let key = SigningKey::from_bytes(&form, Some(&password())).unwrap();
    assert_signs(&openssl, &key, kind);
    assert_thumbprints(&openssl, &key, "cert.pem");
}

#[test]
fn a_pfx_may_have_an_empty_password() {
    let openssl = P256.generate();
    openssl.run(&PFX.replace("env:PASSWORD", "pass:"));
    let form = openssl.read("form");
    for password in [None, Some(Secret::default())] {
        assert_signs(&openssl, &SigningKey::from_bytes(&form, password.as_ref()).unwrap(), P256);
    }
}

#[test]
fn jwk_rsa() {
    let openssl = RSA.generate();
    openssl.run("rsa -in key.pem -traditional -outform DER -out pkcs1");
    // RFC 8017 appendix A.1.2: version, n, e, d, p, q, d mod (p-1), d mod (q-1), (inverse of q) mod p.
    let numbers = der_integers(&openssl.read("pkcs1"));
    let mut jwk = json!({"kty": "RSA", "kid": "rsa-1", "use": "sig", "unknown": [1]});
    for (name, number) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].iter().zip(&numbers[1..]) {
        jwk[name] = encoded(number).into();
    }
    assert_jwk_signs(&openssl, &jwk, RSA);
}

#[rstest]
#[case(P256, "P-256", 32)]
#[case(P384, "P-384", 48)]
#[case(P521, "P-521", 66)]
fn jwk_ec(#[case] kind: Kind, #[case] curve: &str, #[case] length: usize) {
    let openssl = kind.generate();
    openssl.run("ec -in key.pem -outform DER -out sec1");
    // RFC 5915 section 3: the private key is the first octet string, the point stands at the end.
    let sec1 = openssl.read("sec1");
    let start = sec1.windows(2).position(|pair| pair == [4, u8::try_from(length).unwrap()]).unwrap() + 2;
    let point = &sec1[sec1.len() - 2 * length..];
    let jwk = json!({
        "kty": "EC",
        "crv": curve,
        "kid": "ec-1",
        "d": encoded(&sec1[start..start + length]),
        "x": encoded(&point[..length]),
        "y": encoded(&point[length..]),
    });
    assert_jwk_signs(&openssl, &jwk, kind);
}

#[test]
fn jwk_ed25519() {
    let openssl = ED25519.generate();
    openssl.run("pkey -in key.pem -outform DER -out private");
    openssl.run("pkey -in key.pem -pubout -outform DER -out public");
    // RFC 8410 sections 4 and 7: both keys stand at the end.
    let (private, public) = (openssl.read("private"), openssl.read("public"));
    let jwk = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "ed-1",
        "d": encoded(&private[private.len() - 32..]),
        "x": encoded(&public[public.len() - 32..]),
    });
    assert_jwk_signs(&openssl, &jwk, ED25519);
}

#[rstest]
#[case(Algorithm::HS256)]
#[case(Algorithm::HS384)]
#[case(Algorithm::HS512)]
fn jwk_oct(#[case] algorithm: Algorithm) {
    let openssl = OpenSsl::new();
    let key = SigningKey::from_bytes(br#"{"kty":"oct","k":"c2VjcmV0LW9mLXRoZS10ZXN0"}"#, None).unwrap();
    let jwt = jwt::sign(&Header::new(algorithm, &key), &json!({"sub": "app"}), &key).unwrap();
    let (input, tag) = jwt.expose_str().unwrap().rsplit_once('.').unwrap();
    openssl.write("input", input.as_bytes());
    let hash = &algorithm.as_str()[2..];
    let printed = openssl.run(&format!("dgst -sha{hash} -hmac secret-of-the-test -binary -out tag input"));
    assert_eq!(printed, "");
    assert_eq!(encoded(&openssl.read("tag")), tag);
}

fn assert_jwk_signs(openssl: &OpenSsl, jwk: &Value, kind: Kind) {
    for text in [jwk.to_string(), format!("\n {jwk:#}\n")] {
        let key = SigningKey::from_bytes(text.as_bytes(), None).unwrap();
        assert_signs(openssl, &key, kind);
        assert_eq!(Header::new(kind.algorithms[0], &key).kid.as_deref(), jwk["kid"].as_str());
    }
}

/// The INTEGERs of a DER sequence, without leading zeros.
fn der_integers(der: &[u8]) -> Vec<Vec<u8>> {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let (start, length) = match der[1] {
            short @ 0..0x80 => (2, usize::from(short)),
            long => {
                let end = 2 + usize::from(long & 0x7f);
                (end, der[2..end].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
            }
        };
        (&der[start..start + length], &der[start + length..])
    }
    let (mut rest, _) = element(der);
    let mut integers = Vec::new();
    while !rest.is_empty() {
        let (integer, after) = element(rest);
        integers.push(integer.iter().copied().skip_while(|byte| *byte == 0).collect());
        rest = after;
    }
    integers
}

// Certificates beside the key.

fn assert_thumbprints(openssl: &OpenSsl, key: &SigningKey, certificate: &str) {
    let header = Header::new(key.default_algorithm(), key);
    assert_eq!(header.x5t, Some(encoded(&openssl.fingerprint(certificate, "sha1"))));
    assert_eq!(header.x5t_s256, Some(encoded(&openssl.fingerprint(certificate, "sha256"))));
}

#[test]
fn a_certificate_in_the_same_pem_gives_the_thumbprints() {
    let openssl = P256.generate();
    let (key, certificate) = (openssl.read("key.pem"), openssl.read("cert.pem"));
    for bundle in [[&*key, &*certificate].concat(), [&*certificate, &*key].concat()] {
        let key = SigningKey::from_bytes(&bundle, None).unwrap();
        assert_signs(&openssl, &key, P256);
        assert_thumbprints(&openssl, &key, "cert.pem");
    }
}

#[test]
fn a_certificate_given_apart_gives_the_thumbprints() {
    let openssl = P256.generate();
    openssl.run("x509 -in cert.pem -outform DER -out cert.der");
    let key = SigningKey::from_bytes(&openssl.read("key.pem"), None).unwrap();
    assert_eq!(Header::new(Algorithm::ES256, &key).x5t, None);
    assert_thumbprints(&openssl, &key.with_certificate(&openssl.read("cert.der")), "cert.pem");
}

/// A key with a certificate of its own, signed by another key whose certificate is `ca.pem`.
fn issued() -> OpenSsl {
    let openssl = P256.generate();
    openssl.run(&format!("genpkey {} -out ca-key.pem", P256.genpkey));
    openssl.certificate("ca-key.pem", "ca.pem");
    openssl.run("req -new -key key.pem -subj /CN=app -out request.pem");
    openssl.run("x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -days 2 -out cert.pem");
    openssl
}

#[test]
fn of_several_certificates_in_a_pfx_that_of_the_key_counts() {
    let openssl = issued();
    openssl.run(&format!("{PFX} -certfile ca.pem"));
    let key = SigningKey::from_bytes(&openssl.read("form"), Some(&password())).unwrap();
    assert_thumbprints(&openssl, &key, "cert.pem");
}

#[test]
fn a_certificate_of_another_key_is_left_aside() {
    let openssl = issued();
    let bundle = [openssl.read("key.pem"), openssl.read("ca.pem")].concat();
    let key = SigningKey::from_bytes(&bundle, None).unwrap();
    assert_eq!(Header::new(Algorithm::ES256, &key).x5t, None);
}

#[test]
fn of_several_certificates_in_a_pem_that_of_the_key_counts() {
    let openssl = issued();
    let parts = ["key.pem", "cert.pem", "ca.pem"].map(|file| openssl.read(file));
    for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1]] {
        let bundle = order.map(|part| parts[part].clone()).concat();
        assert_thumbprints(&openssl, &SigningKey::from_bytes(&bundle, None).unwrap(), "cert.pem");
    }
}

#[test]
fn what_stands_around_the_key_in_a_pem_does_not_matter() {
    let openssl = RSA.generate();
    let pem = String::from_utf8(openssl.read("key.pem")).unwrap();
    let attributes = "Bag Attributes\n    friendlyName: app\nKey Attributes: <No Attributes>\n";
    let forms = [
        format!("{attributes}{pem}"),
        format!("\u{feff}{pem}"),
        format!("  \r\n{}  ", pem.replace('\n', "\r\n")),
        pem.trim_end().to_owned(),
    ];
    for form in forms {
        assert_signs(&openssl, &SigningKey::from_bytes(form.as_bytes(), None).unwrap(), RSA);
    }
}

// What is refused.

/// The error for `data`. It must not hold any 12 characters in a row that also stand in the data.
fn refused(data: &[u8], password: Option<&Secret>) -> (ErrorCode, String) {
    let error = SigningKey::from_bytes(data, password).unwrap_err();
    let shown = common::visible(&error);
    let text = String::from_utf8_lossy(data);
    for line in text.lines().filter(|line| !line.contains("-----") && line.is_ascii()) {
        for piece in line.as_bytes().windows(12) {
            assert!(!shown.contains(std::str::from_utf8(piece).unwrap()), "{line} in {shown}");
        }
    }
    (error.error_code(), error.to_string())
}

#[rstest]
#[case::rsa_1024("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out form")]
#[case::secp256k1("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out form")]
#[case::p192("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-192 -out form")]
#[case::x25519("genpkey -algorithm X25519 -out form")]
#[case::ed448("genpkey -algorithm ED448 -out form")]
fn keys_that_cannot_sign_a_jwt_are_refused(#[case] command: &str) {
    let openssl = OpenSsl::new();
    openssl.run(command);
    openssl.run("pkey -in form -outform DER -out form.der");
    for form in ["form", "form.der"] {
        let (code, message) = refused(&openssl.read(form), None);
        assert_eq!(code, ErrorCode::InvalidKey);
        assert!(message.contains("supported type: RSA of 2048"), "{message}");
    }
}

#[test]
fn public_keys_and_certificates_are_refused() {
    for kind in [RSA, P256, ED25519] {
        let openssl = kind.generate();
        openssl.run("pkey -in key.pem -pubout -outform DER -out public.der");
        openssl.run("pkcs12 -export -nokeys -in cert.pem -passout env:PASSWORD -out certificates.pfx");
        for (form, message) in [
            ("public.pem", "holds no private key"),
            ("cert.pem", "holds no private key"),
            ("public.der", "no private key of a supported type"),
            ("certificates.pfx", "holds no private key"),
        ] {
            let (code, text) = refused(&openssl.read(form), Some(&password()));
            assert_eq!(code, ErrorCode::InvalidKey);
            assert!(text.contains(message), "{form}: {text}");
        }
    }
}

#[test]
fn the_old_encryption_of_openssl_is_named_with_its_remedy() {
    let openssl = RSA.generate();
    openssl.run("rsa -in key.pem -traditional -aes128 -passout env:PASSWORD -out old.pem");
    let old = openssl.read("old.pem");
    assert!(String::from_utf8_lossy(&old).contains("DEK-Info"));
    let (code, message) = refused(&old, Some(&password()));
    assert_eq!(code, ErrorCode::InvalidKey);
    // The remedy works.
    let (_, command) = message.split_once("openssl ").unwrap();
    openssl.run(&format!("{command} -passin env:PASSWORD -passout env:PASSWORD"));
    let key = SigningKey::from_bytes(&openssl.read("new.pem"), Some(&password())).unwrap();
    assert_signs(&openssl, &key, RSA);
}

#[test]
fn truncated_keys_are_refused() {
    let openssl = RSA.generate();
    openssl.run("pkey -in key.pem -outform DER -out key.der");
    openssl.run(PBKDF2);
    openssl.run(&PFX.replace("form", "key.pfx"));
    for form in ["key.pem", "key.der", "form", "key.pfx"] {
        let whole = openssl.read(form);
        for length in [0, 1, 16, whole.len() / 2, whole.len() - 40, whole.len() - 28] {
            let (code, message) = refused(&whole[..length], Some(&password()));
            assert_eq!(code, ErrorCode::InvalidKey, "{form} to {length}: {message}");
        }
    }
}

#[rstest]
#[case::nothing(b"")]
#[case::space(b" \n")]
#[case::text(b"correct horse battery staple")]
#[case::empty_json(b"{}")]
#[case::empty_pem(b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")]
#[case::other_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
#[case::damaged_pem(b"-----BEGIN PRIVATE KEY-----\n?!\n-----END PRIVATE KEY-----\n")]
#[case::unfinished_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n")]
#[case::openssh(
    b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=\n-----END OPENSSH PRIVATE KEY-----\n"
)]
#[case::encrypted_pem_of_nothing(
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
)]
#[case::bytes(&[0x30, 0x82, 0xff, 0xff, 0x02, 0x01, 0x03])]
fn what_is_no_key_is_refused(#[case] data: &[u8]) {
    for password in [None, Some(password())] {
        assert_eq!(refused(data, password.as_ref()).0, ErrorCode::InvalidKey);
    }
}

// Nothing that is read makes the reader panic or run away.

#[test]
fn absurd_work_factors_are_refused() {
    // scrypt with N of 2^30 would take gigabytes; PBKDF2 with 2^31 rounds would take an hour.
    let openssl = P256.generate();
    openssl.run(&format!("{SCRYPT} -outform DER"));
    let scrypt = openssl.read("form");
    openssl.run(&format!("{PBKDF2} -iter 65536 -outform DER"));
    let pbkdf2 = openssl.read("form");
    for (der, normal, absurd) in [
        (scrypt, &[2, 2, 0x40, 0][..], &[2, 4, 0x40, 0, 0, 0][..]),
        (pbkdf2, &[2, 3, 1, 0, 0][..], &[2, 4, 0x7f, 0xff, 0xff, 0xff][..]),
    ] {
        let at = der.windows(normal.len()).position(|window| window == normal).unwrap();
        let changed = lengthened(&der, at, normal.len(), absurd);
        let started = std::time::Instant::now();
        SigningKey::from_bytes(&changed, Some(&password())).unwrap_err();
        assert!(started.elapsed().as_secs() < 20, "took {:?}", started.elapsed());
    }
}

/// `der` with the element at `at` replaced by a longer one, and the sequences around it lengthened.
fn lengthened(der: &[u8], at: usize, length: usize, element: &[u8]) -> Vec<u8> {
    let more = u8::try_from(element.len() - length).unwrap();
    let mut changed = [&der[..at], element, &der[at + length..]].concat();
    let mut position = 0;
    while position < at {
        let (header, size) = match der[position + 1] {
            0x82 => (4, usize::from(der[position + 2]) << 8 | usize::from(der[position + 3])),
            0x81 => (3, usize::from(der[position + 2])),
            short => (2, usize::from(short)),
        };
        let contains = position + header <= at && at < position + header + size;
        if contains {
            changed[position + header - 1] += more;
            position += header;
        } else {
            position += header + size;
        }
    }
    changed
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(data in any::<Vec<u8>>(), password in any::<Option<Vec<u8>>>()) {
        let _ = SigningKey::from_bytes(&data, password.map(Secret::from).as_ref());
    }

    #[test]
    fn arbitrary_json_is_refused(data in r#"\{("(kty|crv|k|d|x|y|n|e)":("(RSA|EC|OKP|oct|P-256|Ed25519|[A-Za-z0-9_-]{0,48})"|[0-9]{1,9}),?){0,8}\}"#) {
        let _ = SigningKey::from_bytes(data.as_bytes(), None);
    }
}

/// Valid keys with a few bytes changed: more of the reader runs than with arbitrary bytes.
#[test]
fn mutated_keys_are_read_or_refused() {
    let openssl = P256.generate();
    openssl.run("pkey -in key.pem -outform DER -out key.der");
    // Few rounds, so that many keys can be tried.
    openssl.run(&format!("{PBKDF2} -iter 1 -outform DER"));
    openssl.run(&format!("{PFX} -iter 1 -maciter").replace("form", "key.pfx"));
    let row = common::vectors("jws.json").into_iter().find(|row| row["algorithm"] == "ES256").unwrap();
    let forms = [
        openssl.read("key.pem"),
        openssl.read("key.der"),
        openssl.read("form"),
        openssl.read("key.pfx"),
        row["key"].to_string().into_bytes(),
    ];
    for form in &forms {
        SigningKey::from_bytes(form, Some(&password())).unwrap();
    }
    let mutation = (any::<prop::sample::Index>(), any::<u8>());
    let strategy = (0..forms.len(), prop::collection::vec(mutation, 1..4));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(2000));
    runner
        .run(&strategy, |(form, mutations)| {
            let mut data = forms[form].clone();
            for (index, byte) in mutations {
                let length = data.len();
                data[index.index(length)] = byte;
            }
            let _ = SigningKey::from_bytes(&data, Some(&password()));
            Ok(())
        })
        .unwrap();
}
