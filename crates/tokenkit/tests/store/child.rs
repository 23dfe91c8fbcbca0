//! This test program, started again to be another process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROLE: &str = "TOKENKIT_TEST_ROLE";

/// Whether this process was started to play `role`, and in which folder.
pub(crate) fn role(role: &str) -> Option<PathBuf> {
    let (name, folder) =
        std::env::var(ROLE).ok()?.split_once('=').map(|(n, f)| (n.to_owned(), f.to_owned()))?;
    (name == role).then(|| PathBuf::from(folder))
}

/// A process that runs the test `test` in the given role.
pub(crate) fn playing(role: &str, folder: &Path, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut value = std::ffi::OsString::from(role);
    value.push("=");
    value.push(folder);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, value);
    command
}

/// `command` inside of another one, such as `unshare`.
pub(crate) fn within(
    outer: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    command: &Command,
) -> Command {
    let mut whole = Command::new(outer);
    whole.args(arguments).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            whole.env(name, value);
        }
    }
    whole
}
