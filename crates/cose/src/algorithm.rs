//! Algorithms by their numbers, and symmetric keys that know theirs.

use core::fmt;

use sedge_crypto::Aead;

use crate::error::Error;

/// An algorithm by its number in the
/// [COSE Algorithms registry](https://www.iana.org/assignments/cose/cose.xhtml#algorithms)
/// ([RFC 9053](https://www.rfc-editor.org/rfc/rfc9053)).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm(pub i64);

impl Algorithm {
    /// AES in Galois/Counter mode with a 128-bit key and a 16-byte tag.
    pub const A128GCM: Self = Self(1);
    /// HMAC with SHA-256, cut to 8 bytes.
    pub const HMAC_256_64: Self = Self(4);
    /// HMAC with SHA-256.
    pub const HMAC_256: Self = Self(5);
    /// AES in CCM mode with a 128-bit key, an 8-byte tag and a 13-byte nonce.
    pub const AES_CCM_16_64_128: Self = Self(10);
    /// AES in CCM mode with a 128-bit key, an 8-byte tag and a 7-byte nonce, for messages longer than 64 KB.
    pub const AES_CCM_64_64_128: Self = Self(12);
    /// ChaCha20 and Poly1305 with a 256-bit key and a 16-byte tag.
    pub const CHACHA20_POLY1305: Self = Self(24);
    /// AES in CCM mode with a 128-bit key, a 16-byte tag and a 13-byte nonce.
    pub const AES_CCM_16_128_128: Self = Self(30);
    /// AES in CCM mode with a 128-bit key, a 16-byte tag and a 7-byte nonce.
    pub const AES_CCM_64_128_128: Self = Self(32);
    /// ECDSA with SHA-256, here always in P-256.
    pub const ES256: Self = Self(-7);

    /// Name in the registry, for those that are implemented here.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::A128GCM => "A128GCM",
            Self::HMAC_256_64 => "HMAC 256/64",
            Self::HMAC_256 => "HMAC 256/256",
            Self::AES_CCM_16_64_128 => "AES-CCM-16-64-128",
            Self::AES_CCM_64_64_128 => "AES-CCM-64-64-128",
            Self::CHACHA20_POLY1305 => "ChaCha20/Poly1305",
            Self::AES_CCM_16_128_128 => "AES-CCM-16-128-128",
            Self::AES_CCM_64_128_128 => "AES-CCM-64-128-128",
            Self::ES256 => "ES256",
            _ => return None,
        })
    }

    /// The authenticated cipher that it is, if it is one.
    pub const fn aead(self) -> Option<Aead> {
        match self.cipher() {
            Some((aead, _)) => Some(aead),
            None => None,
        }
    }

    /// Length of the nonce in bytes, for an authenticated cipher.
    pub const fn nonce_len(self) -> Option<usize> {
        match self.cipher() {
            Some((_, nonce_len)) => Some(nonce_len),
            None => None,
        }
    }

    pub(crate) const fn cipher(self) -> Option<(Aead, usize)> {
        Some(match self {
            Self::A128GCM => (Aead::Aes128Gcm, 12),
            Self::AES_CCM_16_64_128 => (Aead::Aes128Ccm8, 13),
            Self::AES_CCM_64_64_128 => (Aead::Aes128Ccm8, 7),
            Self::AES_CCM_16_128_128 => (Aead::Aes128Ccm, 13),
            Self::AES_CCM_64_128_128 => (Aead::Aes128Ccm, 7),
            Self::CHACHA20_POLY1305 => (Aead::ChaCha20Poly1305, 12),
            _ => return None,
        })
    }

    /// Length in bytes of what it adds: a cipher's or a MAC's tag, or a signature.
    pub const fn tag_len(self) -> Option<usize> {
        match self {
            Self::HMAC_256_64 => Some(8),
            Self::HMAC_256 => Some(32),
            Self::ES256 => Some(64),
            _ => match self.aead() {
                Some(aead) => Some(aead.tag_len()),
                None => None,
            },
        }
    }

    /// Whether a key of so many bytes is for it, if it is symmetric at all.
    ///
    /// A MAC takes a key as long as its hash or longer
    /// ([RFC 9053 section 3.1](https://www.rfc-editor.org/rfc/rfc9053#section-3.1)).
    pub(crate) const fn takes_key(self, len: usize) -> bool {
        match (self, self.aead()) {
            (Self::HMAC_256_64 | Self::HMAC_256, _) => len >= 32,
            (_, Some(aead)) => len == aead.key_len(),
            _ => false,
        }
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Algorithm({self})")
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// A symmetric key, lent by whoever keeps it, and the one algorithm that it is for
/// ([RFC 9052 section 7](https://www.rfc-editor.org/rfc/rfc9052#section-7) warns of keys that serve two).
#[derive(Clone, Copy)]
pub struct SymmetricKey<'a> {
    algorithm: Algorithm,
    bytes: &'a [u8],
}

impl<'a> SymmetricKey<'a> {
    /// A key for this algorithm.
    ///
    /// # Errors
    /// [`Error::Key`] if the algorithm takes no symmetric key, or none of this length.
    pub const fn new(algorithm: Algorithm, bytes: &'a [u8]) -> Result<Self, Error> {
        if algorithm.takes_key(bytes.len()) { Ok(Self { algorithm, bytes }) } else { Err(Error::Key) }
    }

    /// What it is for.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's bytes.
    pub const fn expose(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for SymmetricKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({}, [secret])", self.algorithm)
    }
}
