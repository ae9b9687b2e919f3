//! Flash in a file of the host's: pages that are erased and then written, as on a real board, and a power supply that
//! fails when it is told to.

use sedge_client::protected::{Record, SequenceStorage};
use sedge_client::{SavedSession, Storage};

use super::host::{File, Mode, exit_failure};

const PAGE: usize = 4_096;
const ERASED: [u8; PAGE] = [0xff; PAGE];

/// Some pages of flash.
pub struct Flash {
    file: File,
    pages: usize,
    /// How many more operations, erasures and writes, until the power fails in the middle of one.
    power: Option<u32>,
}

impl Flash {
    /// Flash of so many pages, which the file has to hold. The power fails in the operation after `power` more.
    pub fn open(name: &str, pages: usize, power: Option<u32>) -> Option<Self> {
        Some(Self { file: File::open(name, Mode::Change)?, pages, power })
    }

    /// Erases a page or writes to the beginning of it.
    fn change(&mut self, page: usize, bytes: &[u8]) -> Result<(), FlashError> {
        if !self.file.seek(page * PAGE) {
            return Err(FlashError);
        }
        match &mut self.power {
            Some(0) => {
                let (half, _) = bytes.split_at(bytes.len() / 2);
                let _gone = self.file.write(half);
                exit_failure("the power has failed");
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if self.file.write(bytes) { Ok(()) } else { Err(FlashError) }
    }
}

/// The file of the host's cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashError;

impl Flash {
    fn read_page(&mut self, page: usize, bytes: &mut [u8]) -> Result<(), FlashError> {
        if self.file.seek(page * PAGE) && self.file.read(bytes) { Ok(()) } else { Err(FlashError) }
    }

    fn write_page(&mut self, page: usize, bytes: &[u8]) -> Result<(), FlashError> {
        self.change(page, &ERASED)?;
        self.change(page, bytes)
    }
}

/// For the numbers of what is encrypted for a group.
impl SequenceStorage for Flash {
    type Error = FlashError;

    fn slots(&self) -> usize {
        self.pages
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), FlashError> {
        self.read_page(slot, record)
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), FlashError> {
        self.write_page(slot, record)
    }
}

/// For the session with the broker.
impl Storage for Flash {
    type Error = FlashError;

    fn slots(&self) -> usize {
        self.pages
    }

    fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), FlashError> {
        self.read_page(slot, record)
    }

    fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), FlashError> {
        self.write_page(slot, record)
    }
}
