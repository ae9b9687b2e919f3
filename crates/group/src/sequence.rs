//! Sequence numbers, none of which is used twice under one key, whenever the power fails.
//!
//! Numbers are reserved ahead, [`STEP`] at a time: before the first of them is used, a record says that all of them are.
//! After a loss of power the sequence goes on behind what was reserved, so at most a step is skipped. Records go into
//! the slots in turn:
//!
//! ```text
//!  | "SG" | version 2 B | serial 4 B | context 8 B | reserved 8 B | check 8 B |
//! ```
//!
//! The check is the beginning of the SHA-256 of the record and the number of slots: what a failing write leaves behind is
//! noticed, and what other firmware has left that had other slots, of which the newest may be out of reach. Such a slot, and
//! also an empty one, may once have held a good record whose numbers are used, so each is taken for a step that was
//! used. That holds because no record reserves more than a step beyond the one before it: what a loss makes the
//! sequence skip is reserved step by step, too, which fills the slots again.

use core::fmt;

use sedge_cose::cbor::Encoder;
use sedge_crypto::{Crypto, Hash as _};

use crate::storage::{RECORD_LEN, Record, Storage};

/// How many numbers a record reserves.
pub const STEP: u32 = 128;

/// How many numbers there are for one Sender ID and key. Then the Partial IV would need a third byte; and an
/// AES key should not be used for much more with a short tag.
pub const NUMBERS: u32 = 1 << 16;

/// What a sequence belongs to, one key and one Sender ID: a digest of what is no secret about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context([u8; 8]);

impl Context {
    pub(crate) fn new<C: Crypto>(crypto: &C, parts: [&[u8]; 3]) -> Self {
        let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
        let ([a, b, c], [len_a, len_b, len_c]) = (parts, &lengths);
        Self(digest(crypto, &[len_a, a, len_b, b, len_c, c]))
    }
}

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError<E> {
    /// All numbers are used up: a new Sender ID or a new key is needed.
    Exhausted,
    /// It is not known which numbers were used: a new Sender ID or a new key is needed.
    Unknown,
    /// The memory failed; no number was used, and it may be tried again.
    Storage(E),
}

impl<E: fmt::Display> fmt::Display for SequenceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted => f.write_str("all sequence numbers are used up"),
            Self::Unknown => f.write_str("it is not known which sequence numbers were used"),
            Self::Storage(error) => write!(f, "the memory for sequence numbers failed: {error}"),
        }
    }
}

/// The sequence numbers of one publisher in one group.
#[derive(Debug)]
pub struct Sequence<S> {
    storage: S,
    context: Option<Context>,
    next: u32,
    /// Numbers below this are noted as used.
    reserved: u32,
    /// Of the newest record that can be read.
    serial: u32,
    slot: usize,
}

impl<S: Storage> Sequence<S> {
    /// A sequence without numbers, until [`begin`](Self::begin) or [`resume`](Self::resume) say what it is for.
    pub const fn new(storage: S) -> Self {
        Self { storage, context: None, next: 0, reserved: 0, serial: 0, slot: 0 }
    }

    /// Starts at 0 for a key or a Sender ID that was just handed out and cannot have been used; goes on behind what
    /// was used, if it was after all and that is known.
    ///
    /// # Errors
    /// [`SequenceError::Storage`].
    pub fn begin<C: Crypto>(&mut self, crypto: &C, context: Context) -> Result<(), SequenceError<S::Error>> {
        if self.context == Some(context) {
            return Ok(());
        }
        match self.resume(crypto, context) {
            Err(SequenceError::Unknown) => {
                (self.next, self.reserved, self.context) = (0, 0, Some(context));
                Ok(())
            }
            other => other,
        }
    }

    /// Goes on where an earlier run has stopped.
    ///
    /// # Errors
    /// [`SequenceError::Unknown`] if there is no record of it, [`SequenceError::Storage`].
    pub fn resume<C: Crypto>(&mut self, crypto: &C, context: Context) -> Result<(), SequenceError<S::Error>> {
        self.context = None;
        let slots = self.storage.slots();
        let (mut newest, mut reserved, mut missing) = ((0, slots.saturating_sub(1)), None, 0u32);
        for slot in 0..slots {
            let mut record = [0; RECORD_LEN];
            self.storage.read(slot, &mut record).map_err(SequenceError::Storage)?;
            match decode(crypto, slots, &record) {
                Some((serial, of, noted)) => {
                    if newest.0 <= serial {
                        newest = (serial, slot);
                    }
                    if of == context {
                        reserved = reserved.max(Some(noted));
                    }
                }
                None => missing += 1,
            }
        }
        (self.serial, self.slot) = newest;
        self.reserved = reserved.ok_or(SequenceError::Unknown)?;
        self.next = self.reserved.saturating_add(STEP.saturating_mul(missing));
        self.context = Some(context);
        Ok(())
    }

    /// The next number, which is then used.
    ///
    /// # Errors
    /// There is none.
    pub fn next<C: Crypto>(&mut self, crypto: &C) -> Result<u32, SequenceError<S::Error>> {
        let context = self.context.ok_or(SequenceError::Unknown)?;
        let number = self.next;
        if number >= NUMBERS {
            return Err(SequenceError::Exhausted);
        }
        while number >= self.reserved {
            self.reserve(crypto, context, self.reserved + STEP)?;
        }
        self.next = number + 1;
        Ok(number)
    }

    /// Whether there is a memory for records.
    pub fn is_durable(&self) -> bool {
        self.storage.slots() > 0
    }

    /// How often a slot was written in the life of the memory.
    pub const fn writes(&self) -> u32 {
        self.serial
    }

    /// How often each slot was written, at most.
    pub fn wear(&self) -> u32 {
        self.serial.div_ceil(u32::try_from(self.storage.slots()).unwrap_or(u32::MAX).max(1))
    }

    /// The memory.
    pub const fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    fn reserve<C: Crypto>(
        &mut self,
        crypto: &C,
        context: Context,
        reserved: u32,
    ) -> Result<(), SequenceError<S::Error>> {
        let slots = self.storage.slots();
        if slots > 0 {
            let serial = self.serial.checked_add(1).ok_or(SequenceError::Unknown)?;
            let slot = (self.slot + 1) % slots;
            let record = encode(crypto, slots, serial, context, reserved);
            self.storage.write(slot, &record).map_err(SequenceError::Storage)?;
            (self.serial, self.slot) = (serial, slot);
        }
        self.reserved = reserved;
        Ok(())
    }
}

const MAGIC: [u8; 4] = *b"SG\x00\x01";

fn encode<C: Crypto>(crypto: &C, slots: usize, serial: u32, context: Context, reserved: u32) -> Record {
    let mut record = [0; RECORD_LEN];
    if let Some((body, check)) = record.split_last_chunk_mut::<8>() {
        let mut encoder = Encoder::new(body);
        encoder
            .raw(&MAGIC)
            .raw(&serial.to_be_bytes())
            .raw(&context.0)
            .raw(&u64::from(reserved).to_be_bytes());
        *check = digest(crypto, &[body, &(slots as u32).to_be_bytes()]);
    }
    record
}

fn decode<C: Crypto>(crypto: &C, slots: usize, record: &Record) -> Option<(u32, Context, u32)> {
    let (body, check) = record.split_last_chunk::<8>()?;
    if *check != digest(crypto, &[body, &(slots as u32).to_be_bytes()]) {
        return None;
    }
    let (magic, body) = body.split_first_chunk()?;
    let (serial, body) = body.split_first_chunk()?;
    let (context, body) = body.split_first_chunk()?;
    let reserved = u64::from_be_bytes(body.try_into().ok()?);
    // Beyond what there can be, all are used up.
    let reserved = u32::try_from(reserved).unwrap_or(u32::MAX);
    (*magic == MAGIC).then_some((u32::from_be_bytes(*serial), Context(*context), reserved))
}

/// The beginning of the SHA-256 of these parts.
fn digest<C: Crypto>(crypto: &C, parts: &[&[u8]]) -> [u8; 8] {
    let mut hash = crypto.sha256();
    parts.iter().for_each(|part| hash.update(part));
    let [a, b, c, d, e, f, g, h, ..] = hash.finish();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
