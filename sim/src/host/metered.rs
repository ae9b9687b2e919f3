//! What cryptography costs a device: the portable provider, and a count of what its operations would take on a chip.

use std::cell::Cell;
use std::rc::Rc;

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, Layer, NamedGroup, PublicKey, RustCrypto, RustEphemeralKey,
    RustHash, RustMac, RustSigningKey, Secret, Signature, Tag,
};
use sedge_time::Duration;

use crate::energy::Processor;

/// The portable provider, which counts what its operations would take on a Cortex-M4 without accelerators
/// ([`Processor::cortex_m4`]).
///
/// A device's own key is made when it boots, and costs nothing: a real one has it in flash.
#[derive(Clone, Debug)]
pub struct Metered {
    inner: RustCrypto,
    table: Rc<Processor>,
    mhz: f64,
    instructions: Rc<Cell<f64>>,
}

impl Default for Metered {
    /// At 64 MHz.
    fn default() -> Self {
        Self::new(Rc::new(Processor::cortex_m4()), 64.0)
    }
}

/// Of a hash that is begun, how many blocks it takes: what is hashed is a message of a handshake, or two.
const HASHED_BLOCKS: f64 = 2.0;

impl Metered {
    /// A processor with this clock.
    pub fn new(table: Rc<Processor>, mhz: f64) -> Self {
        Self { inner: RustCrypto, table, mhz, instructions: Rc::default() }
    }

    /// The time that the operations since the last look would have taken.
    pub(crate) fn take(&self) -> Duration {
        self.table.time(self.instructions.take(), self.mhz)
    }

    fn charge(&self, instructions: f64) {
        self.instructions.set(self.instructions.get() + instructions);
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
        self.charge(self.table.of_record(aad.len(), in_out.len()));
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
        self.charge(self.table.of_record(aad.len(), in_out.len()));
        self.inner.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> RustHash {
        self.charge(self.table.hash.value + HASHED_BLOCKS * self.table.hash_block.value);
        self.inner.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        self.charge(self.table.mac.value);
        self.inner.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        self.charge(self.table.block.value);
        self.inner.encrypt_block(key, block);
    }

    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<RustEphemeralKey, KeyError> {
        let table = &self.table;
        let figure = if group == NamedGroup::X25519 { &table.key_x25519 } else { &table.key_p256 };
        self.charge(figure.value);
        self.inner.ephemeral_key(group, rng)
    }

    fn agree(&self, key: &RustEphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        // A key share for X25519 has 32 bytes, a point of P-256 has 65.
        let table = &self.table;
        let figure = if peer.len() == 32 { &table.agree_x25519 } else { &table.agree_p256 };
        self.charge(figure.value);
        self.inner.agree(key, peer)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &RustSigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        self.charge(self.table.sign_p256.value);
        self.inner.sign(key, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.charge(self.table.verify_p256.value);
        self.inner.verify(key, digest, signature)
    }
}
