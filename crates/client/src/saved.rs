//! A session that outlives a loss of power, so that a device wakes up without a handshake.
//!
//! Under one key no record number may come twice, nor any token. So numbers are reserved ahead: before the first of them is
//! used, a record in the storage says that all of them may be. After a loss of power the session goes on behind what was
//! reserved. Records go into the slots in turn:
//!
//! ```text
//!  | "SS" | version 1 B | agreed 2 B | serial 4 B | reserved 4 B | step 4 B | token 4 B | Message ID 2 B | session | check 8 B |
//! ```
//!
//! The check is the beginning of the SHA-256 of the record and the number of slots: what a failing write leaves behind is
//! noticed, and what other firmware has left that had other slots, of which the newest may be out of reach. Such a slot, and
//! also an empty one, may once have held a good record whose numbers are used, so each is taken for a step that was used. That
//! holds because no record reserves more than a step beyond the one before it: what a loss makes the session skip is
//! reserved step by step, too, which fills the slots again.
//!
//! # Wear
//! A slot is written once per connection, once per [`Config::reserve`](crate::Config::reserve) records sent, once per
//! [suspension](crate::Polled::suspend), and once for each empty or lost slot that a restart finds. A device that publishes
//! each minute sends some 1500 records a day; with 256 reserved these are 6 writes a day. Two pages of flash that stand
//! 10,000 erasures each last nine years then, four pages, or 512 reserved, eighteen.
//!
//! # What it protects, and what not
//! The record holds the keys of the session: whoever reads the flash can read and forge its traffic, as with the
//! pre-shared key that lies there too. Nobody who can put back an older content of the flash is kept from using numbers
//! twice.

use core::fmt;

use sedge_crypto::{Crypto, Hash as _};
use sedge_dtls::Session;

/// Bytes of one record.
pub const SAVED_LEN: usize = HEAD + Session::EXPORTED_LEN + CHECK;

const HEAD: usize = 2 + 1 + 2 + 4 + 4 + 4 + 4 + 2;
const CHECK: usize = 8;
const MAGIC: [u8; 3] = *b"SS\x01";

/// What is kept in one slot; it holds keys.
pub type SavedSession = [u8; SAVED_LEN];

/// A few slots of memory that keeps what is in it without power: pages of flash, cells of an EEPROM, a file.
///
/// A slot is only ever written as a whole, and the slots in turn, so that all wear alike; with flash, each slot is best
/// a page of its own that `write` erases first. If power fails during a write, that slot, and no other, may hold anything
/// afterwards. It belongs to one client: two that took up the same session would use the same numbers.
///
/// On an nRF52840, with two pages of the non-volatile memory controller:
///
/// ```ignore
/// struct Pages<'d>(embassy_nrf::nvmc::Nvmc<'d>);
///
/// const FIRST: u32 = 0xf_e000;
///
/// impl Storage for Pages<'_> {
///     type Error = embassy_nrf::nvmc::Error;
///
///     fn slots(&self) -> usize {
///         2
///     }
///
///     fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), Self::Error> {
///         self.0.read(FIRST + 4096 * slot as u32, record)
///     }
///
///     fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), Self::Error> {
///         let page = FIRST + 4096 * slot as u32;
///         self.0.erase(page, page + 4096)?;
///         // Flash is written in words of four bytes.
///         let mut words = [0xff; SAVED_LEN.next_multiple_of(4)];
///         words[..SAVED_LEN].copy_from_slice(record);
///         self.0.write(page, &words)
///     }
/// }
/// ```
pub trait Storage {
    /// What can go wrong.
    type Error;

    /// How many slots there are: at least two, and the more there are, the longer they last. What was saved with another
    /// number of them is not taken up.
    fn slots(&self) -> usize;

    /// Reads what is in a slot; whatever an erased one has.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), Self::Error>;

    /// Writes a slot, and returns when the record is there to stay.
    ///
    /// # Errors
    /// It is not certain that it is there.
    fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), Self::Error>;
}

/// Why a session was not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError<E> {
    /// The storage failed. Nothing is sent before it was tried again with success, or the client was told to
    /// [stop saving](crate::Polled::stop_saving).
    Storage(E),
    /// There are fewer than two slots.
    TooFewSlots,
    /// There is no session to save, or sessions are not saved ([`Config::reserve`](crate::Config::reserve) is 0).
    NoSession,
}

impl<E: fmt::Display> fmt::Display for SaveError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => write!(f, "the session cannot be stored: {error}"),
            Self::TooFewSlots => f.write_str("the storage for sessions has fewer than two slots"),
            Self::NoSession => f.write_str("there is no session to save"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for SaveError<E> {}

/// What a record holds, beside the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// How the server proved itself, and whether an earlier session was resumed.
    pub(crate) agreed: [u8; 2],
    /// How many records may have been sealed since, and how many are reserved at a time.
    pub(crate) reserved: u32,
    pub(crate) step: u32,
    /// What was last used.
    pub(crate) token: u32,
    pub(crate) message_id: u16,
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    serial: u32,
    slot: usize,
    /// Whether the slots were looked at since the start.
    known: bool,
}

/// The newest record.
pub(crate) struct Found {
    pub(crate) numbers: Numbers,
    pub(crate) record: SavedSession,
}

impl Found {
    /// The session as it was exported.
    pub(crate) fn session(&self) -> &[u8] {
        self.record.get(HEAD..HEAD + Session::EXPORTED_LEN).unwrap_or_default()
    }
}

impl Cursor {
    /// Writes a record of a session into the slot whose turn it is.
    pub(crate) fn save<S: Storage>(
        &mut self,
        crypto: &impl Crypto,
        storage: &mut S,
        numbers: Numbers,
        session: &[u8],
    ) -> Result<(), SaveError<S::Error>> {
        if storage.slots() < 2 {
            return Err(SaveError::TooFewSlots);
        }
        if !self.known {
            let _newest = self.scan(crypto, storage).map_err(SaveError::Storage)?;
        }
        self.write(crypto, storage, numbers, session).map_err(SaveError::Storage)
    }

    /// Finds the newest record, and adds to it what was reserved by those that are missing, which is noted.
    pub(crate) fn restore<S: Storage>(
        &mut self,
        crypto: &impl Crypto,
        storage: &mut S,
    ) -> Result<Option<Found>, S::Error> {
        let (mut found, missing) = self.scan(crypto, storage)?;
        if let Some(found) = &mut found {
            for _ in 0..missing {
                let numbers = &mut found.numbers;
                numbers.reserved = numbers.reserved.saturating_add(numbers.step);
                self.write(crypto, storage, found.numbers, found.session())?;
            }
        }
        Ok(found)
    }

    fn write<S: Storage>(
        &mut self,
        crypto: &impl Crypto,
        storage: &mut S,
        numbers: Numbers,
        session: &[u8],
    ) -> Result<(), S::Error> {
        let serial = self.serial.wrapping_add(1);
        let slot = if self.slot + 1 < storage.slots() { self.slot + 1 } else { 0 };
        let mut record = [0; SAVED_LEN];
        let [high, low] = numbers.message_id.to_be_bytes();
        let parts: [&[u8]; 8] = [
            &MAGIC,
            &numbers.agreed,
            &serial.to_be_bytes(),
            &numbers.reserved.to_be_bytes(),
            &numbers.step.to_be_bytes(),
            &numbers.token.to_be_bytes(),
            &[high, low],
            session,
        ];
        let mut rest = &mut record[..];
        for part in parts {
            let Some((place, after)) = rest.split_at_mut_checked(part.len()) else { break };
            place.copy_from_slice(part);
            rest = after;
        }
        let check = check(crypto, storage.slots(), &record);
        if let Some(place) = record.last_chunk_mut() {
            *place = check;
        }
        // A write that fails may leave anything behind: the next one goes elsewhere only if this one is good.
        storage.write(slot, &record)?;
        (self.serial, self.slot) = (serial, slot);
        Ok(())
    }

    /// Finds the newest record, and counts the slots that hold none.
    fn scan<S: Storage>(
        &mut self,
        crypto: &impl Crypto,
        storage: &mut S,
    ) -> Result<(Option<Found>, usize), S::Error> {
        let mut newest: Option<(u32, usize)> = None;
        let mut missing = 0;
        let mut record = [0; SAVED_LEN];
        let slots = storage.slots();
        for slot in 0..slots {
            storage.read(slot, &mut record)?;
            match serial(crypto, slots, &record) {
                Some(serial) if newest.is_none_or(|(known, _)| serial.wrapping_sub(known) < 1 << 31) => {
                    newest = Some((serial, slot));
                }
                Some(_) => {}
                None => missing += 1,
            }
        }
        self.known = true;
        let Some((serial, slot)) = newest else {
            (self.serial, self.slot) = (0, slots.saturating_sub(1));
            return Ok((None, missing));
        };
        (self.serial, self.slot) = (serial, slot);
        storage.read(slot, &mut record)?;
        Ok((numbers(&record).map(|numbers| Found { numbers, record }), missing))
    }
}

fn check(crypto: &impl Crypto, slots: usize, record: &SavedSession) -> [u8; CHECK] {
    let mut hash = crypto.sha256();
    hash.update(record.get(..SAVED_LEN - CHECK).unwrap_or_default());
    hash.update(&(slots as u32).to_be_bytes());
    hash.finish().first_chunk().copied().unwrap_or_default()
}

/// The serial number of a good record.
fn serial(crypto: &impl Crypto, slots: usize, record: &SavedSession) -> Option<u32> {
    let good = record.starts_with(&MAGIC) && record.last_chunk() == Some(&check(crypto, slots, record));
    word(record, 5).filter(|_| good)
}

fn numbers(record: &SavedSession) -> Option<Numbers> {
    let half = |at: usize| record.get(at..)?.first_chunk().copied();
    Some(Numbers {
        agreed: half(3)?,
        reserved: word(record, 9)?,
        step: word(record, 13)?,
        token: word(record, 17)?,
        message_id: u16::from_be_bytes(half(21)?),
    })
}

fn word(record: &SavedSession, at: usize) -> Option<u32> {
    record.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}
