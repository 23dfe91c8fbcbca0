//! The server as a program.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Certificate, Client, Method};
use serde_json::Value;

use crate::{FORM, form, send, text};

/// Starts the program and reads its ready line.
fn start() -> (Child, BufReader<std::process::ChildStdout>, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokenkit-testserver"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready = serde_json::from_str(&line).unwrap();
    (child, stdout, ready)
}

/// Waits for the end and checks that it was a clean one.
fn finish(mut child: Child, mut stdout: impl Read, ready: &Value) {
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!Path::new(text(ready, "certificate_authority")).exists());
}

#[tokio::test]
async fn serves_until_its_input_ends() {
    let (mut child, stdout, ready) = start();
    let authority = std::fs::read(text(&ready, "certificate_authority")).unwrap();
    let authority = Certificate::from_pem(&authority).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let secret = text(&ready["clients"]["demo-client"], "client_secret");
    assert!(ready["clients"]["public-client"]["client_secret"].is_null());
    let (username, password) = (text(&ready["user"], "username"), text(&ready["user"], "password"));
    let body = form(&[
        ("grant_type", "password"),
        ("client_id", "demo-client"),
        ("client_secret", secret),
        ("username", username),
        ("password", password),
    ]);
    for base in ["http", "https"] {
        let url = format!("{}/token", text(&ready, base));
        let (status, reply) = send(&client, Method::POST, &url, &[FORM], &body).await;
        assert_eq!((status, &reply["token_type"]), (200, &"Bearer".into()), "{url}");
    }
    drop(child.stdin.take());
    finish(child, stdout, &ready);
}

#[cfg(unix)]
#[test]
fn ends_on_sigterm() {
    let (child, stdout, ready) = start();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    finish(child, stdout, &ready);
}
