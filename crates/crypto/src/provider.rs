//! What a provider of cryptography has to offer.

use core::fmt;

use crate::secret::constant_time_eq;

/// The cryptographic operations of one provider.
///
/// A provider is a zero-sized type ([`RustCrypto`](crate::RustCrypto)) or a handle to hardware: methods take
/// `&self`. Nothing here fails for a reason that depends on secrets, except [`open`](Self::open), which says
/// only that it failed.
pub trait Crypto {
    /// A running SHA-256.
    type Hash: Hash;
    /// A running HMAC-SHA-256.
    type Mac: Mac;

    /// Encrypts `in_out` in place and returns the tag.
    ///
    /// The nonce must never have been used with this key before. A CCM nonce has 12 bytes in TLS and 13 in COSE.
    /// Fails only if a length is beyond what the algorithm allows (2^24 - 1 bytes of data for CCM with a 12-byte
    /// nonce, 2^16 - 1 with a 13-byte one).
    fn seal(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError>;

    /// Decrypts `in_out` in place if `tag` is right for it.
    ///
    /// On failure `in_out` holds nothing of use: neither what it held nor the forged plaintext.
    fn open(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError>;

    /// Starts a SHA-256.
    fn sha256(&self) -> Self::Hash;

    /// Starts an HMAC-SHA-256 under `key`, of any length.
    ///
    /// The keyed state may be cloned and used many times; that saves hashing the key again.
    fn hmac_sha256(&self, key: &[u8]) -> Self::Mac;
}

/// A running SHA-256; a clone goes on independently.
pub trait Hash: Clone {
    /// Takes in more of the message.
    fn update(&mut self, bytes: &[u8]);
    /// The digest of everything taken in.
    fn finish(self) -> [u8; 32];
}

/// A running HMAC-SHA-256; a clone goes on independently.
pub trait Mac: Clone {
    /// Takes in more of the message.
    fn update(&mut self, bytes: &[u8]);
    /// The authentication code of everything taken in.
    fn finish(self) -> [u8; 32];
}

/// An authenticated cipher with a 16-byte key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aead {
    /// AES-128 in CCM mode with an 8-byte tag ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655)).
    Aes128Ccm8,
    /// AES-128 in CCM mode with a 16-byte tag ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655)).
    Aes128Ccm,
}

impl Aead {
    /// Length of the tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 => 8,
            Self::Aes128Ccm => 16,
        }
    }
}

/// An authentication tag of at most 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    bytes: [u8; 16],
    len: u8,
}

impl Tag {
    /// The tag that is the beginning of this MAC.
    pub const fn new(mac: [u8; 16], aead: Aead) -> Self {
        Self { bytes: mac, len: aead.tag_len() as u8 }
    }

    /// The tag's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.as_bytes(), other.as_bytes())
    }
}

impl Eq for Tag {}

/// Why sealing or opening failed; deliberately without detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AeadError;

impl fmt::Display for AeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authenticated encryption failed")
    }
}

impl core::error::Error for AeadError {}
