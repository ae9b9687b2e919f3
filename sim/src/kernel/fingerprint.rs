//! A run in 32 bytes.

use sedge_crypto::{Crypto, Hash, RustCrypto};

/// SHA-256 over every event of a run.
#[derive(Clone)]
pub struct Fingerprint {
    hash: <RustCrypto as Crypto>::Hash,
    // Events are small; hashing them in portions costs a third.
    portion: Vec<u8>,
}

const PORTION: usize = 4_096;

impl Default for Fingerprint {
    fn default() -> Self {
        Self { hash: RustCrypto.sha256(), portion: Vec::with_capacity(PORTION) }
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

impl Fingerprint {
    /// Takes in these bytes. Whoever calls sees to it that no two events look alike.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.portion.extend_from_slice(bytes);
        if self.portion.len() >= PORTION {
            self.hash.update(&self.portion);
            self.portion.clear();
        }
    }

    /// Takes in numbers, as little-endian words.
    pub fn absorb_words<const N: usize>(&mut self, words: [u64; N]) {
        for word in words {
            self.portion.extend_from_slice(&word.to_le_bytes());
        }
        self.absorb(&[]);
    }

    /// The fingerprint of what was taken in so far.
    pub fn value(&self) -> [u8; 32] {
        let mut hash = self.hash.clone();
        hash.update(&self.portion);
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_do_not_show() {
        let mut pieces = Fingerprint::default();
        for byte in 0..10_000_u32 {
            pieces.absorb(&[byte as u8]);
        }
        let mut whole = Fingerprint::default();
        whole.absorb(&(0..10_000_u32).map(|byte| byte as u8).collect::<Vec<_>>());
        assert_eq!(pieces.value(), whole.value());
        pieces.absorb(&[0]);
        assert_ne!(pieces.value(), whole.value());
    }
}
