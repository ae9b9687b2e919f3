//! By which revoked tokens are called ([RFC 9770 section 4](https://www.rfc-editor.org/rfc/rfc9770#section-4)).

use core::fmt;

use sedge_crypto::{Crypto, Hash as _};

/// The hash of an access token: SHA-256 over its bytes in base64url, in the binary form of
/// [RFC 6920 section 6](https://www.rfc-editor.org/rfc/rfc6920#section-6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; Self::LEN]);

impl TokenHash {
    /// Its length in bytes: one for the algorithm, 32 for the digest.
    pub const LEN: usize = 33;
    /// The number of SHA-256 among the named information hash algorithms.
    const SHA_256: u8 = 1;

    /// The hash of the token whose bytes the client was given as `access_token`.
    pub fn of<C: Crypto>(crypto: &C, token: &[u8]) -> Self {
        let mut hash = crypto.sha256();
        for chunk in token.chunks(3) {
            let (text, len) = base64url(chunk);
            hash.update(text.get(..len).unwrap_or(&text));
        }
        let mut bytes = [Self::SHA_256; Self::LEN];
        if let Some(digest) = bytes.last_chunk_mut::<32>() {
            *digest = hash.finish();
        }
        Self(bytes)
    }

    /// The hash with these bytes, or `None` if they are none that [`of`](Self::of) makes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; Self::LEN] = bytes.try_into().ok()?;
        (bytes.first() == Some(&Self::SHA_256)).then_some(Self(bytes))
    }

    /// The bytes, as lists of revoked tokens carry them.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({self})")
    }
}

/// One to three bytes as two to four characters of base64url without padding
/// ([RFC 4648 section 5](https://www.rfc-editor.org/rfc/rfc4648#section-5)).
fn base64url(chunk: &[u8]) -> ([u8; 4], usize) {
    let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
    let text = [18, 12, 6, 0].map(|shift| character((bits >> shift & 63) as u8));
    (text, chunk.len() + 1)
}

const fn character(bits: u8) -> u8 {
    match bits {
        0..26 => b'A' + bits,
        26..52 => b'a' + bits - 26,
        52..62 => b'0' + bits - 52,
        62 => b'-',
        _ => b'_',
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString as _;

    use sedge_crypto::{Hash as _, RustCrypto};

    use super::*;

    /// The text of base64url, from another source: RFC 4648 section 10, without padding.
    #[test]
    fn hashes_the_text_and_not_the_bytes() {
        for (token, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut hash = RustCrypto.sha256();
            hash.update(text.as_bytes());
            let digest = hash.finish();
            let found = TokenHash::of(&RustCrypto, token.as_bytes());
            assert_eq!(found.as_bytes()[1..], digest);
            assert_eq!(found.as_bytes()[0], 1);
            assert_eq!(TokenHash::from_bytes(found.as_bytes()), Some(found));
        }
        // The two characters that are not those of plain base64.
        assert_eq!(base64url(&[0xfb, 0xff, 0xbf]).0, *b"-_-_");
    }

    /// The digest as `printf Zm9v | sha256sum` gives it.
    #[test]
    fn prints_as_digits() {
        let text = TokenHash::of(&RustCrypto, b"foo").to_string();
        assert!(text.starts_with("01") && text.len() == 66, "{text}");
        assert_eq!(TokenHash::from_bytes(&[2; 33]), None);
        assert_eq!(TokenHash::from_bytes(&[1; 32]), None);
    }
}
