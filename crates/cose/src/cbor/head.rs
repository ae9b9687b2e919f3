//! The head of an item: its major type and its argument (RFC 8949 section 3).

use super::Error;

pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(crate) const BYTES: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
pub(super) const SIMPLE: u8 = 7;

/// Major type, additional information and argument of an item.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) major: u8,
    pub(super) info: u8,
    pub(super) argument: u64,
}

impl Head {
    /// Reads a head that is in its shortest form, and moves behind it. After an error the bytes are where they were.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, Error> {
        let (first, rest) = bytes.split_first().ok_or(Error::Truncated)?;
        let (major, info) = (first >> 5, first & 31);
        let mut head = Self { major, info, argument: info.into() };
        let rest = match info {
            0..=23 => rest,
            24..=27 => head.read_argument(rest)?,
            28..=30 => return Err(Error::Reserved),
            _ => return Err(Error::Indefinite),
        };
        *bytes = rest;
        Ok(head)
    }

    /// Reads an argument that stands in one, two, four or eight bytes of its own, and returns what is behind it.
    fn read_argument<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Error> {
        let len = 1 << (self.info & 3);
        let (digits, rest) = bytes.split_at_checked(len).ok_or(Error::Truncated)?;
        self.argument = digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit));
        // The greatest number that takes fewer bytes: those of half as many, or what fits into the first one.
        let shorter = if len == 1 { 23 } else { u64::MAX >> (64 - 4 * len) };
        match self.major {
            // The argument of a floating-point number is not a number.
            SIMPLE if len == 1 && self.argument < 32 => Err(Error::Reserved),
            SIMPLE => Ok(rest),
            _ if self.argument <= shorter => Err(Error::NotShortest),
            _ => Ok(rest),
        }
    }
}

/// An encoded head: at most nine bytes.
pub(crate) struct EncodedHead {
    bytes: [u8; 9],
    len: u8,
}

impl EncodedHead {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) const fn new(major: u8, argument: u64) -> Self {
        let (info, len) = match argument {
            0..=23 => (argument as u8, 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        // The digits that count come to the front.
        let [a, b, c, d, e, f, g, h] = argument.rotate_right(8 * len as u32).to_be_bytes();
        Self { bytes: [major << 5 | info, a, b, c, d, e, f, g, h], len: 1 + len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}
