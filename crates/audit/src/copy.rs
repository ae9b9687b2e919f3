//! A log that is somewhere else, file by file and piece by piece: whoever has a copy can check it without having to trust
//! the place that it came from.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::folder;

/// A file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of its first record, which is its name.
    pub first: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// The files of the log in a folder, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn parts(folder: &Path) -> io::Result<Vec<Part>> {
    let sized = |file: folder::Name| Ok(Part { first: file.first, len: file.path.metadata()?.len() });
    folder::files(folder)?.into_iter().map(sized).collect()
}

/// At most `limit` bytes of one of the files, from `offset` on; none behind its end.
///
/// # Errors
/// It cannot be read: rotation may have removed it.
pub fn read_part(folder: &Path, first: u64, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(folder::path(folder, first))?;
    let _position = file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    let _read = file.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A copy that grows as the log does.
#[derive(Debug)]
pub struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// A copy in a folder, which is made if need be; what is there already is gone on with.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        folder::create(folder)?;
        Ok(Self { folder: folder.into() })
    }

    /// The folder, for [`Reader`](crate::Reader) and [`verify`](crate::verify).
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Up to where there is a copy of one of the files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn len_of(&self, first: u64) -> io::Result<u64> {
        let parts = parts(&self.folder)?;
        Ok(parts.iter().find(|part| part.first == first).map_or(0, |part| part.len))
    }

    /// Adds what follows in one of the files.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let path = folder::path(&self.folder, first);
        let mut file = match folder::open_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                File::options().append(true).open(&path)?
            }
            file => file?,
        };
        file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::HEADER;
    use crate::{Event, Kind, Log, Reader, Settings, records, tail, verify};

    #[test]
    fn a_copy_made_in_pieces_while_the_log_grows_is_the_log() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let copy = Copy::open(&there.path().join("copy")).unwrap();
        let settings = Settings { file_bytes: 700, ..Settings::default() };
        let mut log = Log::open(here.path(), settings, 0).unwrap();
        for number in 0..40 {
            log.append(number, &Event::new(Kind::Refusal).about("t").with("number", number)).unwrap();
            if number % 3 != 0 {
                continue;
            }
            for part in parts(here.path()).unwrap() {
                let piece = read_part(here.path(), part.first, copy.len_of(part.first).unwrap(), 97).unwrap();
                copy.append(part.first, &piece).unwrap();
            }
        }
        for part in parts(here.path()).unwrap() {
            while copy.len_of(part.first).unwrap() < part.len {
                let at = copy.len_of(part.first).unwrap();
                copy.append(part.first, &read_part(here.path(), part.first, at, 97).unwrap()).unwrap();
            }
        }
        assert!(parts(here.path()).unwrap().len() > 2);
        assert_eq!(verify(copy.folder()).unwrap(), verify(here.path()).unwrap());
        let mut reader = Reader::new(copy.folder());
        let mut all = Vec::new();
        while let batch @ [_, ..] = &*reader.next_batch().unwrap() {
            all.extend(batch.iter().map(|record| record.number));
        }
        // The end of a log can be found from behind, in whichever file it begins.
        for count in 0..all.len() + 3 {
            let (first, offset) = tail(copy.folder(), count).unwrap().unwrap();
            let mut seen = Vec::new();
            for part in parts(copy.folder()).unwrap().iter().filter(|part| part.first >= first) {
                let from = if part.first == first { offset } else { HEADER as u64 };
                let bytes = read_part(copy.folder(), part.first, from, usize::MAX).unwrap();
                seen.extend(records(&bytes).0.iter().map(|record| record.number));
            }
            assert_eq!(seen, all[all.len().saturating_sub(count)..], "{count}");
        }
    }
}
