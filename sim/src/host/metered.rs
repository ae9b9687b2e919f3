//! What cryptography costs a device: the portable provider, and a count of what its operations would take on a chip.

use std::cell::Cell;
use std::rc::Rc;

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, KeyShare, Layer, PublicKey, RustCrypto, RustEphemeralKey,
    RustHash, RustMac, RustSigningKey, Secret, Signature, Tag,
};
use sedge_time::Duration;

/// The portable provider, which counts what its operations would take on a Cortex-M4 without accelerators.
///
/// The instructions are those that docs/FOOTPRINT.md reports, taken apart: a certificate more is one signature to
/// check (8.2 million), a handshake with raw public keys is one with a pre-shared key and four operations on the
/// curve more (30.6 million), and the one with a pre-shared key is made of hashes and a few records.
#[derive(Clone, Debug, Default)]
pub struct Metered {
    inner: RustCrypto,
    instructions: Rc<Cell<u64>>,
}

/// Checking a signature.
const VERIFY: u64 = 8_200_000;
/// Multiplying a point by a number: a key share, an agreement, a signature.
const MULTIPLY: u64 = 7_500_000;
/// One block through AES-128, with the expansion of the key spread over the blocks of a record.
const AES_BLOCK: u64 = 2_300;
/// One block through SHA-256.
const SHA_BLOCK: u64 = 4_200;
/// Nanoseconds of an instruction at 64 MHz.
const NANOSECONDS: u64 = 20;

impl Metered {
    /// The time that the operations since the last look would have taken.
    pub(crate) fn take(&self) -> Duration {
        Duration::from_micros(self.instructions.take() * NANOSECONDS / 1_000)
    }

    fn charge(&self, instructions: u64) {
        self.instructions.set(self.instructions.get() + instructions);
    }

    /// CCM takes each block twice, and three more.
    fn charge_record(&self, aad: &[u8], text: &[u8]) {
        let blocks = text.len().div_ceil(16) * 2 + aad.len().div_ceil(16) + 3;
        self.charge(AES_BLOCK * blocks as u64);
    }
}

impl Layer for Metered {
    type Inner = RustCrypto;

    fn inner(&self) -> &RustCrypto {
        &self.inner
    }

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        self.charge_record(aad, in_out);
        self.inner.seal(aead, key, nonce, aad, in_out)
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        self.charge_record(aad, in_out);
        self.inner.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> RustHash {
        // As long as what is hashed mostly is.
        self.charge(SHA_BLOCK * 4);
        self.inner.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        self.charge(SHA_BLOCK * 4);
        self.inner.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        self.charge(AES_BLOCK);
        self.inner.encrypt_block(key, block);
    }

    fn key_share(&self, key: &RustEphemeralKey) -> KeyShare {
        self.charge(MULTIPLY);
        self.inner.key_share(key)
    }

    fn agree(&self, key: &RustEphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        self.charge(MULTIPLY);
        self.inner.agree(key, peer)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &RustSigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        self.charge(MULTIPLY);
        self.inner.sign(key, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.charge(VERIFY);
        self.inner.verify(key, digest, signature)
    }
}
