//! Authenticated encryption: which algorithms there are, and what they return.

use core::fmt;

use crate::secret::constant_time_eq;

/// An authenticated cipher. What needs a key takes [`key_len`](Self::key_len) bytes and fails with any other number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aead {
    /// AES-128 in CCM mode with an 8-byte tag ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655)).
    Aes128Ccm8,
    /// AES-128 in CCM mode with a 16-byte tag ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655)).
    Aes128Ccm,
    /// AES-128 in Galois/Counter mode with a 16-byte tag ([RFC 5288](https://www.rfc-editor.org/rfc/rfc5288)).
    Aes128Gcm,
    /// ChaCha20 and Poly1305 with a 16-byte tag ([RFC 8439](https://www.rfc-editor.org/rfc/rfc8439)).
    ChaCha20Poly1305,
}

impl Aead {
    /// Length of the tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 => 8,
            Self::Aes128Ccm | Self::Aes128Gcm | Self::ChaCha20Poly1305 => 16,
        }
    }

    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 | Self::Aes128Ccm | Self::Aes128Gcm => 16,
            Self::ChaCha20Poly1305 => 32,
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
