//! The server refuses what the RFCs forbid and grants what they allow.

#![allow(clippy::unwrap_used, reason = "a failing test is meant to panic")]

mod binary;
mod device;
mod entra;
mod fault;
mod governance;
mod token;
mod userinfo;
mod venafi;
mod wire;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Client, ClientBuilder, Method, Response};
use serde_json::Value;
use tokenkit_testserver::TestServer;

pub(crate) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
pub(crate) const DEMO: &str = "client_id=demo-client&client_secret=demo-secret";

/// A client that trusts the server's authority and nobody else.
pub(crate) fn client(server: &TestServer) -> ClientBuilder {
    let authority = Certificate::from_pem(&std::fs::read(server.certificate_authority()).unwrap()).unwrap();
    Client::builder().no_proxy().tls_certs_only([authority])
}

/// Sends a request to any URL and reads the JSON that comes back.
pub(crate) async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value) {
    let mut request = client.request(method, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.send().await.unwrap()).await
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Posts a form to a path of the http port.
pub(crate) async fn post(server: &TestServer, path: &str, body: &str) -> (u16, Value) {
    send(&client(server).build().unwrap(), Method::POST, &server.url(path), &[FORM], body).await
}

/// Posts a form to the token endpoint and expects this error code, or none.
pub(crate) async fn expect(server: &TestServer, body: &str, error: Option<&str>) -> Value {
    let (status, reply) = post(server, "/token", body).await;
    assert_eq!(reply.get("error").and_then(Value::as_str), error, "{body}: {reply}");
    assert_eq!(status == 200, error.is_none(), "{body}: {status}");
    reply
}

pub(crate) fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

/// A string member that must be there.
pub(crate) fn text<'a>(reply: &'a Value, name: &str) -> &'a str {
    reply[name].as_str().unwrap_or_else(|| unreachable!("{name} is no string in {reply}"))
}

/// A form-urlencoded body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
