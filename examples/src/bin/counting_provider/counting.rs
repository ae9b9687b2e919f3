//! A provider of cryptography around another one. A driver for a chip has the same shape: what the hardware can do
//! it does here, everything else it hands on.

use core::cell::RefCell;
use std::collections::BTreeMap;

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, KeyShare, NamedGroup, PublicKey, Secret, Signature, Tag,
};

/// Counts what is asked of the provider inside.
#[derive(Debug, Default)]
pub(crate) struct Counting<C> {
    inner: C,
    calls: RefCell<Calls>,
}

/// How often each operation was asked for.
pub(crate) type Calls = BTreeMap<&'static str, u32>;

impl<C> Counting<C> {
    /// The calls since the last look.
    pub(crate) fn take(&self) -> Calls {
        self.calls.take()
    }

    fn count(&self, operation: &'static str) {
        *self.calls.borrow_mut().entry(operation).or_default() += 1;
    }
}

impl<C: Crypto> Crypto for Counting<C> {
    // What is kept between calls is the inner provider's: a key may be a number of a slot in a secure element.
    type Hash = C::Hash;
    type Mac = C::Mac;
    type EphemeralKey = C::EphemeralKey;
    type SigningKey = C::SigningKey;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        self.count("seal");
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
        self.count("open");
        self.inner.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> C::Hash {
        self.count("sha256");
        self.inner.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> C::Mac {
        self.count("hmac_sha256");
        self.inner.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        self.count("encrypt_block");
        self.inner.encrypt_block(key, block);
    }

    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<C::EphemeralKey, KeyError> {
        self.count("ephemeral_key");
        self.inner.ephemeral_key(group, rng)
    }

    fn key_share(&self, key: &C::EphemeralKey) -> KeyShare {
        self.inner.key_share(key)
    }

    fn agree(&self, key: &C::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        self.count("agree");
        self.inner.agree(key, peer)
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<C::SigningKey, KeyError> {
        self.count("signing_key");
        self.inner.signing_key(scalar)
    }

    fn public_key(&self, key: &C::SigningKey) -> PublicKey {
        self.inner.public_key(key)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &C::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        self.count("sign");
        self.inner.sign(key, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.count("verify");
        self.inner.verify(key, digest, signature)
    }
}
