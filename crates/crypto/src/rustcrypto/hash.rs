//! SHA-256 and HMAC-SHA-256.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest, Sha256};

use crate::provider::{Hash, Mac};

/// The provider's running SHA-256.
#[derive(Clone)]
pub struct RustHash(Sha256);

impl RustHash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }
}

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

impl RustMac {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Hmac::new(&hmac_block(key)))
    }
}

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
