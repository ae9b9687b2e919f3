//! The provider for servers and desktops: each operation from the library that does it fastest.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};
use rand_core::CryptoRng;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, KeyShare, NamedGroup, PublicKey};
use crate::provider::Crypto;
use crate::rustcrypto::{RustCrypto, RustHash, RustMac};
use crate::secret::Secret;
use crate::signature::Signature;

/// The provider for servers and desktops.
///
/// The curves come from AWS-LC, whose assembly signs in a twentieth of the time that portable code takes, verifies
/// and agrees in a sixth, and does X25519 in half. Everything else is [`RustCrypto`]'s: AWS-LC has no CCM, takes half
/// as long again for a short SHA-256 and twice as long for a short HMAC, and its GCM is no faster below 1 KB.
///
/// Ephemeral keys of P-256 and the nonces of signatures come from a generator of AWS-LC's own, which the operating system
/// seeds: a key that it is given it checks for as long again as it takes to make one. So no two runs make the same
/// bytes; where every byte has to be the same in every run, use [`RustCrypto`].
///
/// Keys live on the heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostCrypto;

/// The host provider's private key for one key exchange.
pub struct HostEphemeralKey {
    key: PrivateKey,
    share: KeyShare,
}

/// The host provider's P-256 private key.
pub struct HostSigningKey {
    key: EcdsaKeyPair,
    public: PublicKey,
}

impl HostCrypto {
    /// The ephemeral key with this private key, for known answers. A key that was used before makes sessions that
    /// others can read.
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`] if it is out of range.
    pub fn dangerous_ephemeral_key(
        &self,
        group: NamedGroup,
        private: &Secret<32>,
    ) -> Result<HostEphemeralKey, KeyError> {
        let algorithm = match group {
            NamedGroup::Secp256r1 => &ECDH_P256,
            NamedGroup::X25519 => &X25519,
        };
        let key =
            PrivateKey::from_private_key(algorithm, private.expose()).map_err(|_| KeyError::PrivateKey)?;
        Ok(HostEphemeralKey { share: share(group, &key)?, key })
    }
}

impl Crypto for HostCrypto {
    type Hash = RustHash;
    type Mac = RustMac;
    type EphemeralKey = HostEphemeralKey;
    type SigningKey = HostSigningKey;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        RustCrypto.seal(aead, key, nonce, aad, in_out)
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
        RustCrypto.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> RustHash {
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        RustCrypto.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        RustCrypto.encrypt_block(key, block);
    }

    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<HostEphemeralKey, KeyError> {
        match group {
            NamedGroup::Secp256r1 => {
                let key = PrivateKey::generate(&ECDH_P256).map_err(|_| KeyError::Randomness)?;
                Ok(HostEphemeralKey { share: share(group, &key)?, key })
            }
            NamedGroup::X25519 => {
                let mut bytes = Secret::zero();
                rng.fill_bytes(bytes.expose_mut());
                self.dangerous_ephemeral_key(group, &bytes)
            }
        }
    }

    fn key_share(&self, key: &HostEphemeralKey) -> KeyShare {
        key.share
    }

    fn agree(&self, key: &HostEphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        let algorithm = match key.share.group() {
            NamedGroup::Secp256r1 => {
                // AWS-LC would take a compressed point and X.509's form too.
                PublicKey::from_bytes(peer)?;
                &ECDH_P256
            }
            NamedGroup::X25519 => &X25519,
        };
        let mut secret = Secret::zero();
        agree(&key.key, UnparsedPublicKey::new(algorithm, peer), KeyError::PublicKey, |shared| {
            *secret.expose_mut() = shared.try_into().map_err(|_| KeyError::PublicKey)?;
            Ok(())
        })?;
        Ok(secret)
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<HostSigningKey, KeyError> {
        let key =
            PrivateKey::from_private_key(&ECDH_P256, scalar.expose()).map_err(|_| KeyError::PrivateKey)?;
        let public = PublicKey::from_bytes(share(NamedGroup::Secp256r1, &key)?.as_bytes())?;
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar.expose(),
            public.as_bytes(),
        );
        Ok(HostSigningKey { key: key.map_err(|_| KeyError::PrivateKey)?, public })
    }

    fn public_key(&self, key: &HostSigningKey) -> PublicKey {
        key.public
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &HostSigningKey,
        digest: &[u8; 32],
        _rng: &mut R,
    ) -> Result<Signature, KeyError> {
        let signature = key.key.sign_digest(&import(digest)?).map_err(|_| KeyError::Provider)?;
        Ok(Signature::new(signature.as_ref().try_into().map_err(|_| KeyError::Provider)?))
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes())
            .map_err(|_| KeyError::PublicKey)?;
        key.verify_digest_sig(&import(digest)?, signature.as_bytes()).map_err(|_| KeyError::Signature)
    }
}

fn share(group: NamedGroup, key: &PrivateKey) -> Result<KeyShare, KeyError> {
    let public = key.compute_public_key().map_err(|_| KeyError::Provider)?;
    let bytes = public.as_ref();
    match group {
        NamedGroup::Secp256r1 => Ok(KeyShare::secp256r1(&PublicKey::from_bytes(bytes)?)),
        NamedGroup::X25519 => Ok(KeyShare::x25519(bytes.try_into().map_err(|_| KeyError::Provider)?)),
    }
}

fn import(digest: &[u8; 32]) -> Result<Digest, KeyError> {
    Digest::import_less_safe(digest, &SHA256).map_err(|_| KeyError::Provider)
}
