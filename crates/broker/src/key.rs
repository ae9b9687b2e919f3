//! Pre-shared keys: made from the system's randomness, erased when dropped, printed as `[secret]`.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A device's pre-shared key: 16 random bytes, or 16 to 64 bytes that came from elsewhere.
#[derive(Clone)]
pub struct Key(Zeroizing<Box<[u8]>>);

/// What was offered as a key has a length outside 16 to 64 bytes, or is no hexadecimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl Key {
    /// Shortest and longest key, in bytes.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

    /// A new key of 16 bytes from the system's randomness.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new(vec![0; 16].into_boxed_slice());
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes over a key that was made elsewhere.
    ///
    /// # Errors
    /// Its length is outside [`Key::LENGTHS`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if !Self::LENGTHS.contains(&bytes.len()) {
            return Err(KeyError);
        }
        Ok(Self(Zeroizing::new(bytes.into())))
    }

    /// Reads hexadecimal digits.
    ///
    /// # Errors
    /// A character that is no digit, or a length outside [`Key::LENGTHS`].
    pub fn from_hex(digits: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&Zeroizing::new(hex_decode(digits).ok_or(KeyError)?))
    }

    /// The key's bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The key as hexadecimal digits.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex_encode(&self.0))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 32 to 128 hexadecimal digits")
    }
}

impl std::error::Error for KeyError {}

impl<C> Encode<C> for Key {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Key {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::from_bytes(d.bytes()?)
            .map_err(|error| minicbor::decode::Error::message(error.to_string()).at(at))
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex_encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that pairs of hexadecimal digits stand for.
pub(crate) fn hex_decode(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_do_not_print() {
        let (a, b) = (Key::random().unwrap(), Key::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.expose().len(), 16);
        assert_eq!(format!("{a:?}"), "[secret]");
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let key = Key::from_hex("000102030405060708090a0b0c0d0eFF").unwrap();
        assert_eq!(key.expose_hex().as_str(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(Key::from_hex(&key.expose_hex()), Ok(key));
        for wrong in [
            "",
            "00",
            "0001020304050607",
            "g00102030405060708090a0b0c0d0e0f",
            "0001020304050607080900a0b0c0d0e0f",
        ] {
            assert_eq!(Key::from_hex(wrong), Err(KeyError), "{wrong}");
        }
    }
}
