//! CBOR ([RFC 8949](https://www.rfc-editor.org/rfc/rfc8949)) in its one deterministic form, without a heap.
//!
//! What is signed, encrypted or decided upon has to mean one thing only. So [`Decoder`] refuses whatever could be
//! written in a shorter way (integers, lengths and tags; indefinite lengths altogether), whatever could be read in two
//! ways (a key twice in a map, text that is not UTF-8), and nesting deeper than [`MAX_DEPTH`]. Keys of maps may come in
//! any order, as COSE allows, and floating-point numbers in any width.
//!
//! [`Encoder`] writes into a buffer of the caller's and can only fail for want of room. [`Diagnostic`] prints.
//!
//! ```
//! use sedge_cose::cbor::{Decoder, Encoder, Error, Label};
//!
//! let mut buffer = [0; 32];
//! let mut encoder = Encoder::new(&mut buffer);
//! encoder.map(2).int(1).text("coap://as.example").int(4).unsigned(1_700_000_000);
//! let encoded = encoder.finish()?;
//!
//! let (mut issuer, mut expires) = (None, None);
//! let mut decoder = Decoder::new(encoded);
//! decoder.map(|label, value| {
//!     match label {
//!         Label::Int(1) => issuer = Some(value.text()?),
//!         Label::Int(4) => expires = Some(value.unsigned()?),
//!         // A value that is left alone is checked and skipped.
//!         _ => {}
//!     }
//!     Ok::<_, Error>(())
//! })?;
//! decoder.end()?;
//! assert_eq!((issuer, expires), (Some("coap://as.example"), Some(1_700_000_000)));
//! # Ok::<_, Error>(())
//! ```

mod decoder;
mod diagnostic;
mod encoder;
mod head;

use core::fmt;

pub use decoder::Decoder;
pub(crate) use decoder::Entry;
pub use diagnostic::Diagnostic;
pub use encoder::{Encoder, NoRoom};
pub(crate) use head::{ARRAY, BYTES, EncodedHead, TEXT};

/// How many arrays, maps and tags may stand around an item.
pub const MAX_DEPTH: u8 = 8;

/// How many keys may come before one that is not in ascending order.
///
/// A key that is greater than all before needs no comparison with each of them; this bounds the work for the others.
pub const MAX_UNORDERED: usize = 64;

/// The key of a map as COSE, CWT and ACE use them
/// ([RFC 9052 section 1.5](https://www.rfc-editor.org/rfc/rfc9052#section-1.5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label<'b> {
    /// A number from a registry.
    Int(i64),
    /// A name.
    Text(&'b str),
}

/// Of what type the next item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// An integer of zero or more.
    Unsigned,
    /// An integer below zero.
    Negative,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A tag, with another item behind it.
    Tag,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// A floating-point number.
    Float,
    /// Another simple value; `undefined` is one.
    Simple,
}

/// Why bytes are not the CBOR that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The bytes end within an item.
    Truncated,
    /// An integer, a length or a tag has a shorter form.
    NotShortest,
    /// A string, an array or a map does not say how long it is.
    Indefinite,
    /// A first byte, or a simple value, that has no meaning.
    Reserved,
    /// A text string is not UTF-8.
    Utf8,
    /// A map has a key twice.
    DuplicateKey,
    /// More than [`MAX_UNORDERED`] keys come before one that is out of order.
    Unordered,
    /// More than [`MAX_DEPTH`] arrays, maps and tags within each other.
    TooDeep,
    /// Another type than the one that belongs here.
    Type,
    /// A number that is out of its range.
    Range,
    /// More bytes than belong here.
    Trailing,
    /// The buffer for what is encoded is too short.
    NoRoom,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end within an item",
            Self::NotShortest => "an integer or a length is not in its shortest form",
            Self::Indefinite => "an item has an indefinite length",
            Self::Reserved => "an item begins with a reserved value",
            Self::Utf8 => "a text string is not UTF-8",
            Self::DuplicateKey => "a map has a key twice",
            Self::Unordered => "a map has too many keys out of order",
            Self::TooDeep => "items are nested too deep",
            Self::Type => "an item has another type than belongs there",
            Self::Range => "a number is out of range",
            Self::Trailing => "there are more bytes than belong there",
            Self::NoRoom => "the buffer is too short",
        })
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests;
