//! Records in their order, also while others are being written.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::chain::HEADER;
use crate::{Record, folder};

/// Reads the records of a log one after the other. It does not check the chain: that is for [`verify`](crate::verify).
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// The file that is read, by the number of its first record, and how far.
    at: Option<(u64, u64)>,
}

impl Reader {
    /// From the oldest record on.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), at: None }
    }

    /// The next records, as many as a file has; none if there are no more yet, and then perhaps later.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_batch(&mut self) -> io::Result<Vec<Record>> {
        let files = folder::files(&self.folder)?;
        let (mut first, mut offset) = match (self.at, files.first()) {
            (Some(at), _) => at,
            (None, Some(oldest)) => (oldest.first, HEADER as u64),
            (None, None) => return Ok(Vec::new()),
        };
        loop {
            let mut bytes = Vec::new();
            if let Some(file) = files.iter().find(|file| file.first == first) {
                let mut file = File::open(&file.path)?;
                let _position = file.seek(SeekFrom::Start(offset))?;
                let _read = file.read_to_end(&mut bytes)?;
            }
            let (records, taken) = records(&bytes);
            offset += taken as u64;
            self.at = Some((first, offset));
            let next = files.iter().find(|file| file.first > first);
            match next {
                // A file that is followed by another does not grow.
                Some(next) if records.is_empty() => (first, offset) = (next.first, HEADER as u64),
                _ => return Ok(records),
            }
        }
    }
}

/// The whole records at the front, and how many bytes they take.
fn records(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some((length, rest)) = bytes[at..].split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (Some(cbor), true) = (rest.get(..length), rest.len() >= length.saturating_add(32)) else { break };
        let Some(record) = Record::from_bytes(cbor) else { break };
        records.push(record);
        at += 4 + length + 32;
    }
    (records, at)
}
