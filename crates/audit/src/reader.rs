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

/// Where the last `count` records of a log begin: in the file with this first record, at this offset. `None` if there is
/// no file.
///
/// # Errors
/// A file cannot be read.
pub fn tail(folder: &Path, count: usize) -> io::Result<Option<(u64, u64)>> {
    let mut found = None;
    let mut missing = count;
    for file in folder::files(folder)?.iter().rev() {
        let bytes = std::fs::read(&file.path)?;
        let mut ends = vec![HEADER.min(bytes.len())];
        while let Some(rest) = ends.last().and_then(|end| bytes.get(*end..)) {
            let Some((_, taken)) = first_record(rest) else { break };
            ends.push(ends.last().copied().unwrap_or_default() + taken);
        }
        let here = ends.len() - 1;
        found = ends.get(here.saturating_sub(missing)).map(|offset| (file.first, *offset as u64));
        missing = missing.saturating_sub(here);
        if missing == 0 {
            break;
        }
    }
    Ok(found)
}

/// The whole records at the front of a piece of a file, and how many bytes they take.
pub fn records(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some((record, taken)) = first_record(&bytes[at..]) {
        records.push(record);
        at += taken;
    }
    (records, at)
}

fn first_record(bytes: &[u8]) -> Option<(Record, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let cbor = rest.get(..length).filter(|_| rest.len() >= length.saturating_add(32))?;
    Some((Record::from_bytes(cbor)?, 4 + length + 32))
}
