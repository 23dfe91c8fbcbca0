//! Addresses that people give.

use tokenkit::{Attempt, Category, Grant, MetadataLocation, TokenRequest};

/// The address of an issuer and of a token endpoint: secrets go by https only, and never into the address.
pub(crate) fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_safe = |url: &str| {
        let host = url.strip_prefix("http://").map(|rest| rest.trim_start_matches('['));
        let is_loopback = |host: &str| {
            ["127.", "::1]"].iter().any(|start| host.starts_with(start))
                || host.split(['/', ':', '?']).next().is_some_and(|name| {
                    let name = name.trim_end_matches('.');
                    name == "localhost" || name.ends_with(".localhost")
                })
        };
        url.starts_with("https://") || host.is_some_and(is_loopback)
    };
    match MetadataLocation::parse(text, false) {
        Ok(location) => {
            assert!(!location.urls.is_empty());
            for url in location.urls {
                assert!(is_safe(url.as_str()), "{url}");
                assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            }
        }
        Err(error) => assert_eq!(error.category(), Category::InvalidInput, "{error}"),
    }
    match TokenRequest::new(text, Grant::ClientCredentials).build(&Attempt::now()) {
        Ok(request) => assert!(is_safe(request.url.as_str()), "{}", request.url),
        Err(error) => assert_eq!(error.category(), Category::InvalidInput, "{error}"),
    }
}
