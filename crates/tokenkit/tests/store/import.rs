//! Settings of d365fo.tools.

use rstest::rstest;
use tempfile::TempDir;
use tokenkit::providers::lcs::{Config, Import, import};
use tokenkit::{ErrorCode, Secret};

use crate::{code, open};

/// As `PSFramework` 1.13 writes it.
const JSON: &str = r#"[
  { "FullName": "d365fo.tools.lcs.clientid", "Value": "9b4f4503-b970-4ade-abc6-2c086e4c4929", "Type": 6, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.lcs.projectid", "Value": "123456789", "Type": 3, "Version": 1, "Style": "default" },
  { "FullName": "D365FO.Tools.LCS.BearerToken", "Value": "s3cret-bearer", "Type": 6, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.lcs.activetokenexpireson", "Value": "1999999999", "Type": 5, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.lcs.refreshtoken", "Value": "s3cret-refresh", "Type": 6, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.lcs.lcsapiuri", "Value": "https://lcsapi.eu.lcs.dynamics.com", "Type": 6, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.lcs.verbose", "Value": "true", "Type": 1, "Version": 1, "Style": "default" },
  { "FullName": "d365fo.tools.azure.common.oauth.token", "Value": "https://x.example", "Type": 6, "Version": 1, "Style": "default" },
  { "FullName": "psframework.logging.filesystem.logpath", "Value": "C:\\logs", "Type": 6, "Version": 1, "Style": "default" }
]"#;

const REGISTRY: &str = r#"Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\SOFTWARE\Microsoft\WindowsPowerShell\PSFramework\Config\Default]
"d365fo.tools.lcs.clientid"="String:9b4f4503-b970-4ade-abc6-2c086e4c4929"
"d365fo.tools.lcs.projectid"="Int:123456789"
"D365FO.Tools.LCS.BearerToken"="String:s3cret-bearer"
"d365fo.tools.lcs.activetokenexpireson"="Long:1999999999"
"d365fo.tools.lcs.refreshtoken"="String:s3cret-refresh"
"d365fo.tools.lcs.lcsapiuri"="String:https://lcsapi.eu.lcs.dynamics.com"
"d365fo.tools.lcs.verbose"="Bool:true"
"psframework.logging.filesystem.logpath"="String:C:\\logs \"quoted\""
"other"=dword:00000001
"#;

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = text.replace('\n', "\r\n");
    let units = std::iter::once(0xfeff).chain(units.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn file(content: impl AsRef<[u8]>) -> Import {
    Import::File(Secret::from(content.as_ref()))
}

fn live() -> Import {
    let line = |line: &str| {
        let (name, value) = line.split_once("\"=\"")?;
        Some((name.trim_start_matches('"').to_owned(), Secret::from(value.trim_end_matches('"'))))
    };
    Import::Registry(REGISTRY.lines().filter_map(line).collect())
}

#[rstest]
#[case(file(JSON))]
#[case(file(format!("\u{feff}{JSON}")))]
#[case(file(utf16(JSON, false)))]
#[case(file(REGISTRY))]
#[case(file(utf16(REGISTRY, false)))]
#[case(file(utf16(REGISTRY, true)))]
#[case(live())]
#[tokio::test]
async fn the_six_settings_are_taken_and_nothing_else(#[case] source: Import) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    let (imported, saved) = import(&source, None).await.unwrap();
    assert_eq!(saved.changed, Vec::<String>::new());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a trial has written");
    let shown: Vec<_> = imported.found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("activetokenexpireson", "1999999999"),
            ("bearertoken", "***"),
            ("clientid", "9b4f4503-b970-4ade-abc6-2c086e4c4929"),
            ("lcsapiuri", "https://lcsapi.eu.lcs.dynamics.com"),
            ("projectid", "123456789"),
            ("refreshtoken", "***"),
        ]
    );
    assert_eq!(imported.refused.len(), 1);
    assert_eq!(imported.refused[0].name, "d365fo.tools.lcs.verbose");
    assert!(!format!("{imported:?}").contains("s3cret"));

    let (_, saved) = import(&source, Some((&store, false))).await.unwrap();
    assert_eq!(saved.changed.len(), 6);
    let config = Config::load(&open(folder.path(), None)).await.unwrap();
    assert_eq!((config.project_id, config.active_token_expires_on), (Some(123_456_789), Some(1_999_999_999)));
    assert_eq!(config.refresh_token.unwrap().expose_str(), Some("s3cret-refresh"));
    let (_, again) = import(&source, Some((&store, false))).await.unwrap();
    assert_eq!(again.changed, Vec::<String>::new());
}

#[rstest]
#[case(r#"{ "FullName": "d365fo.tools.lcs.projectid", "Value": "9" }"#, 1, None)]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.projectid", "Value": 9 }]"#, 1, None)]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.clientid", "Value": "" }]"#, 0, None)]
#[case("[]", 0, None)]
#[case("[1, \"a\", {}]", 0, None)]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.projectid", "Value": "nine" }]"#, 0, Some("no whole number"))]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.projectid", "Value": "9999999999" }]"#, 0, Some("too large"))]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.projectid", "Value": 1.5 }]"#, 0, Some("fraction"))]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.clientid", "Value": ["a"] }]"#, 0, Some("no text"))]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.clientid", "Value": 1 }]"#, 0, Some("no text"))]
#[case(r#"[{ "FullName": "d365fo.tools.lcs.clıentid", "Value": "dotless" }]"#, 0, Some("no such setting"))]
#[case("REGEDIT4\n\"d365fo.tools.lcs.projectid\"=\"9\"", 0, Some("without the tag"))]
#[case("REGEDIT4\n\"d365fo.tools.lcs.projectid\"=\"Int:x\"", 0, Some("no whole number"))]
#[case("REGEDIT4\n\"d365fo.tools.lcs.projectid\"=\"Double:1\"", 0, Some("type Double"))]
#[case("REGEDIT4\n\"d365fo.tools.lcs.projectid\"=dword:00000009", 0, Some("type dword"))]
#[case("REGEDIT4\n\"d365fo.tools.lcs.clientid\"=\"String:a\\\\b\\\"c\"", 1, None)]
#[case("REGEDIT4\n\"d365fo.tools.lcs.clientid\"=\"String:unended", 0, None)]
#[tokio::test]
async fn bad_entries_are_reported(#[case] text: &str, #[case] found: usize, #[case] reason: Option<&str>) {
    let (imported, _) = import(&file(text), None).await.unwrap();
    assert_eq!(imported.found.len(), found, "{imported:?}");
    let reasons: Vec<_> = imported.refused.iter().map(|refused| refused.reason.clone()).collect();
    assert_eq!(reasons.len(), usize::from(reason.is_some()), "{reasons:?}");
    if let Some(reason) = reason {
        assert!(reasons[0].contains(reason), "{reasons:?}");
    }
}

#[test]
fn escapes_of_the_registry_are_undone() {
    let text = "REGEDIT4\n\"d365fo.tools.lcs.clientid\"=\"String:a\\\\b\\\"c\"";
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (imported, _) = runtime.block_on(import(&file(text), None)).unwrap();
    assert_eq!(imported.config.client_id.as_deref(), Some("a\\b\"c"));
}

#[rstest]
#[case(b"".as_slice())]
#[case(b"client: app")]
#[case(b"\"text\"")]
#[case(b"\xff\xfe\x00")]
#[case(b"\xc3\x28 s3cret")]
#[tokio::test]
async fn other_files_are_refused(#[case] content: &[u8]) {
    let error = import(&file(content), None).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidImport);
    assert!(!error.to_string().contains("s3cret"));
    assert_eq!(code(Import::open(std::path::Path::new("/no/such/file"))), ErrorCode::InvalidImport);
}
