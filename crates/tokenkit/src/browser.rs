//! Showing an address in a browser: the one that was asked for, or the system's own.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use url::Url;

/// A program that still runs after this time shows the address; one that cannot ends sooner.
const SETTLED: Duration = Duration::from_millis(1500);

/// Which browser is started, and with what environment.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// Whether none is.
    pub disabled: bool,
    /// A program and its arguments, quoted as for a shell. None takes part: what a shell would expand stays as it is.
    /// `%s` stands for the address, which is added at the end otherwise. When `None`, the variable `BROWSER` of the
    /// environment is tried, then the system's own browser.
    pub command: Option<String>,
    /// The environment that the browser gets, and that tells whether there is a screen; when empty, that of the process.
    /// A host may have another one than its process, and keep some of it to itself.
    pub environment: Vec<(String, String)>,
}

impl Browser {
    /// Starts the browser with an http or https address and returns the name of its program. Nothing is waited for but
    /// a moment, in which a program that cannot show the address fails.
    ///
    /// # Errors
    /// Why none was started, as part of a sentence.
    pub async fn open(&self, address: &str) -> Result<String, String> {
        if self.disabled {
            return Err("none was asked for".into());
        }
        if !Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err("the address is not one of the web".into());
        }
        let commands = self.commands(address)?;
        let mut problems: Vec<String> = Vec::new();
        for command in commands {
            let program = command.get_program().to_string_lossy().into_owned();
            match start(command).await {
                Ok(()) => return Ok(program),
                Err(problem) => problems.push(format!("{program}: {problem}")),
            }
        }
        Err(problems.join("; "))
    }

    /// What to try, in this order.
    fn commands(&self, address: &str) -> Result<Vec<Command>, String> {
        let own = self.variable("BROWSER").filter(|_| self.command.is_none());
        let alternatives: Vec<&str> = match (&self.command, &own) {
            (Some(command), _) => vec![command],
            // By convention a list of commands, like PATH.
            (None, Some(list)) => list.split(if cfg!(windows) { ';' } else { ':' }).collect(),
            (None, None) => Vec::new(),
        };
        let alternatives: Vec<_> = alternatives.into_iter().filter(|text| !text.trim().is_empty()).collect();
        let mut commands = if alternatives.is_empty() {
            if let Some(why) = self.no_screen() {
                return Err(why.into());
            }
            open::commands(address)
        } else {
            alternatives.into_iter().map(|text| command(text, address)).collect::<Result<_, _>>()?
        };
        if !self.environment.is_empty() {
            for command in &mut commands {
                // The launcher's own variables stay.
                let set: Vec<_> = command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                    .collect();
                command.env_clear();
                command.envs(self.environment.iter().map(|(name, value)| (name, value))).envs(set);
            }
        }
        Ok(commands)
    }

    /// Why a window would be seen by nobody.
    fn no_screen(&self) -> Option<&'static str> {
        let has = |names: &[&str]| names.iter().any(|name| self.variable(name).is_some());
        if cfg!(any(windows, target_os = "macos")) {
            return has(&["SSH_CONNECTION"])
                .then_some("this session comes over SSH, so its screen is elsewhere");
        }
        // A Linux inside Windows shows the address there.
        let has_screen = has(&["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]);
        (!has_screen).then_some("this session has no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)")
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = if self.environment.is_empty() {
            std::env::var(name).ok()
        } else {
            let known: HashMap<_, _> = self.environment.iter().map(|(name, value)| (name, value)).collect();
            known.get(&name.to_owned()).map(|value| (*value).clone())
        };
        value.filter(|value| !value.trim().is_empty())
    }
}

/// A command as a person writes it, with the address in it.
fn command(text: &str, address: &str) -> Result<Command, String> {
    let text = text.trim();
    let words = if Path::new(text).is_file() {
        vec![text.to_owned()]
    } else {
        // In a path of Windows a backslash escapes nothing.
        let text = if cfg!(windows) { text.replace('\\', "\\\\") } else { text.to_owned() };
        shlex::split(&text).ok_or("the quotes in the browser command do not match")?
    };
    let [program, arguments @ ..] = words.as_slice() else {
        return Err("the browser command is empty".into());
    };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.replace("%s", address)));
    if !arguments.iter().any(|argument| argument.contains("%s")) {
        command.arg(address);
    }
    Ok(command)
}

/// Starts a program apart from this process. It fails when the program cannot be started or soon ends with a failure.
async fn start(mut command: Command) -> Result<(), String> {
    // What it writes belongs on no terminal of the host.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    detach(&mut command);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not found".to_owned(),
        _ => error.to_string(),
    })?;
    // A thread waits for its end, and leaves no zombie. Not `tokio::process`: where it has to handle SIGCHLD, it would
    // take that signal away from the host, whose own child processes depend on it.
    let (sender, ended) = oneshot::channel();
    let waiting = std::thread::Builder::new().name("tokenkit-browser".into()).spawn(move || {
        // Who started it may have stopped listening.
        let _ = sender.send(child.wait());
    });
    if waiting.is_err() {
        return Ok(());
    }
    match timeout(SETTLED, ended).await {
        Ok(Ok(Ok(status))) if !status.success() => Err(failed(status)),
        _ => Ok(()),
    }
}

fn failed(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => "was ended by a signal".into(),
    }
}

/// Ctrl+C in the terminal is for the host, not for the browser.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Ctrl+C in the terminal is for the host, not for the browser; and no console window opens.
#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

#[cfg(not(any(unix, windows)))]
fn detach(_: &mut Command) {}
