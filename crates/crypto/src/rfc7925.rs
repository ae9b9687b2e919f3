//! The algorithms that every constrained node has to have, and no others.

use rand_core::CryptoRng;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, KeyShare, NamedGroup, PublicKey};
use crate::provider::Crypto;
use crate::secret::Secret;
use crate::signature::Signature;

/// A provider without the algorithms that [RFC 7925](https://www.rfc-editor.org/rfc/rfc7925#section-4) does not
/// ask of constrained nodes: no GCM, no ChaCha20, no X25519.
///
/// They fail as if the provider inside did not have them, and the compiler sees that, so that firmware does not
/// carry them: around [`RustCrypto`](crate::RustCrypto) on a Cortex-M4, GCM is 2 KB and X25519 is 5 KB. Whoever
/// uses it offers suites with CCM only, and of the groups only `secp256r1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rfc7925<C>(pub C);

impl<C: Crypto> Crypto for Rfc7925<C> {
    type Hash = C::Hash;
    type Mac = C::Mac;
    type EphemeralKey = C::EphemeralKey;
    type SigningKey = C::SigningKey;

    #[inline(always)]
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        if !is_ccm(aead) {
            return Err(AeadError);
        }
        self.0.seal(aead, key, nonce, aad, in_out)
    }

    #[inline(always)]
    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        if !is_ccm(aead) {
            in_out.fill(0);
            return Err(AeadError);
        }
        self.0.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> C::Hash {
        self.0.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> C::Mac {
        self.0.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        self.0.encrypt_block(key, block);
    }

    #[inline(always)]
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<C::EphemeralKey, KeyError> {
        match group {
            NamedGroup::Secp256r1 => self.0.ephemeral_key(NamedGroup::Secp256r1, rng),
            NamedGroup::X25519 => Err(KeyError::Provider),
        }
    }

    fn key_share(&self, key: &C::EphemeralKey) -> KeyShare {
        self.0.key_share(key)
    }

    #[inline(always)]
    fn agree(&self, key: &C::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        // Of what was made here no key is in another group; said again for the compiler.
        match self.0.key_share(key).group() {
            NamedGroup::Secp256r1 => self.0.agree(key, peer),
            NamedGroup::X25519 => Err(KeyError::Provider),
        }
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<C::SigningKey, KeyError> {
        self.0.signing_key(scalar)
    }

    fn public_key(&self, key: &C::SigningKey) -> PublicKey {
        self.0.public_key(key)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &C::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        self.0.sign(key, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.0.verify(key, digest, signature)
    }
}

const fn is_ccm(aead: Aead) -> bool {
    matches!(aead, Aead::Aes128Ccm8 | Aead::Aes128Ccm)
}
