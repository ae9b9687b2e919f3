//! Where sequence numbers are noted so that they survive a loss of power.

/// Bytes of one record.
pub const RECORD_LEN: usize = 32;

/// What is kept in one slot.
pub type Record = [u8; RECORD_LEN];

/// A few slots of memory that keeps what is in it without power: pages of flash, cells of an EEPROM, a file.
///
/// A slot is only ever written as a whole, and the slots in turn, so that all wear alike; with flash, each slot is best
/// a page or a row of its own that `write` erases first. If power fails during a write, that slot, and no other, may
/// hold anything afterwards. It belongs to one publisher: two that use it at a time would use the same numbers.
pub trait Storage {
    /// What can go wrong.
    type Error;

    /// How many slots there are: at least two, and the more there are, the longer they last. What was noted with another
    /// number of them is not known.
    fn slots(&self) -> usize;

    /// Reads what is in a slot; whatever an erased one has.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), Self::Error>;

    /// Writes a slot, and returns when the record is there to stay.
    ///
    /// # Errors
    /// It is not certain that it is there.
    fn write(&mut self, slot: usize, record: &Record) -> Result<(), Self::Error>;
}

impl<S: Storage + ?Sized> Storage for &mut S {
    type Error = S::Error;

    fn slots(&self) -> usize {
        (**self).slots()
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), S::Error> {
        (**self).read(slot, record)
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), S::Error> {
        (**self).write(slot, record)
    }
}

/// No memory at all. Who has none starts each time with a Sender ID that was never used before, which the key
/// distribution centre gives to whoever joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgetful;

impl Storage for Forgetful {
    type Error = core::convert::Infallible;

    fn slots(&self) -> usize {
        0
    }

    fn read(&mut self, _: usize, _: &mut Record) -> Result<(), Self::Error> {
        Ok(())
    }

    fn write(&mut self, _: usize, _: &Record) -> Result<(), Self::Error> {
        Ok(())
    }
}
