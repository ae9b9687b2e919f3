//! Tokens ([RFC 7252 section 5.3.1](https://www.rfc-editor.org/rfc/rfc7252#section-5.3.1)).

use core::fmt;
use core::hash::{Hash, Hasher};

/// What a client gives a request so that it knows the response again: 0 to 8 opaque bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    // Bytes past `len` are zero, so that the derived comparison holds.
    bytes: [u8; 8],
    len: u8,
}

impl Token {
    /// The token of no bytes.
    pub const EMPTY: Self = Self { bytes: [0; 8], len: 0 };
    /// The most bytes a token has.
    pub const MAX_LEN: usize = 8;

    /// The token of these bytes, or `None` if there are more than 8.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self::EMPTY;
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        token.len = bytes.len() as u8;
        Some(token)
    }

    /// The `len` low bytes of `value`, the highest first; a `len` above 8 counts as 8.
    pub fn from_u64(value: u64, len: usize) -> Self {
        let bytes = value.to_be_bytes();
        let low = bytes.get(8_usize.saturating_sub(len)..).unwrap_or(&[]);
        Self::new(low).unwrap_or_default()
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<[u8; 8]> for Token {
    fn from(bytes: [u8; 8]) -> Self {
        Self { bytes, len: 8 }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(")?;
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// The tokens of a client's requests to one server in one security session
/// ([RFC 9175 section 4.2](https://www.rfc-editor.org/rfc/rfc9175#section-4.2)).
///
/// They count up in the fewest bytes and never return, so that no response, however late, is taken for that
/// of another request. Without DTLS a token must be hard to guess instead: take [`Token::from_u64`] of a
/// random number with at least 4 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    next: u64,
}

impl Tokens {
    /// Begins a session.
    pub const fn new() -> Self {
        Self { next: 0 }
    }

    /// A token that was not given before in this session.
    pub fn issue(&mut self) -> Token {
        let token = Token::from_u64(self.next, 8 - self.next.leading_zeros() as usize / 8);
        self.next = self.next.wrapping_add(1);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_hold_up_to_eight_bytes() {
        assert_eq!(Token::new(&[1; 9]), None);
        assert_eq!(Token::new(&[0, 1]).unwrap().as_bytes(), [0, 1]);
        assert_ne!(Token::new(&[0]).unwrap(), Token::EMPTY);
        assert_eq!(Token::from_u64(0x0102_0304, 3).as_bytes(), [2, 3, 4]);
        assert_eq!(Token::from_u64(1, 9), Token::from([0, 0, 0, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn tokens_count_in_the_fewest_bytes() {
        let mut tokens = Tokens::new();
        assert_eq!(tokens.issue(), Token::EMPTY);
        assert_eq!(tokens.issue().as_bytes(), [1]);
        for _ in 2..256 {
            assert_eq!(tokens.issue().len(), 1);
        }
        assert_eq!(tokens.issue().as_bytes(), [1, 0]);
    }
}
