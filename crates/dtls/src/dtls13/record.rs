//! The unified header of protected records (RFC 9147 section 4).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+-------------------+--------------------+--------------+------------------+
//! |0|0|1|C|S|L|E E| Connection ID if C | sequence, 1 or (S) | length if L  | encrypted record |
//! +-+-+-+-+-+-+-+-+                    | 2 bytes, encrypted |              |                  |
//! +---------------+-------------------+--------------------+--------------+------------------+
//! ```
//! A record without length takes all of the datagram that is left.

use crate::wire::{Reader, Writer};

/// The bits that make a first byte that of a unified header, and what they have to be.
const FIXED: u8 = 0b1110_0000;
const UNIFIED: u8 = 0b0010_0000;
/// C: a Connection ID is present.
const WITH_CID: u8 = 0x10;
/// S: the sequence number has 16 bits.
const LONG_SEQUENCE: u8 = 0x08;
/// L: the length is present.
const WITH_LENGTH: u8 = 0x04;
/// E E: the low bits of the epoch.
const EPOCH: u8 = 0x03;

/// Whether a record that begins with this byte has a unified header.
pub(crate) const fn is_unified(first: u8) -> bool {
    first & FIXED == UNIFIED
}

/// Whether a record that begins with this byte has a unified header with a Connection ID.
pub(crate) const fn has_cid(first: u8) -> bool {
    is_unified(first) && first & WITH_CID != 0
}

/// The low bits of an epoch, which are all that a header says of it.
pub(crate) const fn epoch_bits(epoch: u16) -> u8 {
    epoch as u8 & EPOCH
}

/// The header of a record to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading<'a> {
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
    /// The peer's Connection ID; empty for none.
    pub(crate) cid: &'a [u8],
    /// Whether another record may follow in the datagram.
    pub(crate) with_length: bool,
}

impl Heading<'_> {
    /// Length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.sequence_at() + self.sequence_len() + if self.with_length { 2 } else { 0 }
    }

    /// Where the sequence number stands.
    pub(crate) const fn sequence_at(&self) -> usize {
        1 + self.cid.len()
    }

    /// One byte as long as that is unambiguous whatever is lost, then two, which are unambiguous until 2^15 records in
    /// a row are lost.
    pub(crate) const fn sequence_len(&self) -> usize {
        if self.sequence < 128 { 1 } else { 2 }
    }

    /// Writes the header, its sequence number in the clear, for `length` bytes of encrypted record.
    pub(crate) fn write(&self, out: &mut Writer<'_>, length: usize) {
        let short = self.sequence_len() == 1;
        let mut first = UNIFIED | epoch_bits(self.epoch);
        first |= if self.cid.is_empty() { 0 } else { WITH_CID };
        first |= if short { 0 } else { LONG_SEQUENCE };
        first |= if self.with_length { WITH_LENGTH } else { 0 };
        out.u8(first);
        out.bytes(self.cid);
        match short {
            true => out.u8(self.sequence as u8),
            false => out.u16(self.sequence as u16),
        }
        if self.with_length {
            out.u16(u16::try_from(length).unwrap_or(u16::MAX));
        }
    }
}

/// A received record's header, checked for form only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unified<'a> {
    /// The low bits of the epoch.
    pub(crate) epoch_bits: u8,
    /// `None` if the header says that there is none.
    pub(crate) cid: Option<&'a [u8]>,
    /// Where the sequence number stands, and in how many bytes.
    pub(crate) sequence_at: usize,
    pub(crate) sequence_len: usize,
    pub(crate) header_len: usize,
    /// The whole record's length.
    pub(crate) len: usize,
}

impl<'a> Unified<'a> {
    /// Views the first record in `datagram`; `cid_len` is the length of the receiver's own Connection ID.
    pub(crate) fn parse(datagram: &'a [u8], cid_len: usize) -> Option<Self> {
        let mut bytes = Reader::new(datagram);
        let first = bytes.u8()?;
        if !is_unified(first) {
            return None;
        }
        let cid = match first & WITH_CID {
            0 => None,
            _ => Some(bytes.take(cid_len)?),
        };
        let sequence_at = datagram.len() - bytes.rest().len();
        let sequence_len = if first & LONG_SEQUENCE == 0 { 1 } else { 2 };
        let _encrypted = bytes.take(sequence_len)?;
        let length = match first & WITH_LENGTH {
            0 => bytes.rest().len(),
            _ => usize::from(bytes.u16()?),
        };
        let header_len = datagram.len() - bytes.rest().len();
        let _fragment = bytes.take(length)?;
        Some(Self {
            epoch_bits: first & EPOCH,
            cid,
            sequence_at,
            sequence_len,
            header_len,
            len: header_len + length,
        })
    }
}

/// RFC 9147 section 4.2.2: the number whose low bytes are `low` that is nearest to `expected`.
pub(crate) fn reconstruct(low: u16, bytes: usize, expected: u64) -> u64 {
    let span = 1u64 << (8 * bytes.min(2));
    let candidate = (expected & !(span - 1)) | u64::from(low);
    if candidate + span / 2 < expected {
        candidate + span
    } else if candidate > expected + span / 2 && candidate >= span {
        candidate - span
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn written(heading: &Heading<'_>, length: usize) -> Vec<u8> {
        let mut buf = [0; 32];
        let mut out = Writer::new(&mut buf);
        heading.write(&mut out, length);
        let len = out.finish().unwrap();
        assert_eq!(len, heading.len());
        buf[..len].to_vec()
    }

    #[test]
    fn every_form_of_header_is_read_as_it_was_written() {
        for (cid, sequence, with_length) in [
            (&b""[..], 0, false),
            (b"", 127, true),
            (b"c", 5, false),
            (b"", 128, false),
            (b"eight by", 0x1234, true),
        ] {
            let heading = Heading { epoch: 7, sequence, cid, with_length };
            let mut datagram = written(&heading, 20);
            datagram.extend([0xee; 20]);
            let whole = datagram.len();
            datagram.extend([0xff; 3]);
            let view = Unified::parse(&datagram, cid.len()).unwrap();
            assert_eq!((view.epoch_bits, view.header_len), (3, heading.len()));
            assert_eq!(view.cid.unwrap_or_default(), cid);
            assert_eq!(view.sequence_at, heading.sequence_at());
            assert_eq!(view.sequence_len, heading.sequence_len());
            assert_eq!(view.len, if with_length { whole } else { whole + 3 });
            if with_length {
                assert!((0..whole).all(|len| Unified::parse(&datagram[..len], cid.len()).is_none()));
            }
        }
    }

    #[test]
    fn the_smallest_header_has_two_bytes() {
        let heading = Heading { epoch: 2, sequence: 9, cid: b"", with_length: false };
        assert_eq!(written(&heading, 20), [0x22, 9]);
        let heading = Heading { epoch: 3, sequence: 300, cid: b"\x42", with_length: true };
        assert_eq!(written(&heading, 20), [0x3f, 0x42, 1, 44, 0, 20]);
    }

    #[test]
    fn other_first_bytes_are_no_unified_headers() {
        for first in 0..=255u8 {
            assert_eq!(is_unified(first), (32..64).contains(&first));
        }
    }

    /// Against the definition: of all numbers with these low bytes, none is nearer.
    #[test]
    fn the_nearest_number_is_found() {
        for expected in (0..1100).chain([(1 << 16) - 1, 1 << 16, (1 << 48) - 1]) {
            for low in 0..256u64 {
                let found = reconstruct(low as u16, 1, expected);
                assert_eq!(found % 256, low);
                let nearer = [found.checked_sub(256), found.checked_add(256)];
                for other in nearer.into_iter().flatten() {
                    assert!(found.abs_diff(expected) <= other.abs_diff(expected), "{low} near {expected}");
                }
            }
        }
        assert_eq!(reconstruct(0xffff, 2, 1 << 16), 0xffff);
        assert_eq!(reconstruct(0, 2, 0xffff), 1 << 16);
    }

    /// A short sequence number is sent only where no loss makes it ambiguous.
    #[test]
    fn short_sequence_numbers_survive_any_loss() {
        for sequence in 0..128u64 {
            for received in 0..=128 {
                assert_eq!(reconstruct(sequence as u16, 1, received), sequence);
            }
        }
    }
}
