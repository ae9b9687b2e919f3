//! A provider that counts the signatures it checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sedge_crypto::{Crypto, KeyError, Layer, PublicKey, RustCrypto, Signature};

#[derive(Clone, Default)]
pub(crate) struct Counting(Arc<AtomicUsize>);

impl Counting {
    pub(crate) fn verified(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Layer for Counting {
    type Inner = RustCrypto;

    fn inner(&self) -> &RustCrypto {
        &RustCrypto
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        RustCrypto.verify(key, digest, signature)
    }
}
