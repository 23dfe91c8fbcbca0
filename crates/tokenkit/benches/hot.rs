//! What every call runs, without the network: `cargo bench -p tokenkit`.

#![allow(clippy::unwrap_used, reason = "a bench that fails is to be heard")]

use chrono::Utc;
use divan::{Bencher, black_box};
use serde_json::json;
use tokenkit::jwt::{self, Algorithm, Header, KeyType, SigningKey, Validation, decode_unverified};
use tokenkit::{Attempt, ClientAuthentication, Grant, HttpResponse, Secret, TokenRequest};

/// So that allocations are counted, too.
#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

fn request() -> TokenRequest {
    let mut request = TokenRequest::new("https://as.example/token", Grant::ClientCredentials);
    request.client_id = Some("app".into());
    request.authentication = ClientAuthentication::SecretPost { secret: Secret::from("s3cr3t") };
    request.scope = Some("api.read api.write".into());
    request
}

fn token(key: &SigningKey, algorithm: Algorithm) -> Secret {
    let claims = json!({
        "iss": "https://as.example", "sub": "alice", "aud": "api", "iat": 1_700_000_000, "exp": 4_000_000_000_u64,
    });
    jwt::sign(&Header::new(algorithm, key), &claims, key).unwrap()
}

#[divan::bench]
fn build_token_request(bencher: Bencher<'_, '_>) {
    let request = request();
    bencher.bench(|| request.build(&Attempt::now()).unwrap().body());
}

#[divan::bench]
fn read_token_response(bencher: Bencher<'_, '_>) {
    let request = request();
    let sent = request.build(&Attempt::now()).unwrap();
    let body =
        json!({"access_token": "a".repeat(1500), "token_type": "Bearer", "expires_in": 3600}).to_string();
    let answer = HttpResponse { status: 200, headers: vec![], body: Secret::from(body) };
    bencher
        .with_inputs(|| answer.clone())
        .bench_values(|answer| request.parse(&sent, answer, Utc::now()).unwrap());
}

#[divan::bench]
fn decode_jwt(bencher: Bencher<'_, '_>) {
    let key = SigningKey::generate(KeyType::P256, None).unwrap();
    let token = token(&key, Algorithm::ES256);
    let text = token.expose_str().unwrap();
    bencher.bench(|| decode_unverified(black_box(text)).unwrap());
}

#[divan::bench(args = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA])]
fn verify_jwt(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let key = SigningKey::generate(algorithm.key_type(), None).unwrap();
    let token = token(&key, algorithm);
    let (text, validation) =
        (token.expose_str().unwrap(), Validation::new(key.verifying_key().unwrap().into()));
    let now = Utc::now();
    bencher.bench(|| assert!(validation.reasons(black_box(text), now).is_empty()));
}
