//! What is special to one vendor, a file each. All else is the rest of this crate.

pub mod governance;
pub mod lcs;
mod lcs_import;
pub mod venafi;

use url::Url;

use crate::error::{Error, ErrorCode};
use crate::message::display_url;
use crate::token::endpoint_url;

/// The address of `path` below `base`, with exactly one slash between.
///
/// # Errors
/// [`ErrorCode::InvalidEndpoint`] or [`ErrorCode::InsecureEndpoint`].
fn join(base: &str, path: &str, allow_insecure_http: bool) -> Result<Url, Error> {
    if let Ok(url) = Url::parse(base.trim())
        && (url.query().is_some() || url.fragment().is_some())
    {
        let shown = display_url(&url);
        let message = format!("The address {shown} has a query or a fragment: no path can follow it.");
        return Err(Error::invalid(ErrorCode::InvalidEndpoint, message));
    }
    let mut url = endpoint_url(base, allow_insecure_http)?;
    let path = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://h", "https://h/a/b")]
    #[case("https://h/", "https://h/a/b")]
    #[case(" https://h:8443// ", "https://h:8443/a/b")]
    #[case("https://h/api", "https://h/api/a/b")]
    #[case("https://h/api/", "https://h/api/a/b")]
    #[case("https://h/with%20space/", "https://h/with%20space/a/b")]
    #[case("http://localhost:1/x", "http://localhost:1/x/a/b")]
    fn there_is_one_slash_between(#[case] base: &str, #[case] expected: &str) {
        for path in ["a/b", "/a/b"] {
            assert_eq!(join(base, path, false).unwrap().as_str(), expected);
        }
    }

    #[rstest]
    #[case("https://h/api?x=1", "invalid_endpoint")]
    #[case("https://h/api?", "invalid_endpoint")]
    #[case("https://h/api#x", "invalid_endpoint")]
    #[case("https://user:hunter2@h/api", "invalid_endpoint")]
    #[case("ftp://h/api", "invalid_endpoint")]
    #[case("{Cloud_Governance_Modern_API_Endpoint}", "invalid_endpoint")]
    #[case("", "invalid_endpoint")]
    #[case("http://h/api", "insecure_endpoint")]
    fn what_no_path_can_follow_is_refused(#[case] base: &str, #[case] code: &str) {
        let error = join(base, "/a", false).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("x=1"), "{error}");
    }
}
