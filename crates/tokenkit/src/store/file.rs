//! Files that are either the old or the new one, at every instant, and that only their user can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use chrono::Utc;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};

/// Far more than any section, and little enough to read.
const SIZE_LIMIT: u64 = 16 << 20;

/// The content of a file, or `None` when there is none.
pub(super) fn read(path: &Path, observer: &dyn Observer) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let failed = |error: io::Error| io_error("cannot be read", path, &error);
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path).unwrap_or_else(|| failed(error))),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(refused(path).unwrap_or_else(|| failed(io::Error::other("it is no file"))));
    }
    check(path, &file, &metadata, observer)?;
    let size = usize::try_from(metadata.len().min(SIZE_LIMIT)).unwrap_or(0);
    // A grown buffer would leave unwiped copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(SIZE_LIMIT + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > SIZE_LIMIT {
        return Err(failed(io::Error::other("it is far too large")));
    }
    Ok(Some(content))
}

/// Replaces the content of a file, or makes it. Whoever reads it meanwhile, and whoever finds it after a crash, has the
/// old content or the new one. Only one process at a time may write a path.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |error: io::Error| io_error("cannot be written", path, &error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Always the same name: what a killed process leaves behind is used up by the next one.
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| rename(&temporary, path));
    if let Err(error) = replaced {
        // Without it the disk may be less full. The error above is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    sync_folder(path).map_err(failed)
}

/// Removes a file for good; false when there is none.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path).and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("cannot be removed", path, &error)),
    }
}

/// Puts a damaged file out of the way, under a name that tells when.
pub(super) fn set_aside(path: &Path, reason: &str, observer: &dyn Observer) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{name}.damaged-{}", Utc::now().format("%Y%m%dT%H%M%S%6fZ")));
    rename(path, &aside).map_err(|error| io_error("is damaged and cannot be set aside", path, &error))?;
    observer.event(Event::Warning(format!(
        "{} is damaged ({reason}) and was set aside as {}. What it held has to be entered again; nothing else is lost.",
        path.display(),
        aside.display()
    )));
    Ok(())
}

/// Whether a name is one that [`set_aside`] gave.
pub(super) fn is_aside(name: &str) -> bool {
    name.contains(".damaged-")
}

/// An error of the operating system about a path.
pub(super) fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::store(ErrorCode::StoreIo, format!("{} {what}: {error}.", path.display()))
}

/// What stands in the way of a file, when it is something that somebody else may have put there.
fn refused(path: &Path) -> Option<Error> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    let what = if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_file() {
        return None;
    } else {
        "no file"
    };
    let message = format!(
        "{} is {what}. TokenKit does not follow it: remove it, if you know that it is harmless.",
        path.display()
    );
    Some(Error::store(ErrorCode::StoreNotPrivate, message))
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A link is not followed, and a pipe in place of the file does not block.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(windows)]
fn open(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    File::open(path)
}

/// Makes a file that is not there yet.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file to lock or to overwrite it, and makes it if it is missing.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(unix)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// A scanner may hold the file for a moment.
#[cfg(windows)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    use std::time::Duration;
    let mut pauses = [1, 5, 20, 50, 100, 200].into_iter();
    loop {
        match (fs::rename(from, to), pauses.next()) {
            (Err(error), Some(pause)) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::sleep(Duration::from_millis(pause));
            }
            (result, _) => return result,
        }
    }
}

/// A rename counts when the folder is on the disk.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// NTFS keeps the order of its changes by itself.
#[cfg(windows)]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether a file is this user's alone. One that others could read is closed to them.
#[cfg(unix)]
fn check(path: &Path, file: &File, metadata: &fs::Metadata, observer: &dyn Observer) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    check_owner(path, metadata)?;
    if is_open(metadata) {
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .map_err(|error| io_error("cannot be closed to others", path, &error))?;
        observer.event(Event::Warning(format!(
            "{} was open to other users (mode {:o}). It is closed now; think of its tokens as known.",
            path.display(),
            metadata.mode() & 0o777
        )));
    }
    Ok(())
}

/// A file inherits the access list of the folder.
#[cfg(windows)]
fn check(_: &Path, _: &File, _: &fs::Metadata, _: &dyn Observer) -> Result<(), Error> {
    Ok(())
}

/// Whether others than the owner may do anything with it.
#[cfg(unix)]
pub(super) fn is_open(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o077 != 0
}

#[cfg(unix)]
pub(super) fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() == user {
        return Ok(());
    }
    let message = format!(
        "{} belongs to another user (user id {}, yours is {user}), so it is not used.",
        path.display(),
        metadata.uid()
    );
    Err(Error::store(ErrorCode::StoreNotPrivate, message))
}
