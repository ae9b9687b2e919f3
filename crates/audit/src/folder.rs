//! The files of a log, in their order.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file of the log, by the number of its first record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
}

pub(crate) fn create(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

pub(crate) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.audit"))
}

/// The files, the oldest first.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<Name>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_one = path.extension().is_some_and(|extension| extension == "audit");
        if let Some(first) = stem.and_then(|stem| stem.parse().ok()).filter(|_| is_one) {
            files.push(Name { first, path });
        }
    }
    files.sort_unstable_by_key(|file| file.first);
    Ok(files)
}

pub(crate) fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
}

/// So that a power cut cannot take away what was created.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
