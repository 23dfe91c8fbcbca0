//! Starting a browser: programs that stand for one write down what they were given.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenkit::Browser;

const ADDRESS: &str = "https://as.example/authorize?a=b&c=$(touch%20x);`id`&d='%s'";

/// A program that is being written cannot be started, not even by a test that has just forked with the open file in
/// its hands: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A folder with a program for each row.
struct Programs(TempDir, #[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Programs {
    fn new(programs: &[(&str, &str)]) -> Self {
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().unwrap();
        for (name, script) in programs {
            let path = folder.path().join(name);
            fs::write(
                &path,
                format!("#!/bin/sh\n{}\n", script.replace("{folder}", folder.path().to_str().unwrap())),
            )
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder, guard)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn arguments(&self) -> Vec<String> {
        let file = self.path("arguments");
        let started = Instant::now();
        while !self.path("done").exists() {
            assert!(started.elapsed() < Duration::from_mins(1), "no browser was started");
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Writes its arguments down, a line each.
const WRITER: &str = "printf '%s\\n' \"$@\" >'{folder}/arguments'; touch '{folder}/done'";

fn browser(command: Option<String>, environment: &[(&str, &str)]) -> Browser {
    let mut environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    // Not that of the process: the machine of the test may have a screen.
    environment.push(("LANG".into(), "C".into()));
    Browser { disabled: false, command, environment }
}

#[tokio::test]
async fn a_command_gets_the_address_as_one_argument() {
    let programs = Programs::new(&[("browser", WRITER)]);
    let rows = [
        (programs.text("browser"), vec![ADDRESS.to_owned()]),
        (format!("'{}' --new-window", programs.text("browser")), vec!["--new-window".into(), ADDRESS.into()]),
        (
            format!("{} --app=%s \"a b\" $HOME", programs.text("browser")),
            vec![format!("--app={ADDRESS}"), "a b".into(), "$HOME".into()],
        ),
    ];
    for (command, expected) in rows {
        let started = browser(Some(command.clone()), &[]).open(ADDRESS).await;
        assert_eq!(started, Ok(programs.text("browser")), "{command}");
        assert_eq!(programs.arguments(), expected, "{command}");
        fs::remove_file(programs.path("done")).unwrap();
    }
}

#[tokio::test]
async fn a_path_with_spaces_needs_no_quotes() {
    let programs = Programs::new(&[("my browser", WRITER)]);
    assert_eq!(
        browser(Some(programs.text("my browser")), &[]).open(ADDRESS).await,
        Ok(programs.text("my browser"))
    );
    assert_eq!(programs.arguments(), [ADDRESS]);
}

#[tokio::test]
async fn a_command_that_fails_is_noticed() {
    let programs = Programs::new(&[("fails", "exit 3"), ("dies", "kill -9 $$")]);
    for (command, part) in [
        (programs.text("fails"), "failed with exit code 3"),
        (programs.text("dies"), "was ended by a signal"),
        (programs.text("missing"), "not found"),
        ("'browser".into(), "quotes"),
    ] {
        let problem = browser(Some(command), &[("DISPLAY", ":0")]).open(ADDRESS).await.unwrap_err();
        assert!(problem.contains(part), "{problem}");
    }
}

#[tokio::test]
async fn the_variable_browser_is_a_list_of_commands() {
    let programs = Programs::new(&[("fails", "exit 1"), ("browser", WRITER)]);
    let list = format!(
        "{}:{}::{} --url=%s",
        programs.text("fails"),
        programs.text("missing"),
        programs.text("browser")
    );
    assert_eq!(browser(None, &[("BROWSER", &list)]).open(ADDRESS).await, Ok(programs.text("browser")));
    assert_eq!(programs.arguments(), [format!("--url={ADDRESS}")]);

    let list = format!("{}:{}", programs.text("fails"), programs.text("missing"));
    let problem = browser(None, &[("BROWSER", &list)]).open(ADDRESS).await.unwrap_err();
    assert!(problem.contains("exit code 1; ") && problem.ends_with("missing: not found"), "{problem}");
}

#[tokio::test]
async fn a_command_goes_before_the_variable() {
    let programs = Programs::new(&[("fails", "exit 1"), ("browser", WRITER)]);
    let browser = browser(Some(programs.text("browser")), &[("BROWSER", &programs.text("fails"))]);
    assert_eq!(browser.open(ADDRESS).await, Ok(programs.text("browser")));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_a_screen_none_is_started() {
    let problem = browser(None, &[("DISPLAY", " ")]).open(ADDRESS).await.unwrap_err();
    assert!(problem.contains("no screen"), "{problem}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn with_a_screen_the_systems_own_is_started() {
    let programs = Programs::new(&[("xdg-open", &format!("env >'{{folder}}/environment'; {WRITER}"))]);
    let path = format!("{}:/usr/bin:/bin", programs.0.path().display());
    let browser = browser(None, &[("WAYLAND_DISPLAY", "wayland-7"), ("PATH", &path)]);
    assert_eq!(browser.open(ADDRESS).await, Ok("xdg-open".into()));
    assert_eq!(programs.arguments(), [ADDRESS]);
    let environment = fs::read_to_string(programs.path("environment")).unwrap();
    assert!(environment.contains("WAYLAND_DISPLAY=wayland-7"), "{environment}");
}

#[tokio::test]
async fn a_browser_that_goes_on_is_not_waited_for() {
    let programs =
        Programs::new(&[("browser", &format!("{WRITER}; sleep 100 & echo $! >'{{folder}}/pid'; wait"))]);
    let started = Instant::now();
    assert_eq!(
        browser(Some(programs.text("browser")), &[]).open(ADDRESS).await,
        Ok(programs.text("browser"))
    );
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    let pid = fs::read_to_string(programs.path("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_browser_has_no_part_in_the_terminal_and_leaves_no_zombie() {
    // Its own process group, so that Ctrl+C is not for it; nothing to read and nowhere to write.
    let script = "cut -d' ' -f4,5 /proc/$$/stat >'{folder}/group'; files=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo \"$files\" >'{folder}/files'; echo $$ >'{folder}/pid'; touch '{folder}/done'";
    let programs = Programs::new(&[("browser", script)]);
    browser(Some(programs.text("browser")), &[]).open(ADDRESS).await.unwrap();
    let read = |name| fs::read_to_string(programs.path(name)).unwrap();
    assert_eq!(read("files"), "/dev/null\n/dev/null\n/dev/null\n");
    let pid = read("pid");
    assert_eq!(read("group").split(' ').nth(1).map(str::trim), Some(pid.trim()));
    let entry = PathBuf::from(format!("/proc/{}", pid.trim()));
    let started = Instant::now();
    while entry.exists() {
        assert!(started.elapsed() < Duration::from_mins(1), "a zombie stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn only_addresses_of_the_web_are_opened() {
    for address in ["file:///etc/passwd", "--help", "javascript:alert(1)", ""] {
        browser(Some("false".into()), &[]).open(address).await.unwrap_err();
    }
    let disabled = Browser { disabled: true, ..browser(Some("true".into()), &[]) };
    assert_eq!(disabled.open(ADDRESS).await, Err("none was asked for".into()));
}
