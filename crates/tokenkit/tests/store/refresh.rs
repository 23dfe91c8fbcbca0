//! Refreshes against a server that rotates refresh tokens and revokes the family when one is used twice.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenkit::jwt::{self, Header, KeyType, SigningKey};
use tokenkit::providers::lcs::{Authority, Config, PasswordRequest, RefreshRequest, SECTION, clear};
use tokenkit::store::{Section, Store};
use tokenkit::{Client, Error, ErrorCode, Grant, HttpConfig, KeptToken, Secret, TokenRequest, TokenResponse};
use tokenkit_testserver::entra::{self, Settings};
use tokenkit_testserver::{Canned, TestServer};

use crate::child::{playing, role};
use crate::{Heard, KEY, OTHER_KEY, all_text, code, open, open_heard, secret, set_secret};

pub(crate) const API: &str = "https://lcsapi.lcs.dynamics.com";

pub(crate) fn member(response: &TokenResponse, name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(response.body.expose()).unwrap();
    body.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

pub(crate) fn at(server: &TestServer) -> Authority {
    Authority { address: Some(server.url("")), ..Authority::default() }
}

/// Signs in and saves the tokens, as the first use does.
pub(crate) async fn sign_in(server: &TestServer, store: &Store) -> TokenResponse {
    let request = PasswordRequest {
        client_id: Some(entra::CLIENTS[0].into()),
        username: entra::USERNAME.into(),
        password: Secret::from(entra::PASSWORD),
        lcs_api_uri: Some(API.into()),
        authority: at(server),
    };
    let response = Client::new().lcs_token(request, &HttpConfig::default(), store).await.unwrap();
    save(&response, store).await;
    response
}

/// Saves what a pipeline would.
pub(crate) async fn save(response: &TokenResponse, store: &Store) -> bool {
    let config = Config {
        bearer_token: member(response, "access_token").map(Secret::from),
        refresh_token: member(response, "refresh_token").map(Secret::from),
        active_token_expires_on: member(response, "expires_on").and_then(|text| text.parse().ok()),
        lcs_api_uri: member(response, "resource"),
        ..Config::default()
    };
    config.save(store, false).await.unwrap().kept_newer_token
}

async fn refresh(store: &Store, token: &str) -> Result<TokenResponse, Error> {
    let request = RefreshRequest { refresh_token: Some(Secret::from(token)), ..RefreshRequest::default() };
    Arc::new(Client::new()).lcs_refresh(request, &HttpConfig::default(), store).await
}

async fn stored(store: &Store) -> String {
    let config = Config::load(store).await.unwrap();
    config.refresh_token.unwrap().expose_str().unwrap().to_owned()
}

fn count(server: &TestServer, name: &str) -> u64 {
    server.entra()[name].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_gets_the_first_answer() {
    for key in [None, Some(KEY)] {
        let server = TestServer::start().unwrap();
        let folder = TempDir::new().unwrap();
        sign_in(&server, &open(folder.path(), key)).await;
        let token = stored(&open(folder.path(), key)).await;

        let calls: Vec<_> = (0..16)
            .map(|_| {
                let (store, token) = (open(folder.path(), key), token.clone());
                tokio::spawn(async move { refresh(&store, &token).await.unwrap() })
            })
            .collect();
        let mut bodies = Vec::new();
        for call in calls {
            bodies.push(call.await.unwrap().body);
        }
        assert!(bodies.iter().all(|body| body.matches(&bodies[0])));
        assert_eq!((count(&server, "refreshes"), count(&server, "reuses")), (1, 0));
        // And the section has it, though nobody has saved.
        let section = open(folder.path(), key).read(SECTION).await.unwrap();
        let newest = server.entra()["newest"]["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(secret(&section, "refreshtoken"), Some(newest.as_str()));
        let body: Value = serde_json::from_slice(bodies[0].expose()).unwrap();
        assert_eq!(secret(&section, "bearertoken"), body["access_token"].as_str());
        assert_eq!(
            section.value("activetokenexpireson").unwrap().to_string(),
            body["expires_on"].as_str().unwrap()
        );
    }
}

/// A process of a runbook: read, refresh, save; several times.
async fn runbook(folder: &Path, key: Option<&str>, rounds: u32) {
    for _ in 0..rounds {
        let store = open(folder, key);
        let token = stored(&store).await;
        let response = refresh(&store, &token).await.unwrap();
        save(&response, &store).await;
    }
}

#[test]
fn runbooks_at_once_lose_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = role("runbook") {
        return runtime.block_on(runbook(&folder, Some(KEY), 20));
    }
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    runtime.block_on(sign_in(&server, &open(folder.path(), Some(KEY))));
    let begun = Instant::now();
    let children: Vec<_> = (0..32)
        .map(|_| {
            let mut command = playing("runbook", folder.path(), "refresh::runbooks_at_once_lose_nothing");
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
    }
    let counts = server.entra();
    println!("32 processes, 20 rounds each: {:?}, {counts}", begun.elapsed());
    assert_eq!((count(&server, "invalid_grants"), count(&server, "reuses")), (0, 0));
    // No step back: what is stored is the last that was handed out.
    let newest = counts["newest"]["refresh_token"].as_str().unwrap();
    assert_eq!(runtime.block_on(stored(&open(folder.path(), Some(KEY)))), newest);
    assert_eq!(counts["newest"]["generation"], counts["refreshes"]);
    assert!(count(&server, "refreshes") >= 20);
}

#[tokio::test]
async fn a_late_save_does_not_step_back() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let first = sign_in(&server, &store).await;
    let slow = refresh(&open(folder.path(), None), &stored(&store).await).await.unwrap();
    for _ in 0..5 {
        refresh(&open(folder.path(), None), &stored(&store).await).await.unwrap();
    }
    let newest = stored(&store).await;
    for late in [&first, &slow] {
        assert!(save(late, &open(folder.path(), None)).await);
        assert_eq!(stored(&store).await, newest);
    }
    // Another sign-in is no step back.
    let other = sign_in(&server, &store).await;
    assert_eq!(Some(stored(&store).await), member(&other, "refresh_token"));
}

/// Rewrites a record, as if it had been made at another time.
fn age(folder: &Path, minutes: i64) {
    for entry in std::fs::read_dir(folder.join("refresh")).unwrap() {
        let path = entry.unwrap().path();
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let at = record["values"]["at"].as_i64().unwrap();
        record["values"]["at"] = (at - minutes * 60_000).into();
        std::fs::write(&path, record.to_string()).unwrap();
    }
}

#[tokio::test]
async fn a_token_that_was_spent_long_ago_is_not_sent_again() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    sign_in(&server, &store).await;
    let old = stored(&store).await;
    for _ in 0..3 {
        refresh(&store, &stored(&store).await).await.unwrap();
    }
    age(folder.path(), 3);
    let heard = Arc::new(Heard::default());
    let response = refresh(&open_heard(folder.path(), None, &heard), &old).await.unwrap();
    assert_eq!((count(&server, "refreshes"), count(&server, "reuses")), (4, 0));
    assert_eq!(member(&response, "refresh_token"), Some(stored(&store).await));
    assert!(heard.notes().iter().any(|note| note.contains("spent")), "{:?}", heard.notes());
}

#[tokio::test]
async fn a_record_is_kept_for_a_day() {
    let server = TestServer::start().unwrap();
    for (hours, kept) in [(23, true), (25, false)] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path(), None);
        sign_in(&server, &store).await;
        refresh(&store, &stored(&store).await).await.unwrap();
        let record =
            std::fs::read_dir(folder.path().join("refresh")).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::File::options().write(true).open(&record).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
        let later = open(folder.path(), None);
        Config { project_id: Some(1), ..Config::default() }.save(&later, false).await.unwrap();
        assert_eq!(record.exists(), kept, "after {hours} hours");
    }
}

/// Killed after the answer was kept, and before the section had it.
#[tokio::test]
async fn what_a_killed_process_had_not_saved_is_found() {
    for minutes in [0, 30] {
        let server = TestServer::start().unwrap();
        let folder = TempDir::new().unwrap();
        let store = open(folder.path(), None);
        sign_in(&server, &store).await;
        let before = std::fs::read(folder.path().join("sections/d365lcs.json")).unwrap();
        let old = stored(&store).await;
        refresh(&store, &old).await.unwrap();
        std::fs::write(folder.path().join("sections/d365lcs.json"), before).unwrap();
        age(folder.path(), minutes);
        assert_eq!(stored(&store).await, old);

        let response = refresh(&open(folder.path(), None), &old).await.unwrap();
        assert_eq!(count(&server, "reuses"), 0);
        assert_eq!(count(&server, "refreshes"), if minutes == 0 { 1 } else { 2 });
        assert_eq!(member(&response, "refresh_token"), Some(stored(&store).await));
    }
}

/// Killed at any moment of a refresh: what has arrived is not lost. Only an answer that was still on its way is.
#[test]
fn a_refresh_that_is_killed_loses_no_token() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = role("refresh for ever") {
        return runtime.block_on(runbook(&folder, None, u32::MAX));
    }
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    runtime.block_on(sign_in(&server, &open(folder.path(), None)));
    let mut arrived = 0;
    for round in 0..60 {
        let before = count(&server, "refreshes");
        let test = "refresh::a_refresh_that_is_killed_loses_no_token";
        let mut child =
            playing("refresh for ever", folder.path(), test).stdout(Stdio::null()).spawn().unwrap();
        while count(&server, "refreshes") < before + 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 997 % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
        // A request that it had sent may still lie unread at the server, which is busy with other tests.
        std::thread::sleep(Duration::from_millis(50));

        let newest = server.entra()["newest"]["refresh_token"].as_str().unwrap().to_owned();
        let store = open(folder.path(), None);
        let files = all_text(&folder.path().join("sections")) + &all_text(&folder.path().join("refresh"));
        if files.contains(&newest) {
            arrived += 1;
            let token = runtime.block_on(stored(&store));
            runtime.block_on(refresh(&store, &token)).unwrap();
        } else {
            runtime.block_on(sign_in(&server, &store));
        }
        assert_eq!(count(&server, "reuses"), 0);
    }
    println!("60 kills, in {arrived} the last answer had arrived");
    assert!(arrived >= 10, "{arrived}");
}

/// Whoever asked may go away: once the request is sent, its answer is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_refresh_keeps_its_answer() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    sign_in(&server, &store).await;
    let old = stored(&store).await;
    server.configure_entra(Settings { delay_ms: 300, ..Settings::default() });
    let begun = Instant::now();
    tokio::select! {
        _ = refresh(&store, &old) => panic!("the server was too fast"),
        () = async { while count(&server, "refreshes") == 0 { tokio::time::sleep(Duration::from_millis(2)).await } } => {}
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    while stored(&store).await == old {
        assert!(begun.elapsed() < Duration::from_secs(20), "the answer was lost");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.entra()["newest"]["refresh_token"], stored(&store).await);
}

/// Somebody else, who leaves no records here, has refreshed the stored token and saved the new one.
#[tokio::test]
async fn after_invalid_grant_the_store_is_asked_once_more() {
    let server = TestServer::start().unwrap();
    server.configure_entra(Settings { rotates: false, ..Settings::default() });
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    sign_in(&server, &store).await;
    let old = Secret::from("revoked-by-somebody");
    let good = stored(&store).await;
    let put = |token: Secret| {
        store.update(SECTION, move |section: &mut Section| {
            section.set_secret("refreshtoken", token);
            Ok(())
        })
    };
    put(old.clone()).await.unwrap();
    assert_eq!(stored(&store).await, "revoked-by-somebody");
    put(Secret::from(good.as_str())).await.unwrap();
    let response = refresh(&store, "revoked-by-somebody").await.unwrap();
    assert_eq!(member(&response, "refresh_token"), Some(good.clone()));
    assert_eq!(count(&server, "invalid_grants"), 1);

    // Not for a token that never stood there, and not for another client.
    for (client, token) in [(0, Secret::from("never-seen")), (1, old)] {
        let request = RefreshRequest {
            client_id: Some(entra::CLIENTS[client].into()),
            refresh_token: Some(token),
            authority: at(&server),
            ..RefreshRequest::default()
        };
        let result = Arc::new(Client::new()).lcs_refresh(request, &HttpConfig::default(), &store).await;
        assert_eq!(result.unwrap_err().code(), "invalid_grant");
    }
    assert_eq!(stored(&store).await, good);
}

/// The place in a section of tokens that are not of LCS.
fn kept() -> KeptToken {
    KeptToken {
        section: "example".into(),
        access_token: "at".into(),
        refresh_token: "rt".into(),
        expires_on: None,
        client_id: None,
    }
}

/// Presents `rt0`, which is what the section of [`kept`] holds at first.
async fn refresh_kept(
    server: &TestServer,
    store: &Store,
    issuer: Option<String>,
) -> Result<TokenResponse, Error> {
    present(server, store, issuer, Some(&kept())).await
}

async fn present(
    server: &TestServer,
    store: &Store,
    issuer: Option<String>,
    kept: Option<&KeptToken>,
) -> Result<TokenResponse, Error> {
    let grant = Grant::RefreshToken { refresh_token: Secret::from("rt0") };
    let mut request = TokenRequest::new(server.url("/canned/token"), grant);
    request.client_id = Some("app".into());
    request.issuer = issuer;
    Arc::new(Client::new()).refresh_once(request, &HttpConfig::default(), store, kept).await
}

async fn kept_token(store: &Store) -> Option<String> {
    secret(&store.read("example").await.unwrap(), "rt").map(str::to_owned)
}

#[rstest]
#[case::kept_by_the_server(json!({"access_token": "a1"}))]
#[case::rotated(json!({"access_token": "a1", "refresh_token": "rt1"}))]
#[tokio::test]
async fn an_expired_answer_is_not_given_again(#[case] mut first: Value) {
    let server = TestServer::start().unwrap();
    first["expires_in"] = 30.into();
    server.canned("/canned/token", Canned::json(200, &first.to_string()));
    server.canned("/canned/token", Canned::json(200, r#"{"access_token":"a2","expires_in":3600}"#));
    for in_section in [true, false] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path(), None);
        if in_section {
            set_secret(&store, "example", "rt", "rt0").await;
        }
        let kept = kept();
        let kept = in_section.then_some(&kept);
        for _ in 0..2 {
            let response = present(&server, &store, None, kept).await.unwrap();
            assert_eq!(member(&response, "access_token").as_deref(), Some("a1"));
        }
        age(folder.path(), 1);
        let response = present(&server, &store, None, kept).await.unwrap();
        assert_eq!(member(&response, "access_token").as_deref(), Some("a2"));
        let next = first["refresh_token"].as_str().unwrap_or("rt0");
        let sent: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
        assert_eq!(sent.len(), 2);
        assert!(String::from_utf8_lossy(&sent[1]).contains(&format!("refresh_token={next}")), "{next}");
        server.canned("/canned/token", Canned::json(200, &first.to_string()));
        server.canned("/canned/token", Canned::json(200, r#"{"access_token":"a2","expires_in":3600}"#));
    }
}

/// The clock here is slow, so the ID token seems to come from the future; the old refresh token is spent all the same.
#[tokio::test]
async fn what_comes_with_an_id_token_that_is_not_accepted_is_kept() {
    let server = TestServer::start().unwrap();
    let key = SigningKey::generate(KeyType::P256, None).unwrap();
    let metadata = json!({"issuer": server.url(""), "jwks_uri": server.url("/keys")});
    server.canned("/.well-known/openid-configuration", Canned::json(200, &metadata.to_string()));
    let keys = json!({"keys": [key.verifying_key().unwrap().to_jwk()]});
    server.canned("/keys", Canned::json(200, &keys.to_string()));
    let now = chrono::Utc::now().timestamp() + 3600;
    let claims = json!({"iss": server.url(""), "sub": "alice", "aud": "app", "iat": now, "exp": now + 300});
    let id_token = jwt::sign(&Header::new(key.default_algorithm(), &key), &claims, &key).unwrap();
    let body = json!({"access_token": "a1", "refresh_token": "rt1", "id_token": id_token.expose_str()});
    server.canned("/canned/token", Canned::json(200, &body.to_string()));
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set_secret(&store, "example", "rt", "rt0").await;
    // The second time without a request, and not accepted either.
    for sent in [1, 0] {
        let result = refresh_kept(&server, &store, Some(server.url(""))).await;
        assert_eq!(code(result), ErrorCode::IdTokenNotYetValid);
        assert_eq!(kept_token(&store).await.as_deref(), Some("rt1"));
        let requests = server.requests();
        assert_eq!(requests.iter().filter(|request| request.path == "/canned/token").count(), sent);
    }
}

#[tokio::test]
async fn the_section_gets_the_token_without_a_record() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/token", Canned::json(200, r#"{"access_token":"a1","refresh_token":"rt1"}"#));
    let folder = TempDir::new().unwrap();
    let heard = Arc::new(Heard::default());
    let store = open_heard(folder.path(), None, &heard);
    set_secret(&store, "example", "rt", "rt0").await;
    let name = hex::encode(digest::digest(&digest::SHA256, b"rt0"));
    std::fs::create_dir(folder.path().join(format!("refresh/{name}.json"))).unwrap();
    refresh_kept(&server, &store, None).await.unwrap();
    assert_eq!(kept_token(&store).await.as_deref(), Some("rt1"));
    let warnings = heard.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("could not be kept")), "{warnings:?}");
}

/// It is empty until the first refresh, and what copies a store may leave it out.
#[tokio::test]
async fn a_copy_without_the_folder_of_records_gets_it() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/token", Canned::json(200, r#"{"access_token":"a1","refresh_token":"rt1"}"#));
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set_secret(&store, "example", "rt", "rt0").await;
    std::fs::remove_dir(folder.path().join("refresh")).unwrap();
    refresh_kept(&server, &store, None).await.unwrap();
    assert_eq!(kept_token(&store).await.as_deref(), Some("rt1"));
    assert_eq!(std::fs::read_dir(folder.path().join("refresh")).unwrap().count(), 1);
}

#[tokio::test]
async fn failures_are_not_kept() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    server.canned("/canned/token", Canned::json(400, r#"{"error":"temporarily_unavailable"}"#));
    server.canned("/canned/token", Canned::json(200, r#"{"access_token":"a","refresh_token":"r1"}"#));
    let grant = Grant::RefreshToken { refresh_token: Secret::from("r0") };
    let request = TokenRequest::new(server.url("/canned/token"), grant);
    let client = Arc::new(Client::new());
    let kept = kept();
    let once = HttpConfig { max_retries: 0, ..HttpConfig::default() };
    let call = || client.refresh_once(request.clone(), &once, &store, Some(&kept));
    assert_eq!(call().await.unwrap_err().code(), "temporarily_unavailable");
    assert_eq!(member(&call().await.unwrap(), "refresh_token").as_deref(), Some("r1"));
    // The section did not have this token, so it does not get the new one.
    assert!(store.read("example").await.unwrap().is_empty());
    assert_eq!(member(&call().await.unwrap(), "refresh_token").as_deref(), Some("r1"));
    assert_eq!(server.requests().len(), 2);

    let mut other = request.clone();
    other.scope = Some("more".into());
    assert!(client.refresh_once(other, &HttpConfig::default(), &store, None).await.is_ok());
    assert_eq!(server.requests().len(), 1, "the answer to another question was given");
    let wrong = TokenRequest::new(server.url("/canned/token"), Grant::ClientCredentials);
    let result = client.refresh_once(wrong, &HttpConfig::default(), &store, None).await;
    assert_eq!(code(result), ErrorCode::InvalidArgument);
}

/// A store that is of no use does not stop a refresh of a token that the caller has.
#[tokio::test]
async fn without_a_store_the_request_is_made_with_a_warning() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), Some(KEY));
    let token = member(&sign_in(&server, &store).await, "refresh_token").unwrap();
    let heard = Arc::new(Heard::default());
    let request = RefreshRequest {
        client_id: Some(entra::CLIENTS[0].into()),
        refresh_token: Some(Secret::from(token)),
        lcs_api_uri: Some(API.into()),
        authority: at(&server),
    };
    let wrong = open_heard(folder.path(), Some(OTHER_KEY), &heard);
    let client = Arc::new(Client::new());
    client.lcs_refresh(request, &HttpConfig::default(), &wrong).await.unwrap();
    assert!(
        heard.warnings().iter().any(|warning| warning.contains("without the store")),
        "{:?}",
        heard.warnings()
    );
    let result = client.lcs_refresh(RefreshRequest::default(), &HttpConfig::default(), &wrong).await;
    assert_eq!(code(result), ErrorCode::StoreKeyWrong);
}

/// The temporary layer has its own token, and gets its successor.
#[tokio::test]
async fn the_temporary_layer_is_refreshed_alone() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    sign_in(&server, &store).await;
    let kept = stored(&open(folder.path(), None)).await;
    let second = sign_in(&server, &open(TempDir::new().unwrap().path(), None)).await;
    let temporary =
        Config { refresh_token: member(&second, "refresh_token").map(Secret::from), ..Config::default() };
    temporary.save(&store, true).await.unwrap();
    let token = stored(&store).await;
    let response = refresh(&store, &token).await.unwrap();
    assert_eq!(Some(stored(&store).await), member(&response, "refresh_token"));
    assert_eq!(stored(&open(folder.path(), None)).await, kept);
    // It is in the memory of the process only, also for who comes second.
    assert!(refresh(&store, &token).await.unwrap().body.matches(&response.body));
    assert_eq!((count(&server, "refreshes"), count(&server, "reuses")), (1, 0));
    assert_eq!(std::fs::read_dir(folder.path().join("refresh")).unwrap().count(), 0);
    clear(&store, &[], true).await.unwrap();
    drop(refresh(&store, &token).await);
    assert_eq!(count(&server, "reuses"), 1, "what it got was forgotten with it");
}

#[tokio::test]
async fn a_token_that_nobody_has_saved_gets_on_no_disk() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let first = sign_in(&server, &open(TempDir::new().unwrap().path(), None)).await;
    let request = RefreshRequest {
        refresh_token: member(&first, "refresh_token").map(Secret::from),
        client_id: Some(entra::CLIENTS[0].into()),
        authority: at(&server),
        ..RefreshRequest::default()
    };
    let store = open(folder.path(), None);
    let client = Arc::new(Client::new());
    let response = client.lcs_refresh(request, &HttpConfig::default(), &store).await.unwrap();
    assert!(!all_text(folder.path()).contains(&member(&response, "refresh_token").unwrap()));
}

/// What a refresh got is forgotten with the tokens of the section.
#[tokio::test]
async fn clearing_the_tokens_clears_the_records() {
    let server = TestServer::start().unwrap();
    for names in [vec![], vec!["RefreshToken".to_owned()]] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path(), None);
        sign_in(&server, &store).await;
        refresh(&store, &stored(&store).await).await.unwrap();
        let records = || std::fs::read_dir(folder.path().join("refresh")).unwrap().count();
        clear(&store, &["ProjectId".into()], false).await.unwrap();
        assert_eq!(records(), 1);
        clear(&store, &names, false).await.unwrap();
        assert_eq!(records(), 0);
    }
}
