//! Providers that stand before another one.

use rand_core::CryptoRng;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, KeyShare, NamedGroup, PublicKey};
use crate::provider::Crypto;
use crate::secret::Secret;
use crate::signature::Signature;

/// A provider that stands before another one: what it does not do itself, the one inside does.
///
/// So a driver for an accelerator is the few operations that the chip has:
///
/// ```
/// use sedge_crypto::{Crypto, Layer, RustCrypto};
///
/// /// A chip that does AES, and nothing else.
/// struct Chip(RustCrypto);
///
/// impl Layer for Chip {
///     type Inner = RustCrypto;
///
///     fn inner(&self) -> &RustCrypto {
///         &self.0
///     }
///
///     fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
///         # fn engine(_: &[u8; 16], _: &mut [u8; 16]) {}
///         engine(key, block);
///     }
/// }
///
/// fn speaks_dtls(_: impl Crypto) {}
/// speaks_dtls(Chip(RustCrypto));
/// ```
///
/// Keys and running hashes are of the provider inside. A chip that keeps keys to itself implements [`Crypto`].
// Inlined throughout, so that an algorithm that a layer refuses is not linked either.
pub trait Layer {
    /// The provider inside.
    type Inner: Crypto;

    /// The provider inside.
    fn inner(&self) -> &Self::Inner;

    /// [`Crypto::seal`].
    #[inline(always)]
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        self.inner().seal(aead, key, nonce, aad, in_out)
    }

    /// [`Crypto::open`].
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
        self.inner().open(aead, key, nonce, aad, in_out, tag)
    }

    /// [`Crypto::sha256`].
    #[inline(always)]
    fn sha256(&self) -> <Self::Inner as Crypto>::Hash {
        self.inner().sha256()
    }

    /// [`Crypto::hmac_sha256`].
    #[inline(always)]
    fn hmac_sha256(&self, key: &[u8]) -> <Self::Inner as Crypto>::Mac {
        self.inner().hmac_sha256(key)
    }

    /// [`Crypto::encrypt_block`].
    #[inline(always)]
    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        self.inner().encrypt_block(key, block);
    }

    /// [`Crypto::ephemeral_key`].
    #[inline(always)]
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<<Self::Inner as Crypto>::EphemeralKey, KeyError> {
        self.inner().ephemeral_key(group, rng)
    }

    /// [`Crypto::key_share`].
    #[inline(always)]
    fn key_share(&self, key: &<Self::Inner as Crypto>::EphemeralKey) -> KeyShare {
        self.inner().key_share(key)
    }

    /// [`Crypto::agree`].
    #[inline(always)]
    fn agree(
        &self,
        key: &<Self::Inner as Crypto>::EphemeralKey,
        peer: &[u8],
    ) -> Result<Secret<32>, KeyError> {
        self.inner().agree(key, peer)
    }

    /// [`Crypto::signing_key`].
    #[inline(always)]
    fn signing_key(&self, scalar: &Secret<32>) -> Result<<Self::Inner as Crypto>::SigningKey, KeyError> {
        self.inner().signing_key(scalar)
    }

    /// [`Crypto::public_key`].
    #[inline(always)]
    fn public_key(&self, key: &<Self::Inner as Crypto>::SigningKey) -> PublicKey {
        self.inner().public_key(key)
    }

    /// [`Crypto::sign`].
    #[inline(always)]
    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &<Self::Inner as Crypto>::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        self.inner().sign(key, digest, rng)
    }

    /// [`Crypto::verify`].
    #[inline(always)]
    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.inner().verify(key, digest, signature)
    }
}

impl<L: Layer> Crypto for L {
    type Hash = <L::Inner as Crypto>::Hash;
    type Mac = <L::Inner as Crypto>::Mac;
    type EphemeralKey = <L::Inner as Crypto>::EphemeralKey;
    type SigningKey = <L::Inner as Crypto>::SigningKey;

    #[inline(always)]
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        Layer::seal(self, aead, key, nonce, aad, in_out)
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
        Layer::open(self, aead, key, nonce, aad, in_out, tag)
    }

    #[inline(always)]
    fn sha256(&self) -> Self::Hash {
        Layer::sha256(self)
    }

    #[inline(always)]
    fn hmac_sha256(&self, key: &[u8]) -> Self::Mac {
        Layer::hmac_sha256(self, key)
    }

    #[inline(always)]
    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        Layer::encrypt_block(self, key, block);
    }

    #[inline(always)]
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<Self::EphemeralKey, KeyError> {
        Layer::ephemeral_key(self, group, rng)
    }

    #[inline(always)]
    fn key_share(&self, key: &Self::EphemeralKey) -> KeyShare {
        Layer::key_share(self, key)
    }

    #[inline(always)]
    fn agree(&self, key: &Self::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        Layer::agree(self, key, peer)
    }

    #[inline(always)]
    fn signing_key(&self, scalar: &Secret<32>) -> Result<Self::SigningKey, KeyError> {
        Layer::signing_key(self, scalar)
    }

    #[inline(always)]
    fn public_key(&self, key: &Self::SigningKey) -> PublicKey {
        Layer::public_key(self, key)
    }

    #[inline(always)]
    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &Self::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        Layer::sign(self, key, digest, rng)
    }

    #[inline(always)]
    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        Layer::verify(self, key, digest, signature)
    }
}
