//! ECDSA signatures, and their form in DER.

use core::fmt;

use crate::key::{KeyError, write_hex};

/// An ECDSA signature in P-256: `r | s`.
///
/// TLS and X.509 carry it in DER, as an `Ecdsa-Sig-Value`
/// ([RFC 3279 section 2.2.3](https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3)); COSE as it is here. Whether
/// the two numbers are in range is the provider's to check.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Most bytes that a signature takes in DER.
    pub const MAX_DER_LEN: usize = 72;

    /// The signature `r | s`.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// `r | s`.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Takes exactly one DER `SEQUENCE { r INTEGER, s INTEGER }`.
    ///
    /// What is not the one encoding of two numbers from 0 to 2^256 - 1 is refused: longer forms of lengths,
    /// padded or negative numbers, bytes to spare.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::parse(der).ok_or(KeyError::Signature)
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let (sequence, rest) = element(SEQUENCE, der)?;
        let (r, after) = element(INTEGER, sequence)?;
        let (s, end) = element(INTEGER, after)?;
        let mut bytes = [0; 64];
        let (to_r, to_s) = bytes.split_at_mut(32);
        read_integer(r, to_r)?;
        read_integer(s, to_s)?;
        (rest.is_empty() && end.is_empty()).then_some(Self(bytes))
    }

    /// Writes the signature in DER and returns the part of `buffer` that it takes, 8 to 72 bytes.
    pub fn write_der<'a>(&self, buffer: &'a mut [u8; Self::MAX_DER_LEN]) -> &'a [u8] {
        let [r, s] = self.0.as_chunks::<32>().0 else { return &[] };
        let [r, s] = [Integer::new(r), Integer::new(s)];
        let len = r.len() + s.len();
        let bytes = [SEQUENCE, len as u8].into_iter().chain(r.bytes()).chain(s.bytes());
        for (to, from) in buffer.iter_mut().zip(bytes) {
            *to = from;
        }
        buffer.get(..2 + len).unwrap_or_default()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        write_hex(f, &self.0)?;
        f.write_str(")")
    }
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// The content of an element with this tag and a length below 128, and what follows the element.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    match der {
        [first, len @ 0..=0x7f, rest @ ..] if *first == tag => rest.split_at_checked(usize::from(*len)),
        _ => None,
    }
}

/// Reads the content of an INTEGER, right-aligned.
fn read_integer(content: &[u8], to: &mut [u8]) -> Option<()> {
    let digits = match content {
        // A zero byte in front keeps the number from being negative, or is the number zero.
        [0, digits @ ..] if matches!(digits, [0x80..=0xff, ..]) => digits,
        [0] | [1..0x80, ..] => content,
        _ => return None,
    };
    let start = to.len().checked_sub(digits.len())?;
    to.get_mut(start..)?.copy_from_slice(digits);
    Some(())
}

/// A number to be written as an INTEGER.
struct Integer<'a> {
    /// Without zeros in front, except for the number zero.
    digits: &'a [u8],
    /// Whether a zero byte keeps the number from being negative.
    padded: bool,
}

impl<'a> Integer<'a> {
    fn new(number: &'a [u8; 32]) -> Self {
        let zeros = number.iter().take(31).take_while(|&&byte| byte == 0).count();
        let digits = number.get(zeros..).unwrap_or(number);
        Self { digits, padded: digits.first().is_some_and(|&first| first >= 0x80) }
    }

    /// Length of the whole element: at most 35.
    fn len(&self) -> usize {
        2 + usize::from(self.padded) + self.digits.len()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let head = [INTEGER, self.len() as u8 - 2];
        let padding = self.padded.then_some(0);
        head.into_iter().chain(padding).chain(self.digits.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn signature(r: &[u8], s: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes[32 - r.len()..32].copy_from_slice(r);
        bytes[64 - s.len()..].copy_from_slice(s);
        Signature::new(bytes)
    }

    fn der(signature: Signature) -> Vec<u8> {
        signature.write_der(&mut [0; Signature::MAX_DER_LEN]).to_vec()
    }

    #[test]
    fn numbers_of_every_length_have_one_encoding() {
        for len in 0..=32 {
            for first in [1, 0x7f, 0x80, 0xff] {
                let mut digits = [0x5a; 32];
                digits[0] = first;
                let signature = signature(&digits[..len], &[3]);
                let der = der(signature);
                let padding = usize::from(len > 0 && first >= 0x80);
                assert_eq!(der.len(), 2 + 2 + len.max(1) + padding + 3);
                assert_eq!(Signature::from_der(&der), Ok(signature));
                for cut in 0..der.len() {
                    assert_eq!(Signature::from_der(&der[..cut]), Err(KeyError::Signature));
                }
                assert_eq!(Signature::from_der(&[&der[..], &[0]].concat()), Err(KeyError::Signature));
            }
        }
        assert_eq!(der(signature(&[0xff; 32], &[0xff; 32])).len(), Signature::MAX_DER_LEN);
        assert_eq!(der(signature(&[0x12], &[0x80])), [0x30, 7, 2, 1, 0x12, 2, 2, 0, 0x80]);
    }

    #[test]
    fn other_encodings_are_refused() {
        let refused: &[&[u8]] = &[
            // A long form of a length.
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 7, 2, 0x81, 1, 1, 2, 1, 1],
            // An indefinite length.
            &[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0],
            // A zero in front of a number that is not negative.
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 7, 2, 2, 0, 0, 2, 1, 1],
            // A negative number, an empty one.
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            // One number, three numbers, another tag.
            &[0x30, 3, 2, 1, 1],
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
            &[0x31, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 6, 3, 1, 1, 2, 1, 1],
        ];
        for der in refused {
            assert_eq!(Signature::from_der(der), Err(KeyError::Signature), "{der:02x?}");
        }
        let mut long = std::vec![0x30, 39, 2, 34, 1];
        long.extend([0; 33]);
        long.extend([2, 1, 1]);
        assert_eq!(Signature::from_der(&long), Err(KeyError::Signature), "a number of 34 bytes");
    }
}
