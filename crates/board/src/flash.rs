//! What outlives a loss of power, in pages of flash: anything that implements
//! [`NorFlash`], as the drivers of embassy, of esp-hal, of rp2040-hal do.
//!
//! # Wear
//! Each page holds one record after the other, and is erased when it is full: with pages of 4 KB and the client's sessions
//! ([`SAVED_LEN`] bytes) that is once in ten writes and more, with sequence numbers once in 128. The client writes to its
//! pages in turn. So two pages that stand 10,000 erasures each take some 200,000 sessions: one an hour for twenty years.
//! No word is written twice between two erasures, and every record is read back when it is written.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use sedge_client::protected::{Record, SequenceStorage};
use sedge_client::{SAVED_LEN, SavedSession, Storage};
use zeroize::Zeroizing;

/// The longest record and what fills up its last word.
const MOST: usize = SAVED_LEN.next_multiple_of(256);

/// Pages of flash as [`Storage`] for the session, or as [`SequenceStorage`] for the numbers of what is encrypted: one slot
/// each. The same pages must not serve both.
#[derive(Debug)]
pub struct Pages<'f, F> {
    flash: &'f RefCell<F>,
    /// Where the first page begins.
    start: u32,
    pages: u32,
}

impl<'f, F: NorFlash> Pages<'f, F> {
    /// Whole pages of a flash, in bytes from its beginning. `None` if they are fewer than two, or neither begin nor end
    /// where pages do, or their words are longer than 256 bytes.
    pub fn new(flash: &'f RefCell<F>, range: Range<u32>) -> Option<Self> {
        let page = u32::try_from(F::ERASE_SIZE).ok()?;
        let aligned = range.start.is_multiple_of(page) && range.end.is_multiple_of(page);
        let pages = range.end.checked_sub(range.start)? / page;
        let is_usable = aligned
            && pages >= 2
            && usize::try_from(range.end).ok()? <= flash.borrow().capacity()
            && 256_usize.is_multiple_of(F::WRITE_SIZE)
            && F::WRITE_SIZE.is_multiple_of(F::READ_SIZE)
            && F::ERASE_SIZE >= MOST;
        is_usable.then_some(Self { flash, start: range.start, pages })
    }

    /// How many records of `len` bytes a page holds, and how long each is with what fills up its last word.
    fn places(len: usize) -> (u32, usize) {
        let stride = len.next_multiple_of(F::WRITE_SIZE);
        ((F::ERASE_SIZE / stride) as u32, stride)
    }

    fn page(&self, slot: usize) -> u32 {
        self.start + (slot as u32 % self.pages) * F::ERASE_SIZE as u32
    }

    /// Reads the last record of a page, whatever a failing write has left of it, and says which it is.
    fn last(&self, slot: usize, record: &mut [u8]) -> Result<Option<u32>, Error<F::Error>> {
        let (places, stride) = Self::places(record.len());
        let mut words = Zeroizing::new([0xff; MOST]);
        let words = words.get_mut(..stride).unwrap_or_default();
        for place in (0..places).rev() {
            let address = self.page(slot) + place * stride as u32;
            self.flash.borrow_mut().read(address, words).map_err(Error::Flash)?;
            if words.iter().any(|byte| *byte != 0xff) {
                record.copy_from_slice(words.get(..record.len()).unwrap_or_default());
                return Ok(Some(place));
            }
        }
        record.fill(0xff);
        Ok(None)
    }

    fn append(&self, slot: usize, record: &[u8]) -> Result<(), Error<F::Error>> {
        let (places, stride) = Self::places(record.len());
        let mut words = Zeroizing::new([0xff; MOST]);
        let words = words.get_mut(..stride).unwrap_or_default();
        let page = self.page(slot);
        let last = self.last(slot, words.get_mut(..record.len()).unwrap_or_default())?;
        let mut flash = self.flash.borrow_mut();
        let place = match last.map_or(0, |last| last + 1) {
            next if next < places => next,
            _ => {
                flash.erase(page, page + F::ERASE_SIZE as u32).map_err(Error::Flash)?;
                0
            }
        };
        let address = page + place * stride as u32;
        words.fill(0xff);
        if let Some(room) = words.get_mut(..record.len()) {
            room.copy_from_slice(record);
        }
        flash.write(address, words).map_err(Error::Flash)?;
        flash.read(address, words).map_err(Error::Flash)?;
        if words.starts_with(record) { Ok(()) } else { Err(Error::NotKept) }
    }
}

impl<F: NorFlash> Storage for Pages<'_, F> {
    type Error = Error<F::Error>;

    fn slots(&self) -> usize {
        self.pages as usize
    }

    fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), Self::Error> {
        self.last(slot, record).map(drop)
    }

    fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), Self::Error> {
        self.append(slot, record)
    }
}

impl<F: NorFlash> SequenceStorage for Pages<'_, F> {
    type Error = Error<F::Error>;

    fn slots(&self) -> usize {
        self.pages as usize
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), Self::Error> {
        self.last(slot, record).map(drop)
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), Self::Error> {
        self.append(slot, record)
    }
}

/// The text that was written at an address, with nothing but ones behind it; `None` if there is none, or `memory` is too
/// short. Made for the line of a [`Credential`](crate::credential::Credential).
pub fn text<'m, F: NorFlash>(flash: &RefCell<F>, address: u32, memory: &'m mut [u8]) -> Option<&'m str> {
    flash.borrow_mut().read(address, memory).ok()?;
    let len = memory.iter().position(|byte| *byte == 0xff).filter(|len| *len > 0)?;
    core::str::from_utf8(memory.get(..len)?).ok()
}

/// Why a record is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// What the flash says.
    Flash(E),
    /// Something else is read than what was written: the page is worn out, or somebody else writes to it.
    NotKept,
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash fails: {error:?}"),
            Self::NotKept => f.write_str("the flash has not kept what was written"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}
