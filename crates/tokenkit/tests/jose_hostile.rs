//! Tokens that are malformed, forged or not for this receiver: each is refused, for the reason that fits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::DateTime;
use common::openssl::OpenSsl;
use serde_json::{Value, json};
use tokenkit::Secret;
use tokenkit::jwt::{
    self, Algorithm, DecodeError, Header, JwkSet, KeyType, Reason, SigningKey, Validation, VerifyingKey,
    decode_unverified, verify_signature,
};

/// The time of every check.
const NOW: i64 = 1_700_000_000;

const SECRET: &str = "a shared secret of more than thirty-two bytes";

/// A payload that is valid at [`NOW`].
const PAYLOAD: &str = r#"{"sub":"alice","exp":1700000300}"#;

/// What is done to a good signature.
type Change<'a> = &'a dyn Fn(Vec<u8>) -> Vec<u8>;

/// What is made of r and s.
type Combine<'a> = &'a dyn Fn(&[u8], &[u8]) -> Vec<u8>;

/// What a test holds against a reason: a name, the token, and the code of its one reason; `""` when it is valid.
type Row = (&'static str, String, &'static str);

static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyType::Rsa, None).unwrap());
static P256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyType::P256, None).unwrap());
static ED25519: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(KeyType::Ed25519, None).unwrap());

fn encode(data: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

fn pkcs8(key: &SigningKey) -> Vec<u8> {
    pem::parse(key.to_pem().unwrap().expose()).unwrap().into_contents()
}

/// The set of one key.
fn only(key: &SigningKey) -> JwkSet {
    key.verifying_key().unwrap().into()
}

fn shared(secret: impl AsRef<[u8]>) -> JwkSet {
    VerifyingKey::from_shared_secret(Secret::from(secret.as_ref())).into()
}

/// A token whose header and payload are these texts, and whose signature is what `sign` makes of them.
fn token(header: &str, payload: impl AsRef<[u8]>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", encode(signature))
}

fn mac(algorithm: hmac::Algorithm, secret: impl AsRef<[u8]>) -> impl FnOnce(&[u8]) -> Vec<u8> {
    move |input| hmac::sign(&hmac::Key::new(algorithm, secret.as_ref()), input).as_ref().to_vec()
}

/// A token with a right HS256 signature.
fn hs256(header: &str, payload: impl AsRef<[u8]>) -> String {
    token(header, payload, mac(hmac::HMAC_SHA256, SECRET))
}

fn good() -> String {
    hs256(r#"{"alg":"HS256"}"#, PAYLOAD)
}

fn rsa(padding: &'static dyn RsaEncoding) -> impl FnOnce(&[u8]) -> Vec<u8> {
    move |input| {
        let pair = RsaKeyPair::from_pkcs8(&pkcs8(&RSA)).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), input, &mut signature).unwrap();
        signature
    }
}

fn ecdsa(input: &[u8]) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(&P256)).unwrap();
    pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
}

fn ed25519(input: &[u8]) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_pkcs8(&pkcs8(&ED25519)).unwrap();
    pair.sign(input).as_ref().to_vec()
}

fn codes(validation: &Validation, token: &str) -> String {
    let reasons = validation.reasons(token, DateTime::from_timestamp(NOW, 0).unwrap());
    reasons.iter().map(Reason::code).collect::<Vec<_>>().join(" ")
}

/// Checks every row, and tells all that are wrong at once.
fn check(validation: &Validation, rows: Vec<Row>) {
    let wrong: Vec<_> = rows
        .into_iter()
        .filter_map(|(name, token, expected)| {
            let found = codes(validation, &token);
            (found != expected).then(|| format!("{name}: {found:?} instead of {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn what_cannot_be_read_is_refused() {
    let good = good();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let head = r#"{"alg":"HS256"}"#;
    let with_payload = |payload: &str| hs256(head, payload);
    let last_changed = |part: &str| {
        // The last character holds bits that the bytes do not: another one there decodes to the same.
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (rest, last) = part.split_at(part.len() - 1);
        let index = alphabet.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
        format!("{rest}{}", char::from(alphabet[index + 1]))
    };
    // Lengths that leave bits over.
    let loose_header = hs256(r#"{"alg":"HS256" }"#, PAYLOAD);
    let (loose_header, _) = loose_header.split_once('.').unwrap();
    let deep = |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(300), close.repeat(300));
    let malformed = |name, token| (name, token, "malformed_token");
    let rows = vec![
        ("control: the good token", good.clone(), ""),
        malformed("nothing", String::new()),
        malformed("only dots", "..".into()),
        malformed("one part", header.into()),
        malformed("two parts", format!("{header}.{payload}")),
        malformed("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{good}.{signature}.{signature}"), "encrypted"),
        malformed("six parts", format!("{good}.{good}")),
        malformed("a dot at the end", format!("{good}.")),
        malformed("a dot at the beginning", format!(".{good}")),
        malformed("a line feed at the end", format!("{good}\n")),
        malformed("a zero byte at the end", format!("{good}\0")),
        malformed("a space at the beginning", format!(" {good}")),
        malformed("a space at the end", format!("{good} ")),
        malformed("a space in the payload", format!("{header}.{payload} .{signature}")),
        malformed(
            "a line break in the header",
            format!("{}\r\n{}.{payload}.{signature}", &header[..4], &header[4..]),
        ),
        malformed("the scheme before it", format!("Bearer {good}")),
        malformed("quoted", format!("\"{good}\"")),
        malformed("a full-width dot", good.replacen('.', "\u{ff0e}", 1)),
        malformed("an encoded dot", good.replacen('.', "%2E", 1)),
        malformed("letters that look alike", good.replacen('e', "\u{435}", 1)),
        malformed("padded header", format!("{loose_header}==.{payload}.{signature}")),
        malformed("padded payload", format!("{header}.{payload}=.{signature}")),
        malformed("padded signature", format!("{good}=")),
        malformed(
            "another last character of the header",
            format!("{}.{payload}.{signature}", last_changed(loose_header)),
        ),
        malformed(
            "another last character of the payload",
            format!("{header}.{}.{signature}", last_changed(payload)),
        ),
        malformed(
            "another last character of the signature",
            format!("{header}.{payload}.{}", last_changed(signature)),
        ),
        malformed("the other alphabet", format!("{header}.{payload}.{}", STANDARD.encode([0xfb; 33]))),
        malformed("one character more than whole bytes", format!("{header}.{payload}.{signature}AA")),
        malformed(
            "longer than 64 KiB",
            with_payload(&format!(r#"{{"exp":1700000300,"a":"{}"}}"#, "a".repeat(50_000))),
        ),
        malformed(
            "JSON serialization",
            json!({"protected": header, "payload": payload, "signature": signature}).to_string(),
        ),
        malformed("no header", format!(".{payload}.{signature}")),
        malformed("no payload", format!("{header}..{signature}")),
        malformed("the header is a list", hs256(r#"[{"alg":"HS256"}]"#, PAYLOAD)),
        malformed("the header is a text", hs256(r#""HS256""#, PAYLOAD)),
        malformed("the header is null", hs256("null", PAYLOAD)),
        malformed("the header is a number", hs256("1", PAYLOAD)),
        malformed("the header has a byte order mark", hs256("\u{feff}{\"alg\":\"HS256\"}", PAYLOAD)),
        malformed("the header is too deep", hs256(&deep("[", "]"), PAYLOAD)),
        malformed("the payload is a list", with_payload("[1]")),
        malformed("the payload is a text", with_payload("\"exp\"")),
        malformed("the payload is a token", with_payload(&good)),
        malformed("the payload is too deep: lists", with_payload(&deep("[", "]"))),
        malformed("the payload is too deep: objects", with_payload(&deep("{\"a\":", "}"))),
        malformed("the payload is not UTF-8", hs256(head, b"{\"sub\":\"\xff\"}")),
        malformed("the payload has an overlong character", hs256(head, b"{\"sub\":\"\xc0\xae\"}")),
        malformed("the payload has half a surrogate pair", with_payload(r#"{"sub":"\ud800"}"#)),
        malformed("the payload has a raw control character", with_payload("{\"sub\":\"\u{1}\"}")),
        malformed("the payload ends early", with_payload(r#"{"exp":1700000300"#)),
        malformed("two payloads", with_payload(r#"{"exp":1700000300}{"exp":1}"#)),
        malformed("a comma at the end", with_payload(r#"{"exp":1700000300,}"#)),
        malformed("a comment", with_payload(r#"{"exp":1700000300/**/}"#)),
        malformed("single quotes", with_payload("{'exp':1700000300}")),
        malformed("exp is NaN", with_payload(r#"{"exp":NaN}"#)),
        malformed("exp is beyond all numbers", with_payload(r#"{"exp":1e999}"#)),
        malformed("exp in hexadecimal", with_payload(r#"{"exp":0x6553f1ff}"#)),
        malformed("alg twice", hs256(r#"{"alg":"HS256","alg":"none"}"#, PAYLOAD)),
        malformed("alg twice, once escaped", hs256(r#"{"alg":"HS256","\u0061lg":"none"}"#, PAYLOAD)),
        malformed(
            "a name twice in the header, deeper",
            hs256(r#"{"alg":"HS256","a":{"b":1,"b":1}}"#, PAYLOAD),
        ),
        malformed("exp twice", with_payload(r#"{"exp":1,"exp":1700000300}"#)),
        malformed("exp twice, once escaped", with_payload(r#"{"exp":1,"e\u0078p":1700000300}"#)),
        malformed("a claim twice, deeper", with_payload(r#"{"exp":1700000300,"a":[{"b":{"c":1,"c":1}}]}"#)),
        malformed("the empty name twice", with_payload(r#"{"exp":1700000300,"":1,"":2}"#)),
    ];
    check(&Validation::new(shared(SECRET)), rows);
}

#[test]
fn the_length_and_the_number_of_parts_come_first() {
    assert_eq!(decode_unverified(&"a".repeat(70_000)).err(), Some(DecodeError::TooLong));
    // Escapes are part of a name once they are decoded, and only then is it compared.
    let jwt = hs256(r#"{"alg":"HS256","kid":"\u0061"}"#, r#"{"exp":1,"Exp":2,"EXP":3}"#);
    let jwt = decode_unverified(&jwt).unwrap();
    assert_eq!(jwt.header["kid"], "a");
    assert_eq!(jwt.claims.len(), 3);
}

#[test]
fn headers_that_cannot_be_honoured_are_refused() {
    let signed = |header: &str| hs256(header, PAYLOAD);
    let unsigned = |header: &str| token(header, PAYLOAD, |_| Vec::new());
    let algorithm = |name, token| (name, token, "unsupported_algorithm");
    let crit = |name, header: &str| (name, signed(header), "unsupported_crit");
    let b64 = |name, header: &str| (name, signed(header), "unencoded_payload");
    let kid = |name, header: &str| (name, signed(header), "malformed_kid");
    let rows = vec![
        algorithm("RFC 7515 appendix A.5", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.".into()),
        algorithm("alg none", unsigned(r#"{"alg":"none"}"#)),
        algorithm("alg None", unsigned(r#"{"alg":"None"}"#)),
        algorithm("alg NONE", unsigned(r#"{"alg":"NONE"}"#)),
        algorithm("alg nOnE", unsigned(r#"{"alg":"nOnE"}"#)),
        algorithm("alg none, escaped", unsigned(r#"{"alg":"n\u006fne"}"#)),
        algorithm("alg none with a signature", signed(r#"{"alg":"none"}"#)),
        algorithm("no alg", signed("{}")),
        algorithm("no alg, but Alg", signed(r#"{"Alg":"HS256"}"#)),
        algorithm("alg is empty", signed(r#"{"alg":""}"#)),
        algorithm("alg is null", signed(r#"{"alg":null}"#)),
        algorithm("alg is a number", signed(r#"{"alg":256}"#)),
        algorithm("alg is a list", signed(r#"{"alg":["HS256"]}"#)),
        algorithm("alg is an object", signed(r#"{"alg":{"name":"HS256"}}"#)),
        algorithm("alg in lower case", signed(r#"{"alg":"hs256"}"#)),
        algorithm("alg with a space", signed(r#"{"alg":"HS256 "}"#)),
        algorithm("alg with a zero byte", signed(r#"{"alg":"HS256\u0000"}"#)),
        algorithm("alg of XML", signed(r#"{"alg":"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"}"#)),
        algorithm("alg of another curve", signed(r#"{"alg":"ES256K"}"#)),
        algorithm("alg with SHA-1", signed(r#"{"alg":"RS1"}"#)),
        algorithm("alg that encrypts", signed(r#"{"alg":"RSA-OAEP"}"#)),
        algorithm("alg of a short MAC", signed(r#"{"alg":"HS256/64"}"#)),
        crit("an unknown extension", r#"{"alg":"HS256","crit":["http://example.com/ext"],"http://example.com/ext":1}"#),
        crit("an extension that is not there", r#"{"alg":"HS256","crit":["ext"]}"#),
        crit("no extension", r#"{"alg":"HS256","crit":[]}"#),
        crit("a registered name", r#"{"alg":"HS256","crit":["alg"]}"#),
        crit("crit names a claim", r#"{"alg":"HS256","crit":["exp"],"exp":1363284000}"#),
        crit("crit is a text", r#"{"alg":"HS256","crit":"exp"}"#),
        crit("crit is null", r#"{"alg":"HS256","crit":null}"#),
        crit("crit is a list of numbers", r#"{"alg":"HS256","crit":[1]}"#),
        crit("crit names b64 without it", r#"{"alg":"HS256","crit":["b64"]}"#),
        crit("crit names b64", r#"{"alg":"HS256","crit":["b64"],"b64":true}"#),
        b64("b64 false", r#"{"alg":"HS256","b64":false}"#),
        b64("b64 false in crit", r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#),
        b64("b64 is null", r#"{"alg":"HS256","b64":null}"#),
        b64("b64 is a text", r#"{"alg":"HS256","b64":"true"}"#),
        b64("b64 is a number", r#"{"alg":"HS256","b64":0}"#),
        ("b64 true", signed(r#"{"alg":"HS256","b64":true}"#), ""),
        kid("kid is a number", r#"{"alg":"HS256","kid":1}"#),
        kid("kid is null", r#"{"alg":"HS256","kid":null}"#),
        kid("kid is a list", r#"{"alg":"HS256","kid":["1"]}"#),
        ("a token type that is not known", signed(r#"{"alg":"HS256","typ":"at+jwt"}"#), ""),
        ("extensions that need not be understood", signed(r#"{"alg":"HS256","ext":{"a":[1]}}"#), ""),
    ];
    check(&Validation::new(shared(SECRET)), rows);
}

#[test]
fn a_key_in_the_header_is_not_used() {
    let attacker = SigningKey::generate(KeyType::P256, None).unwrap();
    let jwk = Value::Object(attacker.verifying_key().unwrap().to_jwk());
    let certificate = attacker.self_signed_certificate("attacker", Duration::from_hours(1)).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(&attacker)).unwrap();
    let forged = |header: Value| {
        token(&header.to_string(), PAYLOAD, |input| {
            pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
        })
    };
    let url = "https://attacker.example/keys";
    let rows = vec![
        ("no key", forged(json!({"alg": "ES256"})), "invalid_signature"),
        ("jwk", forged(json!({"alg": "ES256", "jwk": jwk})), "invalid_signature"),
        ("jku", forged(json!({"alg": "ES256", "jku": url})), "invalid_signature"),
        ("x5u", forged(json!({"alg": "ES256", "x5u": url})), "invalid_signature"),
        ("x5c", forged(json!({"alg": "ES256", "x5c": [STANDARD.encode(&certificate)]})), "invalid_signature"),
    ];
    check(&Validation::new(only(&P256)), rows.clone());
    // Nor does the key become one of a set.
    let other = P256.verifying_key().unwrap().to_jwk();
    let set = json!({"keys": [other, RSA.verifying_key().unwrap().to_jwk()]});
    check(&Validation::new(JwkSet::from_json(set.to_string().as_bytes()).unwrap()), rows);
}

/// A token signed with the public key as if it were a shared secret, in each form an issuer may publish it.
#[test]
fn a_public_key_is_no_shared_secret() {
    let openssl = OpenSsl::new();
    openssl.write("key.pem", RSA.to_pem().unwrap().expose());
    openssl.run("pkey -in key.pem -pubout -out public.pem");
    openssl.run("pkey -in key.pem -pubout -outform DER -out public.der");
    openssl.run("rsa -in key.pem -RSAPublicKey_out -out pkcs1.pem");
    openssl.certificate("key.pem", "cert.pem");
    let jwk = Value::Object(RSA.verifying_key().unwrap().to_jwk()).to_string().into_bytes();
    for (name, form) in [
        ("public.pem", openssl.read("public.pem")),
        ("public.pem, trimmed", openssl.read("public.pem").trim_ascii().to_vec()),
        ("public.der", openssl.read("public.der")),
        ("pkcs1.pem", openssl.read("pkcs1.pem")),
        ("cert.pem", openssl.read("cert.pem")),
        ("jwk", jwk),
    ] {
        for (algorithm, hash) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let forged = token(&json!({ "alg": algorithm }).to_string(), PAYLOAD, mac(hash, &form));
            let keys = JwkSet::from(VerifyingKey::from_bytes(&form, None).unwrap());
            assert_eq!(codes(&Validation::new(keys), &forged), "algorithm_not_allowed", "{name} {algorithm}");
            // The forgery itself is well made.
            verify_signature(&forged, &shared(&form)).unwrap();
        }
    }
}

#[test]
fn the_key_decides_about_the_algorithm() {
    let jwk = |key: &SigningKey, alg: &str| {
        let mut jwk = key.verifying_key().unwrap().to_jwk();
        jwk.insert("alg".into(), alg.into());
        JwkSet::from_json(Value::Object(jwk).to_string().as_bytes()).unwrap()
    };
    let p384 = SigningKey::generate(KeyType::P384, None).unwrap();
    let pkcs1 = || rsa(&signature::RSA_PKCS1_SHA256);
    let pss = || rsa(&signature::RSA_PSS_SHA256);
    let [rs256, ps256, es256, eddsa] =
        ["RS256", "PS256", "ES256", "EdDSA"].map(|alg| json!({ "alg": alg }).to_string());
    let rows = [
        ("control: RS256", only(&RSA), token(&rs256, PAYLOAD, pkcs1()), ""),
        ("control: PS256", only(&RSA), token(&ps256, PAYLOAD, pss()), ""),
        ("control: ES256", only(&P256), token(&es256, PAYLOAD, ecdsa), ""),
        ("control: EdDSA", only(&ED25519), token(&eddsa, PAYLOAD, ed25519), ""),
        ("PKCS#1 padding, said to be PSS", only(&RSA), token(&ps256, PAYLOAD, pkcs1()), "invalid_signature"),
        ("PSS padding, said to be PKCS#1", only(&RSA), token(&rs256, PAYLOAD, pss()), "invalid_signature"),
        (
            "another hash than said",
            only(&RSA),
            token(&rs256, PAYLOAD, rsa(&signature::RSA_PKCS1_SHA512)),
            "invalid_signature",
        ),
        (
            "another hash than said, PSS",
            only(&RSA),
            token(&ps256, PAYLOAD, rsa(&signature::RSA_PSS_SHA384)),
            "invalid_signature",
        ),
        (
            "RS256 by a key for PS256",
            jwk(&RSA, "PS256"),
            token(&rs256, PAYLOAD, pkcs1()),
            "algorithm_not_allowed",
        ),
        (
            "PS256 by a key for RS256",
            jwk(&RSA, "RS256"),
            token(&ps256, PAYLOAD, pss()),
            "algorithm_not_allowed",
        ),
        ("PS256 by a key for PS256", jwk(&RSA, "PS256"), token(&ps256, PAYLOAD, pss()), ""),
        ("ES256 by a P-384 key", only(&p384), token(&es256, PAYLOAD, ecdsa), "algorithm_not_allowed"),
        (
            "ES384 by a P-256 key",
            only(&P256),
            token(r#"{"alg":"ES384"}"#, PAYLOAD, ecdsa),
            "algorithm_not_allowed",
        ),
        ("ES256 by an RSA key", only(&RSA), token(&es256, PAYLOAD, ecdsa), "algorithm_not_allowed"),
        ("RS256 by an EC key", only(&P256), token(&rs256, PAYLOAD, pkcs1()), "algorithm_not_allowed"),
        ("EdDSA by an EC key", only(&P256), token(&eddsa, PAYLOAD, ed25519), "algorithm_not_allowed"),
        ("ES256 by an Ed25519 key", only(&ED25519), token(&es256, PAYLOAD, ecdsa), "algorithm_not_allowed"),
        ("HS256 by an Ed25519 key", only(&ED25519), good(), "algorithm_not_allowed"),
        (
            "RS256 by a shared secret",
            shared(SECRET),
            token(&rs256, PAYLOAD, pkcs1()),
            "algorithm_not_allowed",
        ),
        ("no keys at all", JwkSet::default(), good(), "unknown_kid"),
    ];
    for (name, keys, token, expected) in rows {
        assert_eq!(codes(&Validation::new(keys), &token), expected, "{name}");
    }
}

/// The order of the base point of P-256 (SEC 2 section 2.4.2), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of the base point of Ed25519 (RFC 8032 section 5.1), little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn ecdsa_signatures_in_another_form_are_wrong() {
    let with = |change: Combine<'_>| {
        token(r#"{"alg":"ES256"}"#, PAYLOAD, |input| {
            let signature = ecdsa(input);
            change(&signature[..32], &signature[32..])
        })
    };
    let der = token(r#"{"alg":"ES256"}"#, PAYLOAD, |input| {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8(&P256)).unwrap();
        pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
    });
    let zero = [0; 32];
    let wrong = |name, token| (name, token, "invalid_signature");
    let rows = vec![
        ("control", with(&|r, s| [r, s].concat()), ""),
        wrong("a DER sequence", der),
        wrong("nothing", with(&|_, _| Vec::new())),
        wrong("r alone", with(&|r, _| r.to_vec())),
        wrong("one byte short", with(&|r, s| [r, &s[..31]].concat())),
        wrong("one byte more", with(&|r, s| [r, s, &[0]].concat())),
        wrong("a zero before each number", with(&|r, s| [&[0], r, &[0], s].concat())),
        wrong("as long as for P-384", with(&|r, s| [&zero[..16], r, &zero[..16], s].concat())),
        wrong("r and s exchanged", with(&|r, s| [s, r].concat())),
        wrong("r is zero", with(&|_, s| [&zero, s].concat())),
        wrong("s is zero", with(&|r, _| [r, &zero].concat())),
        wrong("both are zero", with(&|_, _| vec![0; 64])),
        wrong("r is the order", with(&|_, s| [&P256_ORDER, s].concat())),
        wrong("s is the order", with(&|r, _| [r, &P256_ORDER].concat())),
        wrong("both are the order", with(&|_, _| [P256_ORDER, P256_ORDER].concat())),
        wrong("all ones", with(&|_, _| vec![0xff; 64])),
    ];
    check(&Validation::new(only(&P256)), rows);
}

#[test]
fn ed25519_signatures_in_another_form_are_wrong() {
    let with = |change: Change<'_>| token(r#"{"alg":"EdDSA"}"#, PAYLOAD, |input| change(ed25519(input)));
    // The same number modulo the order: RFC 8032 section 5.1.7 demands the least one.
    let plus_order = |mut signature: Vec<u8>| {
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ED25519_ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        signature
    };
    let wrong = |name, change: Change<'_>| (name, with(change), "invalid_signature");
    let rows = vec![
        ("control", with(&|signature| signature), ""),
        wrong("S beyond the order", &plus_order),
        wrong("nothing", &|_| Vec::new()),
        wrong("one byte short", &|signature| signature[..63].to_vec()),
        wrong("one byte more", &|signature| [signature, vec![0]].concat()),
        wrong("R alone", &|signature| signature[..32].to_vec()),
        wrong("all zeros", &|_| vec![0; 64]),
        wrong("the neutral point and zero", &|_| [vec![1], vec![0; 63]].concat()),
        wrong("all ones", &|_| vec![0xff; 64]),
        wrong("S is the order", &|signature| [&signature[..32], &ED25519_ORDER].concat()),
    ];
    check(&Validation::new(only(&ED25519)), rows);
}

#[test]
fn rsa_signatures_in_another_form_are_wrong() {
    let n = URL_SAFE_NO_PAD.decode(RSA.verifying_key().unwrap().to_jwk()["n"].as_str().unwrap()).unwrap();
    let mut rows = vec![];
    for (alg, padding) in [
        ("RS256", &signature::RSA_PKCS1_SHA256 as &'static dyn RsaEncoding),
        ("PS256", &signature::RSA_PSS_SHA256),
    ] {
        let with = |change: Change<'_>| {
            token(&json!({ "alg": alg }).to_string(), PAYLOAD, |input| change(rsa(padding)(input)))
        };
        let wrong = |name, change: Change<'_>| (name, with(change), "invalid_signature");
        rows.extend([
            ("control", with(&|signature| signature), ""),
            wrong("nothing", &|_| Vec::new()),
            wrong("one byte short", &|signature| signature[..255].to_vec()),
            wrong("a zero before", &|signature| [vec![0], signature].concat()),
            wrong("a zero behind", &|signature| [signature, vec![0]].concat()),
            wrong("all zeros", &|_| vec![0; 256]),
            wrong("one", &|_| [vec![0; 255], vec![1]].concat()),
            wrong("the modulus", &|_| n.clone()),
            wrong("all ones", &|_| vec![0xff; 256]),
            wrong("backwards", &|signature| signature.into_iter().rev().collect()),
            wrong("as text", &|signature| encode(signature).into_bytes()),
        ]);
    }
    check(&Validation::new(only(&RSA)), rows);
}

#[test]
fn pss_salts_of_another_length_are_wrong() {
    let openssl = OpenSsl::new();
    openssl.write("key.pem", RSA.to_pem().unwrap().expose());
    for (length, expected) in
        [("0", "invalid_signature"), ("20", "invalid_signature"), ("32", ""), ("max", "invalid_signature")]
    {
        let token = token(r#"{"alg":"PS256"}"#, PAYLOAD, |input| {
            openssl.write("input", input);
            openssl.run(&format!(
                "dgst -sha256 -sign key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{length} -out signature input"
            ));
            openssl.read("signature")
        });
        assert_eq!(codes(&Validation::new(only(&RSA)), &token), expected, "{length}");
    }
}

#[test]
fn macs_in_another_form_are_wrong() {
    let with = |change: Change<'_>| {
        token(r#"{"alg":"HS256"}"#, PAYLOAD, |input| change(mac(hmac::HMAC_SHA256, SECRET)(input)))
    };
    let wrong = |name, change: Change<'_>| (name, with(change), "invalid_signature");
    let rows = vec![
        ("control", with(&|mac| mac), ""),
        wrong("nothing", &|_| Vec::new()),
        wrong("the first half", &|mac| mac[..16].to_vec()),
        wrong("one byte short", &|mac| mac[..31].to_vec()),
        wrong("one byte more", &|mac| [mac, vec![0]].concat()),
        wrong("as base64 text", &|mac| STANDARD.encode(mac).into_bytes()),
        wrong("all zeros", &|_| vec![0; 32]),
        (
            "of another hash",
            token(r#"{"alg":"HS256"}"#, PAYLOAD, mac(hmac::HMAC_SHA512, SECRET)),
            "invalid_signature",
        ),
        (
            "of another secret",
            token(r#"{"alg":"HS256"}"#, PAYLOAD, mac(hmac::HMAC_SHA256, "another")),
            "invalid_signature",
        ),
        (
            "of an empty secret",
            token(r#"{"alg":"HS256"}"#, PAYLOAD, mac(hmac::HMAC_SHA256, "")),
            "invalid_signature",
        ),
        (
            "of the hash alone",
            token(r#"{"alg":"HS256"}"#, PAYLOAD, |input| {
                digest::digest(&digest::SHA256, input).as_ref().to_vec()
            }),
            "invalid_signature",
        ),
    ];
    check(&Validation::new(shared(SECRET)), rows);
}

#[test]
fn of_several_keys_the_named_one_counts() {
    let key = |kid: Option<&str>, key: &SigningKey| {
        let mut jwk = key.verifying_key().unwrap().to_jwk();
        jwk.remove("kid");
        jwk.extend(kid.map(|kid| ("kid".to_owned(), kid.into())));
        Value::Object(jwk)
    };
    let set = |keys: &[Value]| JwkSet::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let other = SigningKey::generate(KeyType::P256, None).unwrap();
    let signed = |kid: Option<&str>| {
        let mut header = json!({"alg": "ES256"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        token(&header.to_string(), PAYLOAD, ecdsa)
    };
    let two = set(&[key(Some("1"), &other), key(Some("2"), &P256)]);
    let twice = set(&[key(Some("1"), &other), key(Some("1"), &P256), key(Some("1"), &RSA)]);
    let unnamed = set(&[key(Some("1"), &other), key(None, &P256)]);
    let rows = [
        ("the named one", &two, signed(Some("2")), ""),
        ("another one", &two, signed(Some("1")), "invalid_signature"),
        ("none of them", &two, signed(Some("3")), "unknown_kid"),
        ("in another case or with a space", &two, signed(Some("2 ")), "unknown_kid"),
        ("a path", &two, signed(Some("../../../dev/null")), "unknown_kid"),
        ("the empty name", &two, signed(Some("")), "unknown_kid"),
        ("no name: each is tried", &two, signed(None), ""),
        ("one name for several", &twice, signed(Some("1")), ""),
        ("a key without a name may be it", &unnamed, signed(Some("3")), ""),
    ];
    for (name, keys, token, expected) in rows {
        assert_eq!(codes(&Validation::new(keys.clone()), &token), expected, "{name}");
    }
}

/// The code for claims that are as expected but for one: another value, or none where it is null.
#[test]
fn claims_are_held_against_what_is_expected() {
    let half = |text: &str| encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16]);
    let whole = |text: &str| encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let mut validation = Validation::new(shared(SECRET));
    validation.issuer = Some("https://as.example".into());
    validation.audiences = vec!["app".into(), "api".into()];
    validation.nonce = Some("n-0S6_WzA2Mj".into());
    validation.authorized_party = Some("app".into());
    validation.access_token = Some(Secret::from("access"));
    validation.code = Some(Secret::from("code"));
    let claims = json!({
        "iss": "https://as.example", "sub": "alice", "aud": ["other", "api"], "azp": "app",
        "nonce": "n-0S6_WzA2Mj", "at_hash": half("access"), "c_hash": half("code"),
        "exp": NOW + 300, "nbf": NOW, "iat": NOW,
    });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        hs256(r#"{"alg":"HS256"}"#, claims.to_string())
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        hs256(r#"{"alg":"HS256"}"#, claims.to_string())
    };
    let rows = vec![
        ("control", with("sub", json!("alice")), ""),
        ("no exp", without("exp"), "missing_exp"),
        ("exp is a text", with("exp", json!("1700000300")), "malformed_exp"),
        ("exp is a date", with("exp", json!("2030-01-01T00:00:00Z")), "malformed_exp"),
        ("exp is null", with("exp", Value::Null), "malformed_exp"),
        ("exp is true", with("exp", json!(true)), "malformed_exp"),
        ("exp is a list", with("exp", json!([NOW + 300])), "malformed_exp"),
        ("exp is an object", with("exp", json!({"$gt": 0})), "malformed_exp"),
        ("exp is zero", with("exp", json!(0)), "expired"),
        ("exp is negative", with("exp", json!(-1)), "expired"),
        ("exp is far in the past", with("exp", json!(i64::MIN)), "expired"),
        ("exp in 1970, huge and negative", with("exp", json!(-1e300)), "expired"),
        ("exp a second ago, beyond the skew", with("exp", json!(NOW - 60)), "expired"),
        ("exp a moment ago, beyond the skew", with("exp", json!(1_699_999_939.5)), "expired"),
        ("exp within the skew", with("exp", json!(NOW - 59)), ""),
        ("exp with a fraction", with("exp", json!(1_700_000_000.5)), ""),
        ("exp huge", with("exp", json!(u64::MAX)), ""),
        ("nbf in the future", with("nbf", json!(NOW + 61)), "not_yet_valid"),
        ("nbf huge", with("nbf", json!(1e300)), "not_yet_valid"),
        ("nbf within the skew", with("nbf", json!(NOW + 60)), ""),
        ("nbf negative", with("nbf", json!(-1)), ""),
        ("nbf is a text", with("nbf", json!("0")), "malformed_nbf"),
        ("nbf is null", with("nbf", Value::Null), "malformed_nbf"),
        ("no nbf", without("nbf"), ""),
        ("iat in the future", with("iat", json!(NOW + 61)), "issued_in_future"),
        ("iat within the skew", with("iat", json!(NOW + 60)), ""),
        ("iat in milliseconds", with("iat", json!(NOW * 1000)), "issued_in_future"),
        ("iat is a text", with("iat", json!("1700000000")), "malformed_iat"),
        ("no iat", without("iat"), ""),
        ("no iss", without("iss"), "missing_iss"),
        ("another iss", with("iss", json!("https://evil.example")), "wrong_iss"),
        ("iss with a slash", with("iss", json!("https://as.example/")), "wrong_iss"),
        ("iss in another case", with("iss", json!("https://AS.example")), "wrong_iss"),
        ("iss begins alike", with("iss", json!("https://as.example.evil.example")), "wrong_iss"),
        ("iss in a list", with("iss", json!(["https://as.example"])), "wrong_iss"),
        ("iss is null", with("iss", Value::Null), "wrong_iss"),
        ("no aud", without("aud"), "missing_aud"),
        ("aud is one text", with("aud", json!("app")), ""),
        ("another aud", with("aud", json!("other")), "wrong_aud"),
        ("aud in another case", with("aud", json!("APP")), "wrong_aud"),
        ("aud begins alike", with("aud", json!("app2")), "wrong_aud"),
        ("aud separated by a space", with("aud", json!("app api")), "wrong_aud"),
        ("aud is empty", with("aud", json!([])), "wrong_aud"),
        ("aud has a number", with("aud", json!(["app", 1])), "malformed_aud"),
        ("aud has a list", with("aud", json!([["app"]])), "malformed_aud"),
        ("aud has null", with("aud", json!([null, "app"])), "malformed_aud"),
        ("aud is a number", with("aud", json!(1)), "malformed_aud"),
        ("aud is an object", with("aud", json!({"app": true})), "malformed_aud"),
        ("aud is null", with("aud", Value::Null), "malformed_aud"),
        ("no nonce", without("nonce"), "missing_nonce"),
        ("another nonce", with("nonce", json!("other")), "wrong_nonce"),
        ("nonce in another case", with("nonce", json!("N-0s6_wZa2mJ")), "wrong_nonce"),
        ("nonce is null", with("nonce", Value::Null), "wrong_nonce"),
        ("no azp", without("azp"), "missing_azp"),
        ("another azp", with("azp", json!("other")), "wrong_azp"),
        ("no at_hash", without("at_hash"), "missing_at_hash"),
        ("at_hash of another token", with("at_hash", json!(half("other"))), "wrong_at_hash"),
        ("at_hash of the whole hash", with("at_hash", json!(whole("access"))), "wrong_at_hash"),
        ("at_hash is empty", with("at_hash", json!("")), "wrong_at_hash"),
        ("no c_hash", without("c_hash"), "missing_c_hash"),
        ("c_hash of another code", with("c_hash", json!(half("other"))), "wrong_c_hash"),
    ];
    check(&validation, rows);
}

#[test]
fn every_reason_is_told_but_none_of_a_forged_token() {
    let mut validation = Validation::new(shared(SECRET));
    validation.issuer = Some("https://as.example".into());
    validation.audiences = vec!["app".into()];
    let payload =
        json!({"iss": "https://evil.example", "exp": 0, "nbf": NOW + 999, "iat": "now"}).to_string();
    let wrong = "wrong_iss missing_aud expired not_yet_valid malformed_iat";
    assert_eq!(codes(&validation, &hs256(r#"{"alg":"HS256"}"#, &payload)), wrong);
    let forged = token(r#"{"alg":"HS256"}"#, &payload, mac(hmac::HMAC_SHA256, "guess"));
    assert_eq!(codes(&validation, &forged), "invalid_signature");
}

/// OpenID Connect Core section 3.1.3.6: the hash is that of the algorithm which signs the token.
#[test]
fn at_hash_is_made_with_the_hash_of_the_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = match algorithm.key_type() {
            KeyType::Symmetric => SigningKey::from_shared_secret(Secret::from(SECRET)),
            KeyType::Rsa => RSA.clone(),
            other => SigningKey::generate(other, None).unwrap(),
        };
        let hash = match algorithm.as_str() {
            name if name.ends_with("256") => &digest::SHA256,
            name if name.ends_with("384") => &digest::SHA384,
            _ => &digest::SHA512,
        };
        let hash = digest::digest(hash, b"access");
        let claims = json!({"exp": NOW + 300, "at_hash": encode(&hash.as_ref()[..hash.as_ref().len() / 2])});
        let token = jwt::sign(&Header::new(algorithm, &key), &claims, &key).unwrap();
        let mut validation = Validation::new(only(&key));
        validation.access_token = Some(Secret::from("access"));
        assert_eq!(codes(&validation, token.expose_str().unwrap()), "", "{algorithm}");
        validation.access_token = Some(Secret::from("another"));
        assert_eq!(codes(&validation, token.expose_str().unwrap()), "wrong_at_hash", "{algorithm}");
    }
}

#[test]
fn the_skew_is_the_callers() {
    let mut validation = Validation::new(shared(SECRET));
    let expired = |seconds: i64| hs256(r#"{"alg":"HS256"}"#, json!({"exp": NOW - seconds}).to_string());
    validation.clock_skew = Duration::ZERO;
    assert_eq!(codes(&validation, &expired(0)), "expired");
    assert_eq!(codes(&validation, &expired(-1)), "");
    validation.clock_skew = Duration::MAX;
    assert_eq!(codes(&validation, &expired(NOW)), "");
}
