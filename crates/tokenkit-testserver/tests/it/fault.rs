//! The ports where answers go wrong.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokenkit_testserver::{Fault, Place, TestServer};

use crate::{client, send};

const BODY: &str = r#"{"access_token":"at"}"#;

#[tokio::test]
async fn faults_are_set_by_name_and_requests_recorded() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let set = json!({ "name": "busy", "fault": { "status": { "status": 503, "retry_after": "7" } } });
    let (status, reply) =
        send(&client, Method::PUT, &server.url("/control/fault"), &[], &set.to_string()).await;
    assert_eq!(status, 200);
    let url = reply["url"].as_str().unwrap();
    let answer = client.post(format!("{url}/.well-known/x?y=z")).body("a=b").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    let [request] = server.requests().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/busy/.well-known/x?y=z"));
    assert_eq!(request.form(), [("a".to_owned(), "b".to_owned())]);

    let other = url.replace("/busy", "/other");
    assert_eq!(client.get(other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let bad = json!({ "name": "x", "fault": "no_such_fault" }).to_string();
    assert_eq!(send(&client, Method::PUT, &server.url("/control/fault"), &[], &bad).await.0, 400);
}

#[tokio::test]
async fn answers_end_where_they_should() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let rows = [
        (Fault::Reset(Place::Start), false),
        (Fault::Close(Place::Headers), false),
        (Fault::Reset(Place::Body), true),
        (Fault::Close(Place::Body), true),
        (Fault::ChunkedUnfinished, true),
        (Fault::GoAway(0), false),
        (Fault::ResetStream { reason: 8, place: Place::Start }, false),
        (Fault::ResetStream { reason: 8, place: Place::Body }, true),
    ];
    for (number, (fault, has_head)) in rows.into_iter().enumerate() {
        let url = server.fault(&number.to_string(), fault.clone(), BODY).unwrap();
        match client.get(url).send().await {
            Ok(answer) => {
                assert!(has_head, "{fault:?}");
                assert!(answer.bytes().await.is_err(), "{fault:?}");
            }
            Err(error) => assert!(!has_head && !error.is_connect(), "{fault:?}: {error:?}"),
        }
    }
    let url = server.fault("refused", Fault::Refuse, "").unwrap();
    assert!(client.get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_stalled_answer_counts_as_open_until_the_client_hangs_up() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let url = server.fault("stalled", Fault::Stall(Place::Body), BODY).unwrap();
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(server.open(), 1);
    drop(answer);
    while server.open() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn bodies_are_as_they_are_called() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let body = async |fault: Fault| {
        let url = server.fault("body", fault, BODY).unwrap();
        client.get(url).send().await.unwrap().bytes().await.unwrap()
    };
    assert_eq!(body(Fault::Interim(3)).await, BODY);
    assert_eq!(body(Fault::Date("Thu, 01 Jan 1970 00:00:00 GMT".into())).await, BODY);
    assert_eq!(body(Fault::ByteOrderMark).await, ["\u{feff}", BODY].concat());
    assert_eq!(body(Fault::Utf16).await[..4], [0xff, 0xfe, b'{', 0]);
    assert_eq!(body(Fault::DeepJson).await.len(), 500_000);
    assert_eq!(body(Fault::Huge { announced: true }).await.len(), 100_000_019);
}

#[cfg(unix)]
#[tokio::test]
async fn the_bomb_is_one() {
    let server = TestServer::start().unwrap();
    let url = server.fault("bomb", Fault::GzipBomb, "").unwrap();
    let bomb = client(&server).build().unwrap().get(url).send().await.unwrap().bytes().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.gz");
    std::fs::write(&file, bomb).unwrap();
    let output = std::process::Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
    assert!(output.stdout.len() > 70_000_000, "{}", output.stdout.len());
}
