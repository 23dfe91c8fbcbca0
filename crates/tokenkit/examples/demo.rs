//! A token, a refresh and an error, against a local authorization server.
//!
//! Run it with `cargo run -p tokenkit --example demo`.

#![allow(clippy::print_stdout, reason = "it is for reading")]

use tokenkit::{Client, ClientAuthentication, Grant, HttpConfig, Secret, TokenRequest, TokenResponse};
use tokenkit_testserver::TestServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TestServer::start()?;
    let client = Client::new();
    let config = HttpConfig::default();
    let request = |grant, secret| {
        let mut request = TokenRequest::new(server.url("/token"), grant);
        request.client_id = Some("demo-client".into());
        request.authentication = ClientAuthentication::SecretBasic { secret: Secret::from(secret) };
        request
    };

    println!("A token for an application (client credentials)");
    show(&client.token(&request(Grant::ClientCredentials, "demo-secret"), &config, &()).await?)?;

    println!("A token for a user, and a refresh");
    let password = Grant::Password { username: "alice".into(), password: Secret::from("wonderland") };
    let first = show(&client.token(&request(password, "demo-secret"), &config, &()).await?)?;
    let refresh_token = Secret::from(first["refresh_token"].as_str().unwrap_or_default());
    let refresh = Grant::RefreshToken { refresh_token };
    show(&client.token(&request(refresh, "demo-secret"), &config, &()).await?)?;

    println!("A wrong secret");
    match client.token(&request(Grant::ClientCredentials, "wrong-secret"), &config, &()).await {
        Ok(_) => Err("the server accepted a wrong secret".into()),
        Err(error) => {
            println!("  {error}\n  {}", error.advice());
            Ok(())
        }
    }
}

/// Prints a response with its tokens shortened, and returns its members.
fn show(response: &TokenResponse) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let members: serde_json::Value = serde_json::from_slice(response.body.expose())?;
    for (name, member) in members.as_object().into_iter().flatten() {
        match member.as_str() {
            Some(token) if name.ends_with("_token") => {
                println!("  {name}: {}…", token.get(..6).unwrap_or("***"));
            }
            _ => println!("  {name}: {member}"),
        }
    }
    Ok(members)
}
