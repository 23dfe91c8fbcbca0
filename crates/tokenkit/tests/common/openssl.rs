//! The `openssl` command, which makes the keys of the tests and checks their signatures independently.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The password of everything encrypted. It reaches openssl through its environment.
pub const PASSWORD: &str = "pässword 42";

/// Runs openssl in a folder of its own, which is removed at the end.
pub struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    pub fn write(&self, file: &str, data: &[u8]) {
        fs::write(self.path(file), data).unwrap();
    }

    /// Runs a command line, whose words hold no spaces, and returns what it printed.
    pub fn run(&self, command: &str) -> String {
        match self.try_run(command) {
            Ok(printed) => printed,
            Err(error) => panic!("openssl {command}: {error}"),
        }
    }

    pub fn try_run(&self, command: &str) -> Result<String, String> {
        let output = Command::new("openssl")
            .args(command.split_whitespace())
            .current_dir(self.folder.path())
            .env("PASSWORD", PASSWORD)
            .output()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => panic!(
                    "These tests make keys with the command `openssl` (3.0 or newer), which is not on PATH. \
                     Install OpenSSL."
                ),
                _ => panic!("openssl cannot be run: {error}"),
            });
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A certificate for `key` (a file name), signed by itself; written to `certificate`.
    pub fn certificate(&self, key: &str, certificate: &str) {
        self.run(&format!("req -x509 -new -key {key} -subj /CN=tokenkit -days 2 -out {certificate}"));
    }

    /// A fingerprint as openssl prints it, in bytes.
    pub fn fingerprint(&self, certificate: &str, digest: &str) -> Vec<u8> {
        let printed = self.run(&format!("x509 -in {certificate} -noout -fingerprint -{digest}"));
        let (_, hex) = printed.trim().split_once('=').unwrap();
        hex.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }
}
