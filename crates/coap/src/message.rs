//! A received message ([RFC 7252 section 3](https://www.rfc-editor.org/rfc/rfc7252#section-3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver| T |  TKL  |      Code     |          Message ID           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Token (TKL bytes) ...  | Options ...  | 0xff | Payload ...    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

mod check;
mod digest;
mod getters;
mod malformed;
mod wire;

pub use check::{Reaction, Rejected};
pub use malformed::{Malformed, ParseError};
pub(crate) use wire::{OptionHead, options_at};

use core::fmt;

use crate::option::Lengths;
use crate::{Code, Format, OptionNumber, Token, Type};
use wire::{decode_uint, find_payload};

/// A validated view over the bytes of a message. Nothing is copied; getters walk the options anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    header: [u8; 4],
    datagram: &'a [u8],
    // Behind the payload marker, or at the end if there is none.
    payload_at: usize,
}

impl<'a> Message<'a> {
    /// Views `datagram` as a message, after one pass over it.
    ///
    /// # Errors
    /// The datagram is no well-formed message; [`ParseError::reaction`] says what the sender is owed.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some(&header) = datagram.first_chunk::<4>() else {
            return Err(ParseError::new(Malformed::Truncated, [0; 4]));
        };
        match find_payload(header, datagram) {
            Ok(payload_at) => Ok(Self { header, datagram, payload_at }),
            Err(malformed) => Err(ParseError::new(malformed, header)),
        }
    }

    /// Confirmable, Non-confirmable, Acknowledgement or Reset.
    pub const fn kind(&self) -> Type {
        Type::from_bits(self.header[0] >> 4)
    }

    /// The method or response code; [`Code::EMPTY`] for an empty message.
    pub const fn code(&self) -> Code {
        Code(self.header[1])
    }

    /// The Message ID, which matches acknowledgements and Resets to messages and finds duplicates.
    pub const fn message_id(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// The token, which matches responses to requests.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn token(&self) -> Token {
        self.datagram.get(4..options_at(self.header)).and_then(Token::new).unwrap_or_default()
    }

    /// The options in ascending order of their numbers.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.datagram.get(options_at(self.header)..).unwrap_or(&[]), number: 0 }
    }

    /// The payload; empty if there is none, for a payload of no bytes cannot be sent.
    pub fn payload(&self) -> &'a [u8] {
        self.datagram.get(self.payload_at..).unwrap_or(&[])
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} mid {:#06x} {:?}", self.kind(), self.code(), self.message_id(), self.token())?;
        for (number, value) in self.options() {
            write!(f, ", {number} ")?;
            match number.definition().map(|definition| definition.format) {
                Some(Format::String) if core::str::from_utf8(value).is_ok() => {
                    write!(f, "{:?}", core::str::from_utf8(value).unwrap_or_default())?;
                }
                Some(Format::Uint) if value.len() <= 4 => {
                    write!(f, "{}", decode_uint(value).unwrap_or_default())?;
                }
                _ => {
                    for byte in value {
                        write!(f, "{byte:02x}")?;
                    }
                }
            }
        }
        write!(f, ", payload of {} B", self.payload().len())
    }
}

/// The options of a message, as (number, value).
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> Options<'a> {
    /// The next option whose number is at least `least`.
    #[inline(always)]
    fn seek(&mut self, least: u16) -> Option<(u16, &'a [u8])> {
        let mut number = self.number.into();
        let mut at = 0;
        loop {
            let &first = self.rest.get(at)?;
            // `Message::parse` has passed here before, so there is no error to lose.
            let head = OptionHead::read(number, first, self.rest, at).ok()??;
            number = head.number;
            at = head.value_at + head.value_len;
            if number >= usize::from(least) {
                let (head_and_value, rest) = self.rest.split_at_checked(at)?;
                self.rest = rest;
                self.number = number as u16;
                return Some((self.number, head_and_value.get(head.value_at..)?));
            }
        }
    }

    /// The next value of `wanted` that has a length it allows. Once it is `None`, so are all that follow.
    fn value_of(&mut self, wanted: OptionNumber, lengths: Lengths) -> Option<&'a [u8]> {
        loop {
            let (number, value) = self.seek(wanted.0)?;
            if number != wanted.0 {
                self.rest = &[];
                return None;
            }
            if lengths.allow(value.len()) {
                return Some(value);
            }
        }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (OptionNumber, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.seek(0).map(|(number, value)| (OptionNumber(number), value))
    }
}

impl core::iter::FusedIterator for Options<'_> {}

/// The values of one option, those of a length it does not allow left out.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    options: Options<'a>,
    number: OptionNumber,
    lengths: Lengths,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.options.value_of(self.number, self.lengths)
    }
}

impl core::iter::FusedIterator for Values<'_> {}

#[cfg(test)]
mod tests;
