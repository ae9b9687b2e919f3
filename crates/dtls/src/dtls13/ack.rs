//! The ACK message: which records with handshake messages have arrived (RFC 9147 section 7).

use crate::wire::{Reader, Writer};

/// Length of an ACK that names no record.
pub(crate) const ACK_HEADER: usize = 2;

/// A record's number in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordNumber {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

impl RecordNumber {
    /// Length on the wire.
    pub(crate) const LEN: usize = 16;
}

/// The record numbers in an ACK's body; `None` if it is malformed.
pub(crate) fn parse(body: &[u8]) -> Option<impl Iterator<Item = RecordNumber>> {
    let mut body = Reader::new(body);
    let numbers = body.vec16()?;
    let (numbers, rest) = numbers.as_chunks::<{ RecordNumber::LEN }>();
    (body.is_empty() && rest.is_empty()).then(|| {
        numbers.iter().filter_map(|number| {
            let mut number = Reader::new(number);
            let epoch = number.array().map(u64::from_be_bytes)?;
            let sequence = number.array().map(u64::from_be_bytes)?;
            Some(RecordNumber { epoch, sequence })
        })
    })
}

/// Writes the body of an ACK for these records, which are in increasing order.
pub(crate) fn write(out: &mut Writer<'_>, numbers: impl IntoIterator<Item = RecordNumber>) {
    out.vec16(|out| {
        for RecordNumber { epoch, sequence } in numbers {
            out.bytes(&epoch.to_be_bytes());
            out.bytes(&sequence.to_be_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const fn number(epoch: u64, sequence: u64) -> RecordNumber {
        RecordNumber { epoch, sequence }
    }

    #[test]
    fn what_is_written_is_read() {
        for count in [0, 1, 2, 9] {
            let numbers: Vec<_> = (0..count).map(|at| number(2, at << 40 | 7)).collect();
            let mut buf = [0; 200];
            let mut out = Writer::new(&mut buf);
            write(&mut out, numbers.iter().copied());
            let len = out.finish().unwrap();
            assert_eq!(len, 2 + numbers.len() * RecordNumber::LEN);
            assert_eq!(parse(&buf[..len]).unwrap().collect::<Vec<_>>(), numbers);
            assert!(parse(&buf[..len + 1]).is_none());
            assert!((0..len).all(|short| parse(&buf[..short]).is_none()));
        }
    }

    #[test]
    fn half_a_number_is_malformed() {
        assert!(parse(&[0, 8, 0, 0, 0, 0, 0, 0, 0, 2]).is_none());
    }
}
