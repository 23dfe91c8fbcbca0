//! Runs the server for tests in other languages.
//!
//! Prints one line of JSON when ready (URLs, the authority's certificate file, the clients and the users) and nothing
//! else, and ends when its standard input does, so that it never outlives the test that started it.

#![forbid(unsafe_code)]

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use tokenkit_testserver::{TestServer, clients, entra, governance, venafi};
use tokio::sync::oneshot;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    // Both before the line is out: whoever has read it may end the server.
    let terminated = terminated()?;
    let input_ended = input_ended();
    let server = TestServer::start()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", ready_line(&server))?;
    stdout.flush()?;
    tokio::select! {
        () = terminated => {}
        _ = input_ended => {}
    }
    Ok(())
}

fn ready_line(server: &TestServer) -> Value {
    let clients: Map<String, Value> = clients::CLIENTS
        .iter()
        .map(|client| {
            (client.id.to_owned(), json!({ "client_secret": client.secret, "rotates": client.rotates }))
        })
        .collect();
    json!({
        "http": server.url(""),
        "https": server.tls_url(""),
        "certificate_authority": server.certificate_authority(),
        "clients": clients,
        "venafi": {
            "endpoint": server.url(&format!("/v1/oauth2/v2.0/{}/token", venafi::TENANT)),
            "api_key": venafi::API_KEY,
        },
        "governance": {
            "base_url": server.url("/governance"),
            "credentials": governance::CREDENTIALS.map(|credential| json!({
                "client_secret": credential.client_secret,
                "user_principal_name": credential.user_principal_name,
            })),
        },
        "user": { "username": clients::USERNAME, "password": clients::PASSWORD },
        "entra": {
            "clients": entra::CLIENTS,
            "user": { "username": entra::USERNAME, "password": entra::PASSWORD },
        },
    })
}

/// Resolves when standard input ends. A thread of its own reads it: a pending read cannot be cancelled, and would
/// keep a runtime from shutting down.
fn input_ended() -> oneshot::Receiver<()> {
    let (ended, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // An unreadable input has ended, too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    receiver
}

/// Resolves on SIGTERM, or on Ctrl+C where there is no such signal.
#[cfg(unix)]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        signal.recv().await;
    })
}

/// Resolves on SIGTERM, or on Ctrl+C where there is no such signal.
#[cfg(windows)]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut signal = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        signal.recv().await;
    })
}
