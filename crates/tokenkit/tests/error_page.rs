//! `docs/errors.md` has every error code. What PowerShell says about each is held against the page by
//! `tests/pester/ErrorIds.Tests.ps1`.

use std::collections::HashSet;

use tokenkit::ErrorCode;

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The ids in the first cells of all tables.
fn ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_code_has_one_row() {
    let mut found = HashSet::new();
    for id in ids(PAGE) {
        assert!(found.insert(id), "{id} has two rows in docs/errors.md");
    }
    for code in ErrorCode::ALL {
        assert!(found.contains(code.as_str()), "{code} has no row in docs/errors.md");
    }
}

#[test]
fn what_is_said_to_be_hidden_is_a_code() {
    let hidden = ids(PAGE.split("## Not seen in PowerShell").nth(1).unwrap());
    assert!(!hidden.is_empty());
    for id in hidden {
        assert!(ErrorCode::ALL.iter().any(|code| code.as_str() == id), "{id} is no code");
    }
}
