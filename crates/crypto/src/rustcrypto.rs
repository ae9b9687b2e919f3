//! The portable provider, from the RustCrypto crates.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::ccm::{Direction, aes_128_ccm};
use crate::provider::{Aead, AeadError, Crypto, Hash, Mac, Tag};
use crate::secret::constant_time_eq;

/// The portable provider: pure Rust, no heap, no state.
///
/// AES keys are expanded at every call, which costs less than keeping them expanded costs memory. On x86-64
/// and AArch64 the processor's AES and SHA-256 instructions are found and used at run time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Crypto for RustCrypto {
    type Hash = RustHash;
    type Mac = RustMac;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        let mac = aes_128_ccm(Direction::Seal, aead.tag_len(), key, nonce, aad, in_out)?;
        Ok(Tag::new(mac, aead))
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let mac = aes_128_ccm(Direction::Open, aead.tag_len(), key, nonce, aad, in_out)?;
        if constant_time_eq(Tag::new(mac, aead).as_bytes(), tag) {
            return Ok(());
        }
        in_out.zeroize();
        Err(AeadError)
    }

    fn sha256(&self) -> RustHash {
        RustHash(Sha256::new())
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        RustMac(Hmac::new(&hmac_block(key)))
    }
}

/// The provider's running SHA-256.
#[derive(Clone)]
pub struct RustHash(Sha256);

impl Hash for RustHash {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The provider's running HMAC-SHA-256.
#[derive(Clone)]
pub struct RustMac(Hmac<Sha256>);

impl Mac for RustMac {
    fn update(&mut self, bytes: &[u8]) {
        hmac::Mac::update(&mut self.0, bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// The key as one block of the hash: padded, or hashed first if longer (RFC 2104 section 2).
fn hmac_block(key: &[u8]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    let hashed: [u8; 32];
    let key = if key.len() > block.len() {
        hashed = Sha256::digest(key).into();
        &hashed
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    block
}
