//! What the store gets to see of a group: a name, and bytes sealed under the operator's key.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sedge_crypto::{Aead, Crypto, CryptoRng, Secret, hkdf_expand, hkdf_extract};
use zeroize::Zeroizing;

use crate::hex;

/// The key under which everything about groups is sealed. Whoever has the store but not this key reads nothing in it
/// and changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorKey(Secret<32>);

/// Why there is no operator's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

impl OperatorKey {
    /// Fewest bytes that are taken for a key: of hexadecimal digits, 128 bits.
    pub const MIN_LEN: usize = 32;

    /// The key in the bytes of a key file, in which white space at both ends says nothing.
    ///
    /// The bytes have to be random: what somebody thought up and can remember is guessed.
    ///
    /// # Errors
    /// There are fewer than [`MIN_LEN`](Self::MIN_LEN).
    pub fn new<C: Crypto>(crypto: &C, file: &[u8]) -> Result<Self, TooShort> {
        let bytes = file.trim_ascii();
        if bytes.len() < Self::MIN_LEN {
            return Err(TooShort);
        }
        Ok(Self(hkdf_extract(crypto, b"sedge group state", bytes)))
    }

    /// Seals a group's state. Each sealing has a key of its own, made from 32 random bytes that go in front.
    pub(super) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        crypto: &C,
        rng: &mut R,
        record: &str,
        state: &[u8],
    ) -> Vec<u8> {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        let mut sealed = Vec::with_capacity(SALT + state.len() + TAG);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(state);
        let key = self.key(crypto, &salt);
        let text = sealed.get_mut(SALT..).unwrap_or_default();
        match crypto.seal(AEAD, key.expose(), &NONCE, record.as_bytes(), text) {
            Ok(tag) => sealed.extend_from_slice(tag.as_bytes()),
            // Nothing of a state that is too long to be sealed may be left in the open.
            Err(_) => sealed.clear(),
        }
        sealed
    }

    /// Opens a group's state; `None` if it was not sealed under this key, for this record.
    pub(super) fn open<C: Crypto>(
        &self,
        crypto: &C,
        record: &str,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (salt, rest) = sealed.split_first_chunk::<SALT>()?;
        let (text, tag) = rest.split_last_chunk::<TAG>()?;
        let mut state = Zeroizing::new(text.to_vec());
        let key = self.key(crypto, salt);
        crypto.open(AEAD, key.expose(), &NONCE, record.as_bytes(), &mut state, tag).ok()?;
        Some(state)
    }

    fn key<C: Crypto>(&self, crypto: &C, salt: &[u8; SALT]) -> Secret<32> {
        hkdf_expand(&crypto.hmac_sha256(self.0.expose()), &[b"seal", salt])
    }

    /// A key for what is told to clients and comes back.
    pub(super) fn challenges<C: Crypto>(&self, crypto: &C) -> Secret<32> {
        hkdf_expand(&crypto.hmac_sha256(self.0.expose()), &[b"challenge"])
    }
}

const AEAD: Aead = Aead::ChaCha20Poly1305;
const SALT: usize = 32;
const TAG: usize = 16;
/// No key seals twice.
const NONCE: [u8; 12] = [0; 12];

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key for group keys has fewer than {} bytes", OperatorKey::MIN_LEN)
    }
}

impl core::error::Error for TooShort {}

/// What the names of all records of groups begin with.
pub const PREFIX: &str = "group/";

/// The name of a group's record in the store: hexadecimal digits, because topics may be called anything.
pub(super) fn record(group: &str) -> String {
    [PREFIX, &hex::encode(group.as_bytes())].concat()
}
