//! Authorization server metadata (OpenID Connect Discovery section 4, RFC 8414): where to ask, and whether
//! the answer is of the issuer that was asked. Nothing here touches the network.

use serde_json::{Map, Value};
use url::Url;

use crate::error::{Error, ErrorCode};
use crate::message::{HttpRequest, HttpResponse};
use crate::reply;
use crate::token::endpoint_url;

const WELL_KNOWN: &str = "/.well-known/";
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// The tenant of the Microsoft identity platform to which personal accounts belong.
pub(crate) const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Tenants of the Microsoft identity platform that stand for others, and what their metadata names instead: a template
/// where it may be any tenant.
const MICROSOFT_TENANTS: &[(&str, &str)] =
    &[("common", "{tenantid}"), ("organizations", "{tenantid}"), ("consumers", PERSONAL_TENANT)];

/// Where version 1 of the Microsoft identity platform is asked, and whose issuer it then names.
const MICROSOFT_V1: &[(&str, &str)] = &[
    ("https://login.microsoftonline.com/", "https://sts.windows.net/"),
    ("https://login.microsoftonline.us/", "https://sts.windows.net/"),
    ("https://login.partner.microsoftonline.cn/", "https://sts.chinacloudapi.cn/"),
];

/// Where the metadata of one issuer is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataLocation {
    /// The issuer that the metadata must name; `None` when only a metadata URL of unknown form was given.
    pub issuer: Option<String>,
    /// The addresses to try, in this order.
    pub urls: Vec<Url>,
}

/// The metadata of an authorization server (RFC 8414 section 2).
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The server's JSON object, untouched.
    pub body: String,
    /// `issuer`.
    pub issuer: String,
    /// `jwks_uri`: where its keys are.
    pub jwks_uri: Option<String>,
    /// `userinfo_endpoint`.
    pub userinfo_endpoint: Option<String>,
    /// `authorization_response_iss_parameter_supported`: whether each answer of a sign-in names its issuer
    /// (RFC 9207 section 3).
    pub names_issuer_in_answers: bool,
}

impl MetadataLocation {
    /// Reads an issuer (`https://` is added where no scheme is given) or the full address of its metadata.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEndpoint`] or [`ErrorCode::InsecureEndpoint`].
    ///
    /// ```
    /// use tokenkit::MetadataLocation;
    ///
    /// let location = MetadataLocation::parse("as.example/tenant/", false)?;
    /// let urls: Vec<_> = location.urls.iter().map(|url| url.as_str()).collect();
    /// assert_eq!(
    ///     urls,
    ///     [
    ///         "https://as.example/tenant/.well-known/openid-configuration",
    ///         "https://as.example/.well-known/oauth-authorization-server/tenant",
    ///     ]
    /// );
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn parse(text: &str, allow_insecure_http: bool) -> Result<Self, Error> {
        let text = text.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = endpoint_url(&text, allow_insecure_http)?;
        if url.path().contains(WELL_KNOWN) {
            return Ok(Self { issuer: issuer_of(&url), urls: vec![url] });
        }
        if url.query().is_some() {
            // RFC 8414 section 2: an issuer has no query.
            let message =
                "An issuer has no query in its address; give the full address of its metadata instead.";
            return Err(Error::invalid(ErrorCode::InvalidEndpoint, message));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let at = |path: &str| {
            let mut url = url.clone();
            url.set_path(path);
            url
        };
        let urls = vec![at(&format!("{path}{OPENID}")), at(&format!("{OAUTH}{path}"))];
        Ok(Self { issuer: Some(text), urls })
    }

    /// Reads the answer to a request for metadata.
    ///
    /// # Errors
    /// [`Error::Server`] for an error answer or one that is no metadata, [`ErrorCode::IssuerMismatch`] among them.
    pub fn read(&self, request: &HttpRequest, response: &HttpResponse) -> Result<Metadata, Error> {
        let object = reply::success(request, response)?;
        if let Err(what) = self.check_issuer(&object) {
            return Err(reply::unusable(request, response, ErrorCode::IssuerMismatch, &what));
        }
        let text = |name| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let body = String::from_utf8_lossy(response.body.expose()).into_owned();
        Ok(Metadata {
            body,
            issuer: text("issuer").unwrap_or_default(),
            jwks_uri: text("jwks_uri"),
            userinfo_endpoint: text("userinfo_endpoint"),
            names_issuer_in_answers: object.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }

    /// Checks that `metadata` names the issuer that was asked (RFC 8414 section 3.3, OpenID Connect Discovery
    /// section 4.3). A slash at the end makes no difference; the template of Microsoft's shared tenants is
    /// accepted where such a tenant was asked, the tenant of personal accounts where `consumers` was, and the issuer of
    /// version 1 where that was.
    ///
    /// # Errors
    /// A text that says what is wrong.
    pub fn check_issuer(&self, metadata: &Map<String, Value>) -> Result<(), String> {
        let Some(found) = metadata.get("issuer").and_then(Value::as_str) else {
            return Err("the metadata names no issuer".into());
        };
        let Some(expected) = self.issuer.as_deref() else { return Ok(()) };
        if same_issuer(found, expected) || is_of_microsoft(found, expected) {
            return Ok(());
        }
        Err(format!("the metadata is of the issuer {found}, not of {expected}"))
    }
}

impl Metadata {
    /// Whether `issuer` is exactly the one of this metadata; in place of the template of Microsoft's shared tenants
    /// any tenant.
    #[must_use]
    pub fn is_of(&self, issuer: &str) -> bool {
        match self.issuer.split_once("{tenantid}") {
            Some((before, after)) => issuer
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(is_tenant_id),
            None => self.issuer == issuer,
        }
    }
}

/// Whether a text has the form of a tenant of the Microsoft identity platform.
pub(crate) fn is_tenant_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn same_issuer(one: &str, two: &str) -> bool {
    one.trim_end_matches('/') == two.trim_end_matches('/')
}

/// `https://login.microsoftonline.com/{tenantid}/v2.0` for `…/common/v2.0`; version 1 names another host.
fn is_of_microsoft(found: &str, expected: &str) -> bool {
    let version_1 = MICROSOFT_V1
        .iter()
        .find_map(|(asked, named)| Some(format!("{named}{}", expected.strip_prefix(asked)?)));
    let fits_template = |expected: &str| {
        let stands_for = |(asked, named): &(&str, &str)| same_issuer(&found.replace(named, asked), expected);
        MICROSOFT_TENANTS.iter().any(stands_for)
    };
    let is_version_1 = |issuer: String| same_issuer(found, &issuer) || fits_template(&issuer);
    fits_template(expected) || version_1.is_some_and(is_version_1)
}

/// The issuer behind a metadata address: without the well-known part, wherever it stands.
fn issuer_of(url: &Url) -> Option<String> {
    let path = url.path();
    let issuer_path = match path.strip_suffix(OPENID) {
        Some(before) => before,
        None => [OAUTH, OPENID].iter().find_map(|known| path.strip_prefix(known))?,
    };
    let mut issuer = url.clone();
    issuer.set_query(None);
    issuer.set_path(issuer_path);
    Some(issuer.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(asked: &str, named: &Value) -> Result<(), String> {
        let metadata = json!({ "issuer": named });
        MetadataLocation::parse(asked, false).unwrap().check_issuer(metadata.as_object().unwrap())
    }

    #[test]
    fn full_addresses_are_kept_and_tell_their_issuer() {
        let rows = [
            ("https://as.example/.well-known/openid-configuration", "https://as.example"),
            ("https://as.example/t/.well-known/openid-configuration?p=1", "https://as.example/t"),
            ("https://as.example/.well-known/oauth-authorization-server", "https://as.example"),
            ("https://as.example/.well-known/oauth-authorization-server/t", "https://as.example/t"),
        ];
        for (text, issuer) in rows {
            let location = MetadataLocation::parse(text, false).unwrap();
            assert_eq!(location.issuer.as_deref(), Some(issuer), "{text}");
            assert_eq!(location.urls.len(), 1);
            assert_eq!(location.urls[0].as_str(), text);
        }
    }

    #[test]
    fn the_issuer_must_be_the_one_that_was_asked() {
        let microsoft = "https://login.microsoftonline.com";
        let template = json!("https://login.microsoftonline.com/{tenantid}/v2.0");
        assert_eq!(check("https://as.example", &json!("https://as.example/")), Ok(()));
        assert_eq!(check("https://as.example/t/", &json!("https://as.example/t")), Ok(()));
        assert_eq!(check(&format!("{microsoft}/common/v2.0"), &template), Ok(()));
        assert_eq!(check(&format!("{microsoft}/organizations/v2.0/"), &template), Ok(()));
        assert_eq!(
            check(&format!("{microsoft}/common"), &json!("https://sts.windows.net/{tenantid}/")),
            Ok(())
        );

        // Personal accounts have a tenant of their own.
        let personal = json!("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0");
        assert_eq!(check(&format!("{microsoft}/consumers/v2.0"), &personal), Ok(()));
        check(&format!("{microsoft}/consumers/v2.0"), &template).unwrap_err();
        check(&format!("{microsoft}/organizations/v2.0"), &personal).unwrap_err();

        check("https://as.example", &json!("https://evil.example")).unwrap_err();
        check("https://as.example", &json!("https://as.example/other")).unwrap_err();
        check("https://as.example", &json!("https://AS.example")).unwrap_err();
        check("https://as.example", &Value::Null).unwrap_err();
        // A template vouches for the shared tenants only.
        check(&format!("{microsoft}/contoso.example/v2.0"), &template).unwrap_err();
        check("https://as.example/common/v2.0", &template).unwrap_err();
    }

    #[test]
    fn an_issuer_with_a_query_or_over_http_is_refused() {
        let code = |text| MetadataLocation::parse(text, false).unwrap_err().error_code();
        assert_eq!(code("https://as.example/?a=b"), ErrorCode::InvalidEndpoint);
        assert_eq!(code("http://as.example"), ErrorCode::InsecureEndpoint);
        MetadataLocation::parse("http://127.0.0.1:8080/", false).unwrap();
    }
}
