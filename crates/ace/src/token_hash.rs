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
    ///
    /// A token that comes without the tag of CBOR Web Tokens has the hash that it has with it.
    pub fn of<C: Crypto>(crypto: &C, token: &[u8]) -> Self {
        Self::of_parts(crypto, token, &[])
    }

    /// The hash of the token, and that of its twin, or the same again if it has none.
    ///
    /// Whoever has a token with a signature by ECDSA can put `n - s` in place of `s`. That is as good a signature, and no
    /// other token: a resource server has to know it by both hashes, or what was revoked comes back.
    pub fn with_twin<C: Crypto>(crypto: &C, token: &[u8]) -> [Self; 2] {
        let own = Self::of(crypto, token);
        let twin = signature(token).map(|(head, s)| Self::of_parts(crypto, head, &negated(s)));
        [own, twin.unwrap_or(own)]
    }

    fn of_parts<C: Crypto>(crypto: &C, head: &[u8], rest: &[u8]) -> Self {
        let tag: &[u8] = if matches!(head, [ENCRYPT0..=SIGN1, ..]) { &CWT } else { &[] };
        let mut hash = crypto.sha256();
        let mut bytes = tag.iter().chain(head).chain(rest).copied();
        while let Some(first) = bytes.next() {
            let chunk = [Some(first), bytes.next(), bytes.next()];
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

/// The first bytes of tokens: the tag of CBOR Web Tokens, and those of COSE structures from 16 to 18.
const CWT: [u8; 2] = [0xd8, 61];
const ENCRYPT0: u8 = 0xd0;
const SIGN1: u8 = 0xd2;

/// A token that ends with a signature of 64 bytes: all but its second number, and that number.
fn signature(token: &[u8]) -> Option<(&[u8], &[u8; 32])> {
    let message = token.strip_prefix(&CWT).unwrap_or(token);
    let (head, s) = token.split_last_chunk::<32>()?;
    let signed = matches!(message, [SIGN1, ..]) && head.len() > 34;
    let (_, before) = head.split_at_checked(head.len().checked_sub(34)?)?;
    (signed && before.starts_with(&[0x58, 64])).then_some((head, s))
}

/// `n - s`, where `n` is the order of P-256.
fn negated(s: &[u8; 32]) -> [u8; 32] {
    const N: [u8; 32] = *b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\
        \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    let mut negated = N;
    let mut borrow = false;
    for (digit, s) in negated.iter_mut().zip(s).rev() {
        let (less, first) = digit.overflowing_sub(*s);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (less, first || second);
    }
    negated
}

/// One to three bytes as two to four characters of base64url without padding
/// ([RFC 4648 section 5](https://www.rfc-editor.org/rfc/rfc4648#section-5)).
fn base64url(chunk: [Option<u8>; 3]) -> ([u8; 4], usize) {
    let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(byte.unwrap_or(0)));
    let text = [18, 12, 6, 0].map(|shift| character((bits >> shift & 63) as u8));
    (text, chunk.iter().flatten().count() + 1)
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
    use std::vec::Vec;

    use sedge_cose::{Envelope, Sign1};
    use sedge_crypto::{Hash as _, RustCrypto, Secret, TryCryptoRng, TryRng};

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
        assert_eq!(base64url([Some(0xfb), Some(0xff), Some(0xbf)]).0, *b"-_-_");
    }

    /// RFC 9770 section 3, figure 2, and section 4.2.1: the tag of CBOR Web Tokens counts.
    #[test]
    fn the_example_of_the_rfc() {
        let digits = "d83dd0835820a3010a044c53796d6d65747269633132\
            38054d99a0d7846e762c49ffe8a63e0ba05858b918a11fd81e438b7f973d9e2e119bcb22424ba0f38a80f27562f4\
            00ee1d0d6c0fdb559c02421fd384fc2ebe22d7071378b0ea7428fff157444d45f7e6afcda1aae5f6495830c58627\
            087fc5b4974f319a8707a635dd643b";
        let token: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        let hash = TokenHash::of(&RustCrypto, &token);
        // As `base64 | tr +/ -_ | tr -d = | sha256sum` gives it.
        assert_eq!(hash.to_string(), "011a06427bcbe5d29385202b8255820b8370ae481065a1e94017c0185bfbd51707");
        assert_eq!(TokenHash::of(&RustCrypto, &token[2..]), hash, "the tag may be left out on the way");
        assert_eq!(TokenHash::with_twin(&RustCrypto, &token), [hash; 2]);
    }

    #[test]
    fn a_signature_and_its_twin_are_one_token() {
        let signing = RustCrypto.signing_key(&Secret::new([7; 32])).unwrap();
        let public = RustCrypto.public_key(&signing);
        let mut out = [0; 128];
        let envelope = Envelope { tagged: true, ..Envelope::default() };
        let token = Sign1::sign(&RustCrypto, &signing, &mut Same, &envelope, b"claims", &mut out).unwrap();
        let mut twin = token.to_vec();
        let (_, s) = twin.split_last_chunk_mut::<32>().unwrap();
        *s = negated(s);
        assert_ne!(twin, token);
        assert!(
            Sign1::parse(&twin).unwrap().verify(&RustCrypto, &public, b"").is_ok(),
            "as good a signature"
        );
        let [own, other] = TokenHash::with_twin(&RustCrypto, token);
        assert_ne!(own, other);
        assert_eq!(TokenHash::with_twin(&RustCrypto, &twin), [other, own]);
        let tagged = [&CWT[..], &twin].concat();
        assert_eq!(TokenHash::with_twin(&RustCrypto, &tagged), [other, own]);
        for len in 0..token.len() {
            let [own, other] = TokenHash::with_twin(&RustCrypto, &token[..len]);
            assert_eq!(own, other, "{len}");
        }
    }

    /// No randomness at all: signatures have some of their own.
    struct Same;

    impl TryRng for Same {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(7)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(7)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(7);
            Ok(())
        }
    }

    impl TryCryptoRng for Same {}

    /// The digest as `printf Zm9v | sha256sum` gives it.
    #[test]
    fn prints_as_digits() {
        let text = TokenHash::of(&RustCrypto, b"foo").to_string();
        assert!(text.starts_with("01") && text.len() == 66, "{text}");
        assert_eq!(TokenHash::from_bytes(&[2; 33]), None);
        assert_eq!(TokenHash::from_bytes(&[1; 32]), None);
    }
}
