//! A provider that counts the signatures it checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, KeyShare, NamedGroup, PublicKey, RustCrypto, Secret,
    Signature, Tag,
};

#[derive(Clone, Default)]
pub(crate) struct Counting(Arc<AtomicUsize>);

impl Counting {
    pub(crate) fn verified(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Crypto for Counting {
    type Hash = <RustCrypto as Crypto>::Hash;
    type Mac = <RustCrypto as Crypto>::Mac;
    type EphemeralKey = <RustCrypto as Crypto>::EphemeralKey;
    type SigningKey = <RustCrypto as Crypto>::SigningKey;

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        RustCrypto.verify(key, digest, signature)
    }

    fn seal(&self, aead: Aead, key: &[u8], n: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, AeadError> {
        RustCrypto.seal(aead, key, n, aad, data)
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        RustCrypto.open(aead, key, nonce, aad, data, tag)
    }

    fn sha256(&self) -> Self::Hash {
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> Self::Mac {
        RustCrypto.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        RustCrypto.encrypt_block(key, block);
    }

    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<Self::EphemeralKey, KeyError> {
        RustCrypto.ephemeral_key(group, rng)
    }

    fn key_share(&self, key: &Self::EphemeralKey) -> KeyShare {
        RustCrypto.key_share(key)
    }

    fn agree(&self, key: &Self::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        RustCrypto.agree(key, peer)
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<Self::SigningKey, KeyError> {
        RustCrypto.signing_key(scalar)
    }

    fn public_key(&self, key: &Self::SigningKey) -> PublicKey {
        RustCrypto.public_key(key)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &Self::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        RustCrypto.sign(key, digest, rng)
    }
}
