//! Signatures and keys held against the RFCs, against `openssl`, and against themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::DateTime;
use common::openssl::OpenSsl;
use common::vectors;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value, json};
use tokenkit::jwt::{
    self, Algorithm, DecodeError, Header, JwkSet, KeyType, Reason, SigningKey, Validation, VerifyingKey,
    decode_unverified, verify_signature,
};
use tokenkit::{ErrorCode, MetadataLocation, Secret};

const KEY_TYPES: [KeyType; 6] =
    [KeyType::Symmetric, KeyType::Rsa, KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Ed25519];

fn new_key(key_type: KeyType) -> SigningKey {
    match key_type {
        KeyType::Symmetric => SigningKey::from_shared_secret(Secret::from(Vec::from(rand_bytes()))),
        other => SigningKey::generate(other, None).unwrap(),
    }
}

fn rand_bytes() -> [u8; 64] {
    let mut bytes = [0; 64];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

/// Two keys of each type.
static KEYS: LazyLock<Vec<[SigningKey; 2]>> =
    LazyLock::new(|| KEY_TYPES.map(|key_type| [new_key(key_type), new_key(key_type)]).into());

fn keys_for(algorithm: Algorithm) -> &'static [SigningKey; 2] {
    &KEYS[KEY_TYPES.iter().position(|own| *own == algorithm.key_type()).unwrap()]
}

fn set(key: &SigningKey) -> JwkSet {
    key.verifying_key().unwrap().into()
}

fn sign(algorithm: Algorithm, key: &SigningKey, claims: &Value) -> String {
    jwt::sign(&Header::new(algorithm, key), claims, key).unwrap().expose_str().unwrap().to_owned()
}

/// The reason against the token's signature; `""` when it holds.
fn reason(token: &str, keys: &JwkSet) -> String {
    verify_signature(token, keys).err().map(|reason| reason.code()).unwrap_or_default()
}

fn public_half(private: &Value) -> Value {
    let mut jwk = private.clone();
    if jwk["kty"] != "oct" {
        jwk.as_object_mut()
            .unwrap()
            .retain(|name, _| ["kty", "crv", "n", "e", "x", "y", "kid"].contains(&&**name));
    }
    jwk
}

fn verifying(jwk: &Value) -> VerifyingKey {
    VerifyingKey::from_bytes(jwk.to_string().as_bytes(), None).unwrap()
}

fn encode(data: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

// The RFCs. Where their payload is no JSON, the unit tests of the key check the signature.

#[test]
fn the_tokens_of_rfc_7515_verify_with_the_published_keys() {
    let mut seen = 0;
    for row in vectors("jws.json") {
        let input = row["signing_input"].as_str().unwrap();
        let token = format!("{input}.{}", row["signature"].as_str().unwrap());
        let Ok(jwt) = decode_unverified(&token) else { continue };
        let public = public_half(&row["key"]);
        let text = public.to_string();
        let jwk_set = json!({"keys": [{"kty": "unknown"}, public]}).to_string();
        for keys in [text, jwk_set] {
            assert_eq!(reason(&token, &JwkSet::from_json(keys.as_bytes()).unwrap()), "", "{}", row["source"]);
        }
        assert_eq!(jwt.claims["iss"], "joe");
        // Their tokens expired in 2011, and that is all there is against them.
        let validation = Validation::new(verifying(&public).into());
        let reasons = |now| validation.reasons(&token, DateTime::from_timestamp(now, 0).unwrap());
        assert_eq!(reasons(1_300_819_379), []);
        assert_eq!(reasons(1_700_000_000), [Reason::Expired]);
        seen += 1;
    }
    assert_eq!(seen, 3, "appendix A.1 to A.3");
}

#[test]
fn the_published_keys_verify_as_pem_too() {
    let openssl = OpenSsl::new();
    for row in vectors("jws.json").into_iter().filter(|row| row["key"]["kty"] != "oct") {
        let private = SigningKey::from_bytes(row["key"].to_string().as_bytes(), None).unwrap();
        openssl.write("key.pem", private.to_pem().unwrap().expose());
        openssl.run("pkey -in key.pem -pubout -out public.pem");
        openssl.run("pkey -in key.pem -pubout -outform DER -out public.der");
        for file in ["key.pem", "public.pem", "public.der"] {
            let key = VerifyingKey::from_bytes(&openssl.read(file), None).unwrap();
            assert_eq!(key.to_jwk(), verifying(&public_half(&row["key"])).to_jwk(), "{}", row["source"]);
            let input = row["signing_input"].as_str().unwrap();
            let token = format!("{input}.{}", row["signature"].as_str().unwrap());
            if decode_unverified(&token).is_ok() {
                assert_eq!(reason(&token, &key.into()), "", "{} {file}", row["source"]);
            }
        }
    }
}

#[test]
fn what_rfc_7515_has_besides_signed_compact_tokens_is_refused() {
    let key = &vectors("jws.json")[0]["key"];
    let keys = JwkSet::from(verifying(key));
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(reason(unsecured, &keys), "unsupported_algorithm", "appendix A.5");
    // Appendix A.6 and A.7, shortened: the JSON serializations are not for JWTs (RFC 7519 section 1).
    let general = r#"{"payload":"e30","signatures":[{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"2010-12-29"},"signature":"AA"}]}"#;
    let flattened = r#"{"payload":"e30","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"AA"}"#;
    for token in [general, flattened] {
        assert_eq!(decode_unverified(token).err(), Some(DecodeError::NotAJwt));
    }
}

/// RFC 7523 shows the header of its examples encoded (section 2.1 and 2.2) and the claims as JSON (section 4).
#[test]
fn the_examples_of_rfc_7523_are_read() {
    let claims = r#"{"iss":"https://jwt-idp.example.com",
        "sub":"mailto:mike@example.com",
        "aud":"https://jwt-rp.example.net",
        "nbf":1300815780,
        "exp":1300819380,
        "http://claims.example.com/member":true}"#;
    for (header, algorithm, key_id) in [
        ("eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0", "ES256", "16"),
        ("eyJhbGciOiJSUzI1NiIsImtpZCI6IjIyIn0", "RS256", "22"),
    ] {
        let token = format!("{header}.{}.c2ln", encode(claims));
        let jwt = decode_unverified(&token).unwrap();
        assert_eq!(Value::Object(jwt.header), json!({"alg": algorithm, "kid": key_id}));
        assert_eq!(Value::Object(jwt.claims), serde_json::from_str::<Value>(claims).unwrap());
    }
}

#[test]
fn the_key_sets_of_rfc_7517_hold_the_keys_that_check_signatures() {
    for row in vectors("jwks.json") {
        let set = JwkSet::from_json(row["jwks"].to_string().as_bytes()).unwrap();
        let names: Vec<_> = set.keys().iter().map(|key| key.key_id().unwrap()).collect();
        assert_eq!(json!(names), row["usable"], "{}", row["source"]);
        for key in set.keys() {
            assert!(set.contains(key.key_id().unwrap()));
            assert_eq!(key.weakness(), None);
            let published = row["jwks"]["keys"].as_array().unwrap();
            let published = published.iter().find(|jwk| jwk["kid"] == key.key_id().unwrap()).unwrap();
            for (name, value) in key.to_jwk() {
                assert_eq!(value, published[&name], "{name}");
            }
        }
    }
}

/// The certificate of RFC 7517 appendix B holds the same key as the members beside it.
#[test]
fn a_key_that_is_only_in_a_certificate_is_found_there() {
    let rows = vectors("jwks.json");
    let whole = &rows.last().unwrap()["jwks"]["keys"][0];
    let mut only = whole.clone();
    for member in ["n", "e"] {
        only.as_object_mut().unwrap().remove(member).unwrap();
    }
    assert_eq!(verifying(&only).to_jwk(), verifying(whole).to_jwk());

    for (member, value, message) in [
        ("kty", json!("EC"), "certificate of the JWK is not of its type, EC"),
        ("x5c", json!([]), "lacks members"),
        ("x5c", json!(["MIID"]), "certificate cannot be read"),
        ("x5c", json!(["a-_b"]), "not base64"),
        ("x5c", json!("MIID"), "cannot be read"),
    ] {
        only[member] = value;
        let error = VerifyingKey::from_bytes(only.to_string().as_bytes(), None).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidKey);
        assert!(error.to_string().contains(message), "{error}");
        only = whole.clone();
        only.as_object_mut().unwrap().retain(|name, _| name != "n" && name != "e");
    }
}

#[test]
fn a_key_without_a_name_is_named_by_the_thumbprint_of_the_rfcs() {
    for row in vectors("thumbprint.json") {
        let mut jwk = row["key"].clone();
        jwk.as_object_mut().unwrap().remove("kid");
        assert_eq!(verifying(&jwk).to_jwk()["kid"], row["thumbprint"], "{}", row["source"]);
    }
}

/// RFC 8037 appendix A.1 and A.2: one seed, one public key.
#[test]
fn the_public_half_of_the_key_of_rfc_8037_is_its_own() {
    let rows = vectors("jws.json");
    let row = rows.iter().find(|row| row["algorithm"] == "EdDSA").unwrap();
    let key = SigningKey::from_bytes(row["key"].to_string().as_bytes(), None).unwrap();
    let public = key.verifying_key().unwrap().to_jwk();
    assert_eq!(public["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert!(!public.contains_key("d"));
    let private: Value = serde_json::from_slice(key.to_private_jwk().unwrap().expose()).unwrap();
    assert_eq!(private["d"], "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
}

// Keys as JWK.

fn number(jwk: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap()
}

fn stripped(bytes: &[u8]) -> String {
    encode(bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>())
}

/// Issuers that handle numbers as numbers strip zeros; those that handle them as signed put one before.
#[test]
fn zeros_before_a_number_make_no_difference() {
    for key_type in [KeyType::Rsa, KeyType::P256, KeyType::P384, KeyType::P521] {
        // Of P-521 about half of all numbers begin with a zero byte.
        let (key, jwk) = std::iter::repeat_with(|| SigningKey::generate(key_type, None).unwrap())
            .map(|key| {
                (
                    key.clone(),
                    serde_json::from_slice::<Value>(key.to_private_jwk().unwrap().expose()).unwrap(),
                )
            })
            .find(|(_, jwk)| {
                key_type != KeyType::P521 || ["x", "y", "d"].iter().all(|name| number(jwk, name)[0] == 0)
            })
            .unwrap();
        let members = ["n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"];
        let rewritten = |write: &dyn Fn(&[u8]) -> String| {
            let mut other = jwk.clone();
            for name in members.iter().filter(|name| jwk.get(name).is_some()) {
                other[name] = write(&number(&jwk, name)).into();
            }
            other.to_string().into_bytes()
        };
        for other in [rewritten(&stripped), rewritten(&|bytes| encode([&[0], bytes].concat()))] {
            let public = VerifyingKey::from_bytes(&other, None).unwrap();
            assert_eq!(public.to_jwk(), key.verifying_key().unwrap().to_jwk());
            let private = SigningKey::from_bytes(&other, None).unwrap();
            assert_eq!(private.to_private_jwk().unwrap().expose(), key.to_private_jwk().unwrap().expose());
            let token = sign(private.default_algorithm(), &private, &json!({}));
            assert_eq!(reason(&token, &public.into()), "");
        }
    }
}

/// What becomes of the JWK of a P-256 key with these members changed; `Ok` with the algorithms it is for.
fn with_members(members: &Value) -> Result<String, String> {
    let mut jwk = KEYS[2][0].verifying_key().unwrap().to_jwk();
    jwk.extend(members.as_object().unwrap().clone());
    let jwk = Value::Object(jwk);
    let key = VerifyingKey::from_bytes(jwk.to_string().as_bytes(), None);
    // As one of a set it is passed over where it is refused alone.
    let set = JwkSet::from_json(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    assert_eq!(set.keys().len(), usize::from(key.is_ok()));
    match key {
        Ok(key) => {
            Ok(Algorithm::ALL.iter().filter(|own| key.allows(**own)).map(ToString::to_string).collect())
        }
        Err(error) => {
            assert_eq!(error.error_code(), ErrorCode::InvalidKey);
            Err(error.to_string())
        }
    }
}

#[rstest]
#[case::nothing(json!({}))]
#[case::for_signatures(json!({"use": "sig"}))]
#[case::for_checking(json!({"key_ops": ["verify"]}))]
#[case::for_both(json!({"key_ops": ["sign", "verify"], "use": "sig"}))]
#[case::its_algorithm(json!({"alg": "ES256"}))]
#[case::unknown_members(json!({"ext": true, "x5t": 1, "d": ["not looked at"]}))]
#[case::null(json!({"use": null, "alg": null, "key_ops": null, "kid": null}))]
fn members_that_allow_signatures(#[case] members: Value) {
    assert_eq!(with_members(&members).unwrap(), "ES256");
}

#[rstest]
#[case::for_encryption(json!({"use": "enc"}), "'use'")]
#[case::for_no_known_use(json!({"use": "Sig"}), "'use'")]
#[case::for_wrapping(json!({"key_ops": ["wrapKey", "unwrapKey"]}), "'key_ops'")]
#[case::for_deriving(json!({"key_ops": ["deriveBits"], "use": "sig"}), "'key_ops'")]
#[case::for_nothing(json!({"key_ops": []}), "'key_ops'")]
#[case::another_curve_by_alg(json!({"alg": "ES384"}), "is for ES384")]
#[case::another_type_by_alg(json!({"alg": "RS256"}), "is for RS256")]
#[case::a_mac_by_alg(json!({"alg": "HS256"}), "is for HS256")]
#[case::encryption_by_alg(json!({"alg": "ECDH-ES"}), "'ECDH-ES'")]
#[case::none_by_alg(json!({"alg": "none"}), "'none'")]
#[case::alg_is_a_number(json!({"alg": 256}), "cannot be read")]
#[case::kid_is_a_number(json!({"kid": 1}), "cannot be read")]
#[case::use_is_a_list(json!({"use": ["sig"]}), "cannot be read")]
#[case::key_ops_is_a_text(json!({"key_ops": "verify"}), "cannot be read")]
#[case::another_type(json!({"kty": "RSA"}), "lacks members")]
#[case::type_in_lower_case(json!({"kty": "ec"}), "'ec'")]
#[case::no_type(json!({"kty": null}), "cannot be read")]
#[case::another_curve(json!({"crv": "P-384"}), "not valid")]
#[case::a_smaller_curve(json!({"crv": "P-521"}), "not valid")]
#[case::an_unknown_curve(json!({"crv": "secp256k1"}), "curve")]
#[case::not_on_the_curve(json!({"x": encode([1; 32])}), "not valid")]
#[case::zero(json!({"x": "", "y": ""}), "not valid")]
#[case::too_long(json!({"x": encode([1; 33])}), "too long")]
#[case::x_is_a_number(json!({"x": 1}), "cannot be read")]
#[case::padded_x(json!({"x": "AAAA=="}), "cannot be read")]
fn members_that_forbid_signatures(#[case] members: Value, #[case] message: &str) {
    let error = with_members(&members).unwrap_err();
    assert!(error.contains(message), "{error}");
}

#[rstest]
#[case::no_json("{", "cannot be read")]
#[case::no_object("[]", "cannot be read")]
#[case::a_name_twice(r#"{"keys":[],"keys":[]}"#, "cannot be read")]
#[case::a_name_twice_in_a_key(r#"{"keys":[{"kty":"oct","k":"AA","k":"AQ"}]}"#, "cannot be read")]
#[case::keys_is_no_list(r#"{"keys":{}}"#, "no array")]
#[case::neither_set_nor_key("{}", "cannot be read")]
#[case::an_error(r#"{"error":"server_error"}"#, "cannot be read")]
fn what_is_no_key_set_is_refused(#[case] text: &str, #[case] message: &str) {
    let error = JwkSet::from_json(text.as_bytes()).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidKey);
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn keys_of_a_set_that_cannot_be_used_are_passed_over() {
    let good = KEYS[2][0].verifying_key().unwrap().to_jwk();
    let keys = json!({"keys": [{}, null, 1, "key", [], {"kty": "AKP"}, {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "oct", "k": ""}, {"kty": "RSA", "n": "AQ", "e": "AQAB"}, {"kty": "RSA", "n": "", "e": ""}, good]});
    let set = JwkSet::from_json(keys.to_string().as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.keys()[0].key_type(), KeyType::P256);
    assert!(JwkSet::from_json(br#"{"keys":[]}"#).unwrap().keys().is_empty());
}

#[test]
fn rsa_keys_need_their_primes_to_sign() {
    let rows = vectors("jws.json");
    let whole = &rows.iter().find(|row| row["algorithm"] == "RS256").unwrap()["key"];
    for member in ["p", "q", "dp", "dq", "qi"] {
        let mut jwk = whole.clone();
        jwk.as_object_mut().unwrap().remove(member).unwrap();
        let error = SigningKey::from_bytes(jwk.to_string().as_bytes(), None).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidKey);
        assert!(error.to_string().contains("'p', 'q', 'dp', 'dq' and 'qi'"), "{error}");
        verifying(&jwk);
    }
}

#[test]
fn the_alg_of_a_private_jwk_decides() {
    let rows = vectors("jws.json");
    let mut jwk = rows.into_iter().find(|row| row["algorithm"] == "RS256").unwrap()["key"].take();
    jwk["alg"] = "PS384".into();
    let key = SigningKey::from_bytes(jwk.to_string().as_bytes(), None).unwrap();
    assert_eq!(key.default_algorithm(), Algorithm::PS384);
    assert_eq!(key.verifying_key().unwrap().to_jwk()["alg"], "PS384");
    assert_eq!(reason(&sign(Algorithm::PS384, &key, &json!({})), &set(&key)), "");
    let error = jwt::sign(&Header::new(Algorithm::RS256, &key), &json!({}), &key).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::UnsupportedKey);

    jwk["alg"] = "ES256".into();
    let error = SigningKey::from_bytes(jwk.to_string().as_bytes(), None).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidKey);
}

// Weak keys.

#[rstest]
#[case::rs256(Algorithm::RS256, "")]
#[case::rs512(Algorithm::RS512, "")]
#[case::rs384(Algorithm::RS384, "weak_key")]
#[case::ps256(Algorithm::PS256, "weak_key")]
#[case::ps384(Algorithm::PS384, "weak_key")]
fn short_rsa_keys_are_called_weak(#[case] algorithm: Algorithm, #[case] expected: &str) {
    let openssl = OpenSsl::new();
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem");
    openssl.run("pkey -in key.pem -pubout -out public.pem");
    let key = VerifyingKey::from_bytes(&openssl.read("public.pem"), None).unwrap();
    assert!(key.weakness().unwrap().contains("1024 bits"), "{:?}", key.weakness());
    assert_eq!(reason(&signed_by(&openssl, algorithm), &key.into()), expected);
}

#[test]
fn weakness_is_told_by_the_bit_and_by_the_algorithm() {
    let openssl = OpenSsl::new();
    for (bits, weak) in [(2040, true), (2047, true), (2048, false), (3072, false)] {
        openssl.run(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out key.pem"));
        openssl.run("pkey -in key.pem -pubout -out public.pem");
        let key = VerifyingKey::from_bytes(&openssl.read("public.pem"), None).unwrap();
        let told = key.weakness().is_some_and(|text| text.contains(&format!("{bits} bits")));
        assert_eq!(told, weak, "{bits}");
    }
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:512 -out key.pem");
    openssl.run("pkey -in key.pem -pubout -out public.pem");
    let error = VerifyingKey::from_bytes(&openssl.read("public.pem"), None).unwrap_err();
    assert!(error.to_string().contains("512 bits"), "{error}");

    let secret = |alg: Value, length: usize| {
        verifying(&json!({"kty": "oct", "k": encode(vec![1; length]), "alg": alg})).weakness().is_some()
    };
    for (alg, length) in [(Value::Null, 32), (json!("HS256"), 32), (json!("HS384"), 48), (json!("HS512"), 64)]
    {
        assert!(secret(alg.clone(), length - 1), "{alg}");
        assert!(!secret(alg.clone(), length), "{alg}");
    }
    for [key, _] in &KEYS[2..] {
        assert_eq!(key.verifying_key().unwrap().weakness(), None);
    }
}

// openssl signs and this library checks, and the reverse.

/// The signature of `input` by openssl with `key.pem`, in the form of JWS.
fn openssl_signature(openssl: &OpenSsl, algorithm: Algorithm, input: &str) -> Vec<u8> {
    openssl.write("input", input.as_bytes());
    let bits = &algorithm.as_str()[2..];
    openssl.run(&match &algorithm.as_str()[..2] {
        "PS" => format!(
            "dgst -sha{bits} -sign key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -out signature input"
        ),
        "Ed" => "pkeyutl -sign -rawin -inkey key.pem -in input -out signature".into(),
        _ => format!("dgst -sha{bits} -sign key.pem -out signature input"),
    });
    let signature = openssl.read("signature");
    match algorithm {
        Algorithm::ES256 => raw(&signature, 32),
        Algorithm::ES384 => raw(&signature, 48),
        Algorithm::ES512 => raw(&signature, 66),
        _ => signature,
    }
}

fn signed_by(openssl: &OpenSsl, algorithm: Algorithm) -> String {
    let header = json!({"alg": algorithm}).to_string();
    let input = format!("{}.{}", encode(header), encode(r#"{"sub":"alice"}"#));
    let signature = openssl_signature(openssl, algorithm, &input);
    format!("{input}.{}", encode(signature))
}

/// r and s of a DER sequence (RFC 3279 section 2.2.3), each as long as the curve's numbers.
fn raw(der: &[u8], length: usize) -> Vec<u8> {
    let content = if der[1] < 0x80 { &der[2..] } else { &der[3..] };
    let (r, s) = content[2..].split_at(content[1].into());
    assert_eq!([der[0], content[0], s[0]], [0x30, 2, 2]);
    let padded = |number: &[u8]| {
        let number: Vec<_> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        [vec![0; length - number.len()], number].concat()
    };
    [padded(r), padded(&s[2..])].concat()
}

/// The reverse of [`raw`].
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut number: Vec<_> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        [vec![2, u8::try_from(number.len()).unwrap()], number].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let numbers = [integer(r), integer(s)].concat();
    let length = u8::try_from(numbers.len()).unwrap();
    let header = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [header, numbers].concat()
}

#[test]
fn openssl_and_this_library_check_each_other() {
    for algorithm in Algorithm::ALL.into_iter().filter(|own| own.key_type() != KeyType::Symmetric) {
        let [key, _] = keys_for(algorithm);
        let openssl = OpenSsl::new();
        openssl.write("key.pem", key.to_pem().unwrap().expose());
        openssl.run("pkey -in key.pem -pubout -out public.pem");
        let public = VerifyingKey::from_bytes(&openssl.read("public.pem"), None).unwrap();
        // Several: of ECDSA, some numbers begin with zeros and some with a high bit.
        for _ in 0..8 {
            assert_eq!(reason(&signed_by(&openssl, algorithm), &public.clone().into()), "", "{algorithm}");
        }
        for number in 0..8 {
            let token = sign(algorithm, key, &json!({ "number": number }));
            let (input, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            openssl.write("input", input.as_bytes());
            let name = algorithm.as_str();
            let is_ecdsa = name.starts_with("ES");
            openssl.write("signature", &if is_ecdsa { der(&signature) } else { signature });
            let bits = &name[2..];
            openssl.run(&match &name[..2] {
                "PS" => format!(
                    "dgst -sha{bits} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
                     -verify public.pem -signature signature input"
                ),
                "Ed" => "pkeyutl -verify -rawin -pubin -inkey public.pem -sigfile signature -in input".into(),
                _ => format!("dgst -sha{bits} -verify public.pem -signature signature input"),
            });
        }
    }
}

#[rstest]
fn openssl_makes_the_same_mac(
    #[values(Algorithm::HS256, Algorithm::HS384, Algorithm::HS512)] algorithm: Algorithm,
    #[values(1, 32, 64, 200)] length: u8,
) {
    let secret: Vec<u8> = (0..length).collect();
    let key = SigningKey::from_shared_secret(Secret::from(secret.as_slice()));
    let token = sign(algorithm, &key, &json!({"sub": "alice"}));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let openssl = OpenSsl::new();
    openssl.write("input", input.as_bytes());
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    openssl.run(&format!(
        "dgst -sha{} -mac HMAC -macopt hexkey:{hex} -binary -out mac input",
        &algorithm.as_str()[2..]
    ));
    assert_eq!(encode(openssl.read("mac")), signature);
}

#[test]
fn openssl_accepts_the_certificates() {
    for [key, _] in &KEYS[1..] {
        let openssl = OpenSsl::new();
        let certificate = key.self_signed_certificate("app, O=x", Duration::from_hours(24)).unwrap();
        openssl.write("cert.der", &certificate);
        openssl.run("x509 -inform DER -in cert.der -out cert.pem");
        openssl.run("verify -CAfile cert.pem cert.pem");
        openssl.run("x509 -in cert.pem -noout -checkend 86000");
        openssl.try_run("x509 -in cert.pem -noout -checkend 86500").unwrap_err();
        assert!(openssl.run("x509 -in cert.pem -noout -subject -nameopt RFC2253").contains(r"CN=app\, O=x"));
        for file in ["cert.der", "cert.pem"] {
            let public = VerifyingKey::from_bytes(&openssl.read(file), None).unwrap();
            assert_eq!(public.to_jwk(), SigningKey::verifying_key(key).unwrap().to_jwk(), "{file}");
        }
        // The same, as an issuer publishes it.
        let kind = key.verifying_key().unwrap().to_jwk()["kty"].clone();
        let jwk = verifying(&json!({"kty": kind, "x5c": [STANDARD.encode(&certificate)]}));
        assert_eq!(reason(&sign(key.default_algorithm(), key, &json!({})), &jwk.into()), "");
    }
}

#[test]
fn certificates_that_cannot_be_made_are_errors() {
    let code =
        |key: &SigningKey, lifetime| key.self_signed_certificate("app", lifetime).unwrap_err().error_code();
    assert_eq!(code(&KEYS[2][0], Duration::MAX), ErrorCode::InvalidArgument);
    assert_eq!(code(&KEYS[2][0], Duration::from_hours(24 * 366 * 9000)), ErrorCode::InvalidArgument);
    assert_eq!(code(&KEYS[0][0], Duration::from_hours(1)), ErrorCode::UnsupportedKey);
}

#[test]
fn only_key_pairs_of_usual_sizes_are_generated() {
    let code = |key_type, bits| SigningKey::generate(key_type, bits).unwrap_err().error_code();
    for bits in [0, 512, 1024, 2047, 2049, 8192] {
        assert_eq!(code(KeyType::Rsa, Some(bits)), ErrorCode::InvalidArgument);
    }
    assert_eq!(code(KeyType::Symmetric, None), ErrorCode::InvalidArgument);
    let jwk = SigningKey::generate(KeyType::Rsa, Some(3072)).unwrap().verifying_key().unwrap().to_jwk();
    assert_eq!(number(&Value::Object(jwk), "n").len(), 384);
}

#[test]
fn a_shared_secret_has_no_pem_form() {
    let error = KEYS[0][0].to_pem().unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::UnsupportedKey);
}

// For all keys and claims.

/// Every key, every algorithm: in each bit of the text another token, and none of them is accepted.
#[test]
fn a_token_with_one_bit_changed_is_refused() {
    for algorithm in Algorithm::ALL {
        let [key, _] = keys_for(algorithm);
        let keys = set(key);
        let token = sign(algorithm, key, &json!({"sub": "a"}));
        verify_signature(&token, &keys).unwrap();
        for index in 0..token.len() {
            // The eighth bit would leave ASCII, and with that the type.
            for bit in 0..7 {
                let mut changed = token.clone().into_bytes();
                changed[index] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(
                    verify_signature(&changed, &keys).is_err(),
                    "{algorithm}: bit {bit} of character {index}"
                );
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            any_members(inner).prop_map(Value::Object),
        ]
    })
}

fn any_members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), value, 0..6)
        .prop_map(|members| members.into_iter().collect())
}

fn any_algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(&Algorithm::ALL)
}

/// A JWK in which each member is right, wrong or missing.
fn any_jwk() -> impl Strategy<Value = Value> {
    let member = |usual: &'static [&'static str]| {
        prop_oneof![
            4 => prop::sample::select(usual).prop_map(Value::from),
            2 => prop::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| encode(bytes).into()),
            1 => any_json(),
        ]
    };
    let point = member(&["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]);
    let names = [
        "kty", "crv", "alg", "use", "key_ops", "kid", "n", "e", "x", "y", "d", "p", "q", "dp", "dq", "qi",
        "k", "x5c",
    ];
    let values = (
        member(&["RSA", "EC", "OKP", "oct"]),
        member(&["P-256", "P-384", "P-521", "Ed25519"]),
        member(&["ES256", "RS256", "EdDSA", "HS256", "none"]),
        prop::collection::vec(prop_oneof![point, any_json()], names.len() - 3),
    );
    (values, any::<u32>()).prop_map(move |((kty, crv, alg, rest), present)| {
        let values = [kty, crv, alg].into_iter().chain(rest);
        let members = names.iter().zip(values).enumerate();
        let members = members.filter(|(index, _)| present >> index & 1 == 1);
        Value::Object(members.map(|(_, (name, value))| ((*name).to_owned(), value)).collect())
    })
}

/// What can be done with a key that was read.
fn use_key(key: &VerifyingKey) {
    let jwk = Value::Object(key.to_jwk());
    assert_eq!(verifying(&jwk).to_jwk(), key.to_jwk());
    let _ = (key.weakness(), key.key_id(), format!("{key:?}"));
    for algorithm in Algorithm::ALL {
        let token = format!("{}.e30.{}", encode(json!({ "alg": algorithm }).to_string()), encode([1; 64]));
        verify_signature(&token, &key.clone().into()).err().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies(algorithm in any_algorithm(), which in 0..2_usize, claims in any_members(any_json())) {
        let key = &keys_for(algorithm)[which];
        let token = sign(algorithm, key, &Value::Object(claims.clone()));
        let keys = set(key);
        let jwt = verify_signature(&token, &keys);
        prop_assert_eq!(jwt.unwrap().claims, claims);
        let other = &keys_for(algorithm)[1 - which];
        prop_assert_eq!(reason(&token, &set(other)), "invalid_signature");
        for [other, _] in KEYS.iter().filter(|[other, _]| other.key_type() != key.key_type()) {
            prop_assert_eq!(reason(&token, &set(other)), "algorithm_not_allowed");
        }
    }

    #[test]
    fn a_signature_is_of_one_algorithm(algorithm in any_algorithm(), said in any_algorithm()) {
        let [key, _] = keys_for(algorithm);
        let token = sign(algorithm, key, &json!({}));
        let (_, signature) = token.rsplit_once('.').unwrap();
        let header = json!({ "alg": said }).to_string();
        let other = format!("{}.e30.{signature}", encode(header));
        prop_assert!(verify_signature(&other, &set(key)).is_err());
    }

    #[test]
    fn shared_secrets_of_any_kind_sign(
        secret in prop::collection::vec(any::<u8>(), 1..200),
        algorithm in prop::sample::select(&[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]),
    ) {
        let key = SigningKey::from_shared_secret(Secret::from(secret.as_slice()));
        let token = sign(algorithm, &key, &json!({}));
        let jwk = Value::Object(key.verifying_key().unwrap().to_jwk());
        prop_assert_eq!(number(&jwk, "k"), secret);
        prop_assert_eq!(reason(&token, &verifying(&jwk).into()), "");
        prop_assert_eq!(reason(&token, &set(&KEYS[0][0])), "invalid_signature");
    }

    #[test]
    fn any_bytes_are_a_key_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for data in [bytes.clone(), [b"{", &*bytes].concat(), [b"-----BEGIN PUBLIC KEY-----\n", &*bytes].concat(), [b"0\x82\x01\x22", &*bytes].concat()] {
            let _ = VerifyingKey::from_bytes(&data, None).map(|key| use_key(&key));
            let _ = SigningKey::from_bytes(&data, None);
            let _ = JwkSet::from_json(&data);
            let _ = jwt::thumbprint(&data);
        }
    }

    #[test]
    fn damaged_keys_are_a_key_or_refused(which in 1..6_usize, index in any::<prop::sample::Index>(), bit in 0..8_u32) {
        static FORMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            KEYS[1..].iter().map(|[key, _]| key.self_signed_certificate("app", Duration::from_hours(1)).unwrap()).collect()
        });
        let mut der = FORMS[which - 1].clone();
        let index = index.index(der.len());
        der[index] ^= 1 << bit;
        let _ = VerifyingKey::from_bytes(&der, None).map(|key| use_key(&key));
        let mut pem = KEYS[which][0].to_pem().unwrap().expose().to_vec();
        let index = index % pem.len();
        pem[index] ^= 1 << bit;
        let _ = SigningKey::from_bytes(&pem, None);
        let _ = VerifyingKey::from_bytes(&pem, None).map(|key| use_key(&key));
    }

    #[test]
    fn any_jwk_is_a_key_or_refused(jwk in any_jwk()) {
        let text = jwk.to_string();
        let _ = VerifyingKey::from_bytes(text.as_bytes(), None).map(|key| use_key(&key));
        let _ = SigningKey::from_bytes(text.as_bytes(), None);
        let _ = jwt::thumbprint(text.as_bytes());
        let set = JwkSet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        set.keys().iter().for_each(use_key);
    }

    #[test]
    fn any_json_is_a_key_set_or_refused(json in any_json()) {
        let _ = JwkSet::from_json(json.to_string().as_bytes());
        let _ = JwkSet::from_json(json!({ "keys": json }).to_string().as_bytes());
    }

    #[test]
    fn any_address_is_a_place_of_metadata_or_refused(text in prop_oneof![any::<String>(), "(https://)?[a-z./:{}?#@%-]{0,40}(/[.]well-known/[a-z/-]{0,40})?"]) {
        if let Ok(location) = MetadataLocation::parse(&text, true) {
            prop_assert!(!location.urls.is_empty());
        }
    }

    #[test]
    fn any_metadata_is_the_issuers_or_refused(members in any_members(any_json()), issuer in any_json()) {
        let location = MetadataLocation::parse("https://as.example/common", false).unwrap();
        let mut members = members;
        members.insert("issuer".into(), issuer);
        let _ = location.check_issuer(&members);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_read_back_as_written(which in 1..6_usize) {
        let key = new_key(KEY_TYPES[which]);
        let token = sign(key.default_algorithm(), &key, &json!({}));
        let public = key.verifying_key().unwrap();
        let jwk = Value::Object(public.to_jwk());
        prop_assert_eq!(jwk["kid"].as_str().unwrap(), jwt::thumbprint(jwk.to_string().as_bytes()).unwrap());

        let read = JwkSet::from_json(jwk.to_string().as_bytes()).unwrap();
        prop_assert_eq!(Value::Object(read.keys()[0].to_jwk()), jwk.clone());
        prop_assert_eq!(reason(&token, &read), "");

        for form in [key.to_private_jwk().unwrap(), key.to_pem().unwrap()] {
            let read = SigningKey::from_bytes(form.expose(), None).unwrap();
            prop_assert_eq!(Value::Object(read.verifying_key().unwrap().to_jwk()), jwk.clone());
            prop_assert_eq!(reason(&sign(read.default_algorithm(), &read, &json!({})), &set(&key)), "");
            prop_assert!(read.to_pem().unwrap().matches(&key.to_pem().unwrap()));
            // The public half, of the private form.
            let public = VerifyingKey::from_bytes(form.expose(), None).unwrap();
            prop_assert_eq!(Value::Object(public.to_jwk()), jwk.clone());
        }
    }
}
