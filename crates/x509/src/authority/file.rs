//! Files that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Readers {
    /// Its owner (mode 0600).
    Owner,
    /// Everybody, as far as the process' mask allows (mode 0644).
    Everybody,
}

/// Writes a new file with a secret in it, which only its owner can read (mode 0600), and never over an existing one.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] if there is a file.
pub fn write_new(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    let mut file = options(Readers::Owner).create_new(true).open(path)?;
    fill(&mut file, content)?;
    sync_folder(path)
}

/// Writes a file that everybody may read. If there is one at `path`, it stays until the new one is complete and on
/// disk.
///
/// # Errors
/// What the system says.
pub fn write_over(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    replace(path.as_ref(), content, Readers::Everybody)
}

pub(super) fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    // What a crash has left.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options(readers).create_new(true).open(&temporary)?;
    fill(&mut file, content)?;
    std::fs::rename(&temporary, path)?;
    sync_folder(path)
}

fn fill(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// A name is on disk when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn options(readers: Readers) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match readers {
            Readers::Owner => 0o600,
            Readers::Everybody => 0o644,
        },
    );
    #[cfg(not(unix))]
    let _ = readers;
    options
}
