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
    /// Reads a head that is in its shortest form, and returns what stands behind it.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (first, rest) = bytes.split_first().ok_or(Error::Truncated)?;
        let (major, info) = (first >> 5, first & 31);
        let (argument, rest, least) = match info {
            0..=23 => (info.into(), rest, 0),
            24 => argument(rest, 24, |[byte]: [u8; 1]| byte.into())?,
            25 => argument(rest, 1 << 8, |bytes| u16::from_be_bytes(bytes).into())?,
            26 => argument(rest, 1 << 16, |bytes| u32::from_be_bytes(bytes).into())?,
            27 => argument(rest, 1 << 32, u64::from_be_bytes)?,
            28..=30 => return Err(Error::Reserved),
            _ => return Err(Error::Indefinite),
        };
        match major {
            // The argument of a floating-point number is not a number.
            SIMPLE if info == 24 && argument < 32 => Err(Error::Reserved),
            SIMPLE => Ok((Self { major, info, argument }, rest)),
            _ if argument < least => Err(Error::NotShortest),
            _ => Ok((Self { major, info, argument }, rest)),
        }
    }
}

/// An argument of `N` bytes, what is behind it, and the least number that needs so many bytes.
#[inline]
fn argument<const N: usize>(
    bytes: &[u8],
    least: u64,
    number: impl FnOnce([u8; N]) -> u64,
) -> Result<(u64, &[u8], u64), Error> {
    let (argument, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    Ok((number(*argument), rest, least))
}

/// An encoded head: at most nine bytes.
pub(crate) struct EncodedHead {
    bytes: [u8; 9],
    len: u8,
}

impl EncodedHead {
    pub(crate) const fn new(major: u8, argument: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
        let major = major << 5;
        let (bytes, len) = match argument {
            0..=23 => ([major | h, 0, 0, 0, 0, 0, 0, 0, 0], 1),
            24..=0xff => ([major | 24, h, 0, 0, 0, 0, 0, 0, 0], 2),
            0x100..=0xffff => ([major | 25, g, h, 0, 0, 0, 0, 0, 0], 3),
            0x1_0000..=0xffff_ffff => ([major | 26, e, f, g, h, 0, 0, 0, 0], 5),
            _ => ([major | 27, a, b, c, d, e, f, g, h], 9),
        };
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}
