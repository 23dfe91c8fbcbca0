//! Settings and tokens of Dynamics Lifecycle Services.

use std::sync::Arc;

use chrono::DateTime;
use rstest::rstest;
use tempfile::TempDir;
use tokenkit::providers::lcs::{
    ADDRESSES, Authority, Config, NAMES, PasswordRequest, Question, RefreshRequest, SECTION, check, clear,
};
use tokenkit::{Client, ErrorCode, HttpConfig, Secret};
use tokenkit_testserver::TestServer;
use tokenkit_testserver::entra::{self, Settings};

use crate::refresh::{API, at, member, save, sign_in};
use crate::{code, open, secret};

#[rstest]
#[case("https://lcsapi.lcs.dynamics.com", "https://login.microsoftonline.com")]
#[case("https://lcsapi.eu.lcs.dynamics.com", "https://login.microsoftonline.com")]
#[case("https://LCSAPI.LCS.dynamics.cn/", "https://login.partner.microsoftonline.cn")]
#[case("https://lcsapi.gov.lcs.microsoftdynamics.us", "https://login.microsoftonline.us")]
#[case("https://dynamics.cn.example", "https://login.microsoftonline.com")]
#[case("https://evil-dynamics.cn", "https://login.microsoftonline.com")]
#[case("no address", "https://login.microsoftonline.com")]
fn the_cloud_of_the_api_decides_who_is_asked(#[case] api: &str, #[case] authority: &str) {
    let endpoint = Authority::default().endpoint(Some(api)).unwrap();
    assert_eq!(endpoint, format!("{authority}/common/oauth2/token"));
}

#[test]
fn each_address_names_its_authority() {
    assert_eq!(ADDRESSES.len(), 9);
    for address in ADDRESSES {
        let endpoint = Authority::default().endpoint(Some(address.url)).unwrap();
        assert_eq!(endpoint, format!("{}/common/oauth2/token", address.authority));
    }
}

#[rstest]
#[case(Some("https://h.example"), None, false, Ok("https://h.example/common/oauth2/token"))]
#[case(
    Some("https://h.example/"),
    Some("contoso.com"),
    false,
    Ok("https://h.example/contoso.com/oauth2/token")
)]
#[case(
    Some(" https://h.example/contoso.com/ "),
    None,
    true,
    Ok("https://h.example/contoso.com/oauth2/v2.0/token")
)]
#[case(Some("https://h.example/a.b"), Some("A.B"), false, Ok("https://h.example/A.B/oauth2/token"))]
#[case(
    Some("https://h.example/t/oauth2/token"),
    Some("ignored"),
    true,
    Ok("https://h.example/t/oauth2/token")
)]
#[case(
    Some("https://h.example/t/oauth2/v2.0/token"),
    None,
    false,
    Ok("https://h.example/t/oauth2/v2.0/token")
)]
#[case(Some(""), Some(""), true, Ok("https://login.microsoftonline.com/common/oauth2/v2.0/token"))]
#[case(Some("https://h.example/a"), Some("b"), false, Err(ErrorCode::InvalidEndpoint))]
#[case(Some("h.example"), None, false, Err(ErrorCode::InvalidEndpoint))]
#[case(None, Some("../x"), false, Err(ErrorCode::InvalidEndpoint))]
fn an_authority_becomes_an_endpoint(
    #[case] address: Option<&str>,
    #[case] tenant: Option<&str>,
    #[case] v2: bool,
    #[case] expected: Result<&str, ErrorCode>,
) {
    let (address, tenant) = (address.map(str::to_owned), tenant.map(str::to_owned));
    let authority = Authority { address, tenant, v2, allow_insecure_http: false };
    let endpoint = authority.endpoint(None).map_err(|error| error.error_code());
    assert_eq!(endpoint, expected.map(str::to_owned));
}

fn password_request(server: &TestServer) -> PasswordRequest {
    PasswordRequest {
        client_id: Some(entra::CLIENTS[0].into()),
        username: entra::USERNAME.into(),
        password: Secret::from(entra::PASSWORD),
        lcs_api_uri: Some(API.into()),
        authority: at(server),
    }
}

fn forms(server: &TestServer) -> Vec<Vec<(String, String)>> {
    server.requests().iter().map(tokenkit_testserver::RecordedRequest::form).collect()
}

fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn the_wire_of_version_1() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let response = sign_in(&server, &store).await;
    let token = member(&response, "refresh_token").unwrap();
    // All is text there, and nothing is added.
    let body = response.body.expose_str().unwrap();
    assert!(body.contains(r#""expires_in":"3599""#) && body.contains(r#""resource":"#));
    assert_eq!(body.matches("expires_on").count(), 1);

    let client = Arc::new(Client::new());
    client.lcs_refresh(RefreshRequest::default(), &HttpConfig::default(), &store).await.unwrap();
    let requests = forms(&server);
    assert_eq!(
        requests[0],
        pairs(&[
            ("grant_type", "password"),
            ("username", entra::USERNAME),
            ("password", entra::PASSWORD),
            ("scope", "openid"),
            ("client_id", entra::CLIENTS[0]),
            ("resource", API),
        ])
    );
    // The endpoint and the API are those that the stored token came from.
    assert_eq!(
        requests[1],
        pairs(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", entra::CLIENTS[0]),
            ("resource", API),
        ])
    );
}

#[tokio::test]
async fn the_wire_of_version_2() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let mut request = password_request(&server);
    request.authority.v2 = true;
    let before = chrono::Utc::now().timestamp();
    let response = Client::new().lcs_token(request, &HttpConfig::default(), &store).await.unwrap();
    let expires_on: i64 = member(&response, "expires_on").unwrap().parse().unwrap();
    assert!((before + 3599..=chrono::Utc::now().timestamp() + 3599).contains(&expires_on));
    save(&response, &store).await;
    let config = Config::load(&store).await.unwrap();
    assert_eq!(config.active_token_expires_on, Some(expires_on));
    // Neither is in the answer.
    assert_eq!(config.client_id.as_deref(), Some(entra::CLIENTS[0]));
    assert_eq!(config.lcs_api_uri.as_deref(), Some(API));

    let client = Arc::new(Client::new());
    client.lcs_refresh(RefreshRequest::default(), &HttpConfig::default(), &store).await.unwrap();
    for form in forms(&server) {
        let scope = form.iter().find(|(name, _)| name == "scope").unwrap();
        assert_eq!(scope.1, format!("{API}/.default openid offline_access"));
        assert!(form.iter().all(|(name, _)| name != "resource"));
    }
}

#[tokio::test]
async fn what_is_missing_is_named_before_any_request() {
    let server = TestServer::start().unwrap();
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let client = Arc::new(Client::new());
    let config = HttpConfig::default();
    let without = |change: fn(&mut PasswordRequest)| {
        let mut request = password_request(&server);
        change(&mut request);
        request
    };
    let no_client = without(|request| request.client_id = Some(" ".into()));
    assert_eq!(code(client.lcs_token(no_client, &config, &store).await), ErrorCode::MissingClientId);
    let no_api = without(|request| request.lcs_api_uri = None);
    assert_eq!(code(client.lcs_token(no_api, &config, &store).await), ErrorCode::MissingLcsApiUri);
    let refresh = RefreshRequest::default();
    assert_eq!(code(client.lcs_refresh(refresh, &config, &store).await), ErrorCode::MissingRefreshToken);
    let refresh = RefreshRequest { refresh_token: Some(Secret::from("r")), ..RefreshRequest::default() };
    assert_eq!(code(client.lcs_refresh(refresh, &config, &store).await), ErrorCode::MissingClientId);
    assert!(server.requests().is_empty());

    // What is stored does.
    let saved = Config {
        client_id: Some(entra::CLIENTS[1].into()),
        lcs_api_uri: Some(API.into()),
        ..Config::default()
    };
    saved.save(&store, false).await.unwrap();
    let request = without(|request| (request.client_id, request.lcs_api_uri) = (None, None));
    client.lcs_token(request, &config, &store).await.unwrap();
    assert!(forms(&server)[0].contains(&("client_id".into(), entra::CLIENTS[1].into())));
}

#[tokio::test]
async fn errors_of_the_server_keep_what_it_says() {
    let server = TestServer::start().unwrap();
    let store = open(TempDir::new().unwrap().path(), None);
    let mut request = password_request(&server);
    request.password = Secret::from("Wrong-Passw0rd");
    let error = Client::new().lcs_token(request, &HttpConfig::default(), &store).await.unwrap_err();
    assert_eq!(error.code(), "invalid_grant");
    assert!(error.to_string().contains("AADSTS50126"), "{error}");
    assert!(error.reply().unwrap().body.contains("error_codes"));
    assert!(!format!("{error:?}").contains("Wrong-Passw0rd"));
}

#[tokio::test]
async fn only_what_is_given_is_saved() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    assert!(Config::load(&store).await.unwrap().project_id.is_none());
    let first = Config { project_id: Some(7), client_id: Some("app".into()), ..Config::default() };
    assert_eq!(first.save(&store, false).await.unwrap().changed, ["clientid", "projectid"]);
    let second = Config {
        active_token_expires_on: Some(5_000_000_000),
        bearer_token: Some(Secret::from("bearer")),
        project_id: Some(7),
        ..Config::default()
    };
    assert_eq!(second.save(&store, false).await.unwrap().changed, ["activetokenexpireson", "bearertoken"]);
    let section = open(folder.path(), None).read(SECTION).await.unwrap();
    assert_eq!(section.value("projectid"), Some(&7.into()));
    assert_eq!(section.value("activetokenexpireson"), Some(&5_000_000_000_i64.into()));
    assert_eq!(secret(&section, "bearertoken"), Some("bearer"));
    assert_eq!(section.names().count(), 4);
}

#[tokio::test]
async fn temporary_settings_end_with_the_process() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let stored = Config { project_id: Some(1), client_id: Some("app".into()), ..Config::default() };
    stored.save(&store, false).await.unwrap();
    let temporary = Config { project_id: Some(2), ..Config::default() };
    assert_eq!(temporary.save(&store, true).await.unwrap().changed, ["projectid"]);
    assert_eq!(Config::load(&store).await.unwrap().project_id, Some(2));
    assert_eq!(Config::load(&store).await.unwrap().client_id.as_deref(), Some("app"));
    assert_eq!(Config::load_stored(&store).await.unwrap().project_id, Some(1));
    assert_eq!(Config::load(&open(folder.path(), None)).await.unwrap().project_id, Some(1));
    assert_eq!(clear(&store, &[], true).await.unwrap().changed, ["projectid"]);
    assert_eq!(Config::load(&store).await.unwrap().project_id, Some(1));
}

#[tokio::test]
async fn settings_can_be_forgotten() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    assert_eq!(clear(&store, &[], false).await.unwrap().changed, Vec::<String>::new());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let all = Config {
        active_token_expires_on: Some(1),
        bearer_token: Some(Secret::from("b")),
        client_id: Some("c".into()),
        lcs_api_uri: Some(API.into()),
        project_id: Some(2),
        refresh_token: Some(Secret::from("r")),
    };
    all.save(&store, false).await.unwrap();
    Config { project_id: Some(3), ..Config::default() }.save(&store, true).await.unwrap();
    let names = ["BearerToken".to_owned(), "refreshtoken".into()];
    assert_eq!(clear(&store, &names, false).await.unwrap().changed, ["bearertoken", "refreshtoken"]);
    let left = Config::load(&store).await.unwrap();
    assert!(left.bearer_token.is_none() && left.refresh_token.is_none());
    assert_eq!(left.project_id, Some(3));
    assert_eq!(code(clear(&store, &["tokenendpoint".into()], false).await), ErrorCode::InvalidArgument);
    assert_eq!(
        clear(&store, &NAMES.map(str::to_owned), false).await.unwrap().changed,
        ["activetokenexpireson", "clientid", "lcsapiuri", "projectid"]
    );
    assert!(store.read(SECTION).await.unwrap().is_empty() && !store.exists(SECTION));
}

#[tokio::test]
async fn a_token_tells_how_long_it_lasts() {
    let server = TestServer::start().unwrap();
    server.configure_entra(Settings { expires_in: 1000, ..Settings::default() });
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let now = chrono::Utc::now();
    let ask = async |question: Question, seconds: i64| {
        check(&store, question, now + chrono::TimeDelta::seconds(seconds)).await.unwrap()
    };
    let state = ask(Question::default(), 0).await;
    assert_eq!((state.problem, state.refreshable), (Some("missing"), false));

    let response = sign_in(&server, &store).await;
    let bearer = member(&response, "access_token").unwrap();
    for token in [None, Some(bearer.clone()), Some(format!("Bearer {bearer}"))] {
        let stored = !token.as_deref().unwrap_or_default().starts_with("Bearer ");
        let question = |minimum_lifetime| Question {
            token: token.as_deref().map(Secret::from),
            minimum_lifetime,
            ..Question::default()
        };
        let state = ask(question(0), 0).await;
        assert_eq!(state.problem, None);
        assert_eq!(state.expires_on.unwrap().to_string(), member(&response, "expires_on").unwrap());
        assert!((990..=1001).contains(&state.remaining.unwrap()));
        assert_eq!(
            (state.audience.as_deref(), state.username.as_deref()),
            (Some(API), Some(entra::USERNAME))
        );
        assert_eq!(state.client_id.as_deref(), Some(entra::CLIENTS[0]));
        assert!(state.tenant_id.is_some() && state.refreshable);
        assert_eq!(state.stored, stored);
        assert_eq!(ask(question(3600), 0).await.problem, Some("expires_soon"));
        assert_eq!(ask(question(0), 2000).await.problem, Some("expired"));
        assert_eq!(ask(question(0), -3600).await.problem, Some("not_yet_valid"));
    }
    let opaque =
        |expires_on| Question { token: Some(Secret::from("opaque")), expires_on, minimum_lifetime: 0 };
    assert_eq!(ask(opaque(None), 0).await.problem, Some("expiry_unknown"));
    let later = DateTime::timestamp(&now) + 60;
    let state = ask(opaque(Some(later)), 0).await;
    assert_eq!((state.problem, state.remaining, state.stored), (None, Some(60), false));
}
