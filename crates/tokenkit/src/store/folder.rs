//! Where the store is, and that its folder is the user's alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use super::file::io_error;
use crate::error::{Error, ErrorCode};
use crate::event::Observer;

/// The platform's folder for settings of this user and machine, with this crate's own below it: `~/.config/tokenkit`
/// (or below `XDG_CONFIG_HOME`), `~/Library/Application Support/TokenKit`, `%LOCALAPPDATA%\TokenKit`. `config_home`
/// replaces the part that the environment decides.
pub(super) fn of_platform(config_home: Option<&Path>) -> Result<PathBuf, Error> {
    let name = if cfg!(any(windows, target_vendor = "apple")) { "TokenKit" } else { "tokenkit" };
    // A relative path in the environment does not count (XDG Base Directory Specification).
    if let Some(home) = config_home.filter(|home| home.is_absolute()) {
        return Ok(home.join(name));
    }
    let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|error| {
        let message = format!("This user has no home folder for a store: {error}.");
        Error::store(ErrorCode::StoreIo, message)
    })?;
    // What roams between machines is no place for tokens, and what Windows calls cache is its local folder.
    let home = if cfg!(windows) {
        strategy.cache_dir()
    } else if cfg!(target_vendor = "apple") {
        strategy.data_dir()
    } else {
        strategy.config_dir()
    };
    Ok(home.join(name))
}

/// Makes the folder if it is missing, for this user alone.
pub(super) fn make(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        // These may be the user's ~/.config: they get the modes that the user's other folders have.
        fs::create_dir_all(parent).map_err(|error| io_error("cannot be made", parent, &error))?;
    }
    match make_private(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(io_error("cannot be made", folder, &error))
        }
        _ => Ok(()),
    }
}

/// Makes a folder in the store.
pub(super) fn make_inner(folder: &Path) -> Result<(), Error> {
    match make_inner_io(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(io_error("cannot be made", folder, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(unix)]
fn make_inner_io(folder: &Path) -> io::Result<()> {
    make_private(folder)
}

/// The folder is made and given to this user alone: below `%LOCALAPPDATA%` it would inherit that, elsewhere it would
/// not. What is in it inherits from it.
#[cfg(windows)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::windows::process::CommandExt as _;
    use std::process::Command;

    /// `CREATE_NO_WINDOW`: a host without a console shows none.
    const NO_WINDOW: u32 = 0x0800_0000;

    let system = PathBuf::from(std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into()));
    let tool = |name: &str| {
        let mut command = Command::new(system.join("System32").join(name));
        command.creation_flags(NO_WINDOW);
        command
    };
    let failed = |what: &str| io::Error::other(format!("its access list cannot be set ({what})"));

    let user = tool("whoami.exe").args(["/user", "/fo", "csv", "/nh"]).output()?;
    let user = String::from_utf8_lossy(&user.stdout).into_owned();
    let sid = user.trim().rsplit(',').next().unwrap_or_default().trim_matches('"').to_owned();
    if !sid.starts_with("S-1-") {
        return Err(failed("whoami.exe names no user"));
    }
    fs::create_dir(folder)?;
    let grant = format!("*{sid}:(OI)(CI)F");
    let set = tool("icacls.exe").arg(folder).args(["/inheritance:r", "/grant:r", &grant, "/q"]).output();
    if set.as_ref().is_ok_and(|set| set.status.success()) {
        return Ok(());
    }
    fs::remove_dir(folder)?;
    Err(failed("icacls.exe failed"))
}

#[cfg(windows)]
fn make_inner_io(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Whether the folder can be trusted: it is this user's, and nobody else can write or read it. A folder of the user's
/// that is open to others is closed, if it is a store or empty.
#[cfg(unix)]
pub(super) fn check(folder: &Path, observer: &dyn Observer) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::file::{check_owner, is_open};
    use crate::event::Event;

    let metadata = fs::metadata(folder).map_err(|error| io_error("cannot be read", folder, &error))?;
    if !metadata.is_dir() {
        let message = format!("{} is no folder, so it cannot be the store.", folder.display());
        return Err(Error::store(ErrorCode::StoreNotPrivate, message));
    }
    check_owner(folder, &metadata)?;
    if !is_open(&metadata) {
        return Ok(());
    }
    let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !folder.join(super::SETTINGS).exists() {
        let message = format!(
            "{} is open to other users and holds other things than a store, so no store is made in it.",
            folder.display()
        );
        return Err(Error::store(ErrorCode::StoreNotPrivate, message));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .map_err(|error| io_error("cannot be closed to others", folder, &error))?;
    observer.event(Event::Warning(format!(
        "The folder {} was open to other users (mode {:o}). It is closed now; think of its tokens as known.",
        folder.display(),
        metadata.mode() & 0o777
    )));
    Ok(())
}

/// On Windows the access list, which is set when the folder is made, decides.
#[cfg(windows)]
pub(super) fn check(_: &Path, _: &dyn Observer) -> Result<(), Error> {
    Ok(())
}
