//! Whether a log is as it was written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::chain::{self, BEGINNING, Found, HEADER, Link};
use crate::{Hash, Record, folder};

/// A log that is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many files it has.
    pub files: u64,
    /// How many records.
    pub records: u64,
    /// The number of the first; more than 1 if older ones were removed.
    pub first: u64,
    /// The hash of the last record.
    pub head: Hash,
}

/// The first place at which a log is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// The number of the first record that cannot be believed.
    pub record: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Why a log is not believed.
#[derive(Debug)]
pub enum VerifyError {
    /// Something was changed.
    Broken(Broken),
    /// A file cannot be read.
    Io(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} in {}: {}", self.record, self.file.display(), self.what)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Io(error) => write!(f, "the log cannot be read: {error}"),
        }
    }
}

impl std::error::Error for VerifyError {}

impl From<io::Error> for VerifyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Checks all of the log in `folder`.
///
/// # Errors
/// The first record that does not fit, or a file that cannot be read.
pub fn verify(folder: &Path) -> Result<Verified, VerifyError> {
    verify_with(folder, |_, _| {})
}

/// The same, and shows each record that fits with its hash.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(folder: &Path, mut show: impl FnMut(&Record, &Hash)) -> Result<Verified, VerifyError> {
    let files = folder::files(folder)?;
    let mut chain: Option<Link> = None;
    let mut verified = Verified { files: 0, records: 0, first: 1, head: BEGINNING };
    for file in &files {
        let bytes = std::fs::read(&file.path)?;
        let broken = |record, what| VerifyError::Broken(Broken { file: file.path.clone(), record, what });
        let Some(mut link) = chain::read_header(&bytes).filter(|link| link.next == file.first) else {
            return Err(broken(file.first, "the file's header does not fit"));
        };
        match chain {
            Some(before) if before != link => {
                return Err(broken(before.next, "the file does not go on where the one before it ends"));
            }
            None if link.next == 1 && link.hash != BEGINNING => {
                return Err(broken(1, "the first record has something before it"));
            }
            None => verified.first = link.next,
            Some(_) => {}
        }
        let mut at = HEADER;
        loop {
            match chain::take(&link, &bytes[at..]) {
                Found::Record(record, hash, size) => {
                    show(&record, &hash);
                    verified.records += 1;
                    link = Link { next: link.next + 1, hash };
                    at += size;
                }
                Found::End => break,
                Found::Torn => return Err(broken(link.next, "the file ends within it")),
                Found::Broken(what, _) => return Err(broken(link.next, what)),
            }
        }
        verified.files += 1;
        verified.head = link.hash;
        chain = Some(link);
    }
    Ok(verified)
}
