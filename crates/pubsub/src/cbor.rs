//! The strict layer over minicbor: what the draft's maps and arrays may look like, and nothing else.

use alloc::vec::Vec;
use core::fmt;

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encode, decode};

use crate::Property;

/// Why a body is not the CBOR that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CborError {
    /// It is not well-formed, or ends too early.
    Malformed,
    /// It is no map.
    NotAMap,
    /// It is no array.
    NotAnArray,
    /// Something in it has an indefinite length.
    IndefiniteLength,
    /// A key is no integer.
    KeyType,
    /// A key that no topic property has.
    UnknownKey,
    /// The same key twice.
    DuplicateKey(Property),
    /// The value of this property has the wrong type.
    WrongType(Property),
    /// Something follows the map or array.
    TrailingBytes,
}

impl CborError {
    /// The reason in a few plain words; the property, if there is one, stands beside it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed CBOR",
            Self::NotAMap => "not a CBOR map",
            Self::NotAnArray => "not a CBOR array",
            Self::IndefiniteLength => "CBOR of indefinite length",
            Self::KeyType => "a key that is no integer",
            Self::UnknownKey => "unknown topic property",
            Self::DuplicateKey(_) => "topic property given twice",
            Self::WrongType(_) => "topic property of the wrong type",
            Self::TrailingBytes => "bytes after the CBOR item",
        }
    }
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::DuplicateKey(property) | Self::WrongType(property) => write!(f, ": {property}"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for CborError {}

/// Walks a map of topic properties; `each` reads the value of the property that it is given.
pub(crate) fn read_map<'b>(
    body: &'b [u8],
    mut each: impl FnMut(Property, &mut Decoder<'b>) -> Result<(), decode::Error>,
) -> Result<(), CborError> {
    let mut d = Decoder::new(body);
    let entries = match d.datatype() {
        Ok(Type::Map) => d.map(),
        Ok(Type::MapIndef) => return Err(CborError::IndefiniteLength),
        Ok(_) => return Err(CborError::NotAMap),
        Err(_) => return Err(CborError::Malformed),
    };
    let mut seen = 0_u16;
    for _ in 0..entries.ok().flatten().ok_or(CborError::Malformed)? {
        let property = read_key(&mut d)?.ok_or(CborError::UnknownKey)?;
        let bit = 1 << property.key();
        if seen & bit != 0 {
            return Err(CborError::DuplicateKey(property));
        }
        seen |= bit;
        each(property, &mut d).map_err(|error| {
            if error.is_end_of_input() { CborError::Malformed } else { CborError::WrongType(property) }
        })?;
    }
    expect_end(&d)
}

/// Walks an array of property keys; those that no topic property has are passed over.
pub(crate) fn read_keys(body: &[u8], mut each: impl FnMut(Property)) -> Result<(), CborError> {
    let mut d = Decoder::new(body);
    let entries = match d.datatype() {
        Ok(Type::Array) => d.array(),
        Ok(Type::ArrayIndef) => return Err(CborError::IndefiniteLength),
        Ok(_) => return Err(CborError::NotAnArray),
        Err(_) => return Err(CborError::Malformed),
    };
    for _ in 0..entries.ok().flatten().ok_or(CborError::Malformed)? {
        if let Some(property) = read_key(&mut d)? {
            each(property);
        }
    }
    expect_end(&d)
}

/// A key; `None` if it is an integer that no property has.
fn read_key(d: &mut Decoder<'_>) -> Result<Option<Property>, CborError> {
    match d.datatype() {
        Ok(
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int,
        ) => {
            let key = d.int().map_err(|_| CborError::Malformed)?;
            Ok(u64::try_from(i128::from(key)).ok().and_then(Property::from_key))
        }
        Ok(_) => Err(CborError::KeyType),
        Err(_) => Err(CborError::Malformed),
    }
}

fn expect_end(d: &Decoder<'_>) -> Result<(), CborError> {
    if d.position() == d.input().len() { Ok(()) } else { Err(CborError::TrailingBytes) }
}

/// The seconds of an epoch-based date/time
/// ([RFC 8949 §3.4.2](https://www.rfc-editor.org/rfc/rfc8949#section-3.4.2)); fractions are cut off, and what
/// lies before 1970 reads as 1970, which has passed as well. Halves, which end on that day, are not read.
pub(crate) fn read_epoch_time(d: &mut Decoder<'_>) -> Result<u64, decode::Error> {
    if d.tag()? != Tag::new(1) {
        return Err(decode::Error::message("not an epoch-based date/time"));
    }
    match d.datatype()? {
        Type::F32 | Type::F64 => match d.f64()? {
            seconds if seconds.is_finite() => Ok(seconds as u64),
            _ => Err(decode::Error::message("no point in time")),
        },
        _ => Ok(u64::try_from(i128::from(d.int()?)).unwrap_or(0)),
    }
}

/// Encodes to memory, which does not fail: the only errors that encoding knows are the writer's.
pub(crate) fn to_bytes<T: Encode<()>>(item: &T) -> Vec<u8> {
    minicbor::to_vec(item).unwrap_or_default()
}
