//! The portable provider, from the RustCrypto crates.

mod block;
mod ccm;
mod chacha;
mod gcm;
mod hash;
mod nonce;
mod p256;
mod x25519;

use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, KeyShare, NamedGroup, PublicKey};
use crate::provider::Crypto;
use crate::secret::{Secret, constant_time_eq};
use crate::signature::Signature;
use ccm::aes_128_ccm;
use chacha::chacha20_poly1305;
use gcm::aes_128_gcm;
pub use hash::{RustHash, RustMac};

/// The portable provider: pure Rust, no heap, no state.
///
/// AES keys are expanded at every call, which costs less than keeping them expanded costs memory. On x86-64
/// and AArch64 the processor's AES and SHA-256 instructions are found and used at run time.
///
/// ECDSA takes its nonces from the key, the digest and fresh randomness
/// ([RFC 6979 section 3.6](https://www.rfc-editor.org/rfc/rfc6979#section-3.6)).
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

/// The portable provider's private key for one key exchange.
pub struct RustEphemeralKey {
    scalar: Secret<32>,
    share: KeyShare,
}

/// The portable provider's P-256 private key, beside its public key, which would take a multiplication to find.
pub struct RustSigningKey {
    scalar: Secret<32>,
    public: PublicKey,
}

impl Crypto for RustCrypto {
    type Hash = RustHash;
    type Mac = RustMac;
    type EphemeralKey = RustEphemeralKey;
    type SigningKey = RustSigningKey;

    // What chooses an algorithm is inlined, so that a caller who can only mean one does not carry the other.
    #[inline(always)]
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        Ok(Tag::new(run(Direction::Seal, aead, key, nonce, aad, in_out)?, aead))
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
        match run(Direction::Open, aead, key, nonce, aad, in_out) {
            Ok(mac) if constant_time_eq(Tag::new(mac, aead).as_bytes(), tag) => Ok(()),
            _ => {
                in_out.zeroize();
                Err(AeadError)
            }
        }
    }

    fn sha256(&self) -> RustHash {
        RustHash::new()
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        RustMac::new(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        block::encrypt_block(key, block);
    }

    #[inline(always)]
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<RustEphemeralKey, KeyError> {
        match group {
            NamedGroup::Secp256r1 => {
                let scalar = p256::generate(rng)?;
                let share = KeyShare::secp256r1(&p256::public_key(&scalar)?);
                Ok(RustEphemeralKey { scalar, share })
            }
            NamedGroup::X25519 => {
                let scalar = x25519::generate(rng);
                let share = KeyShare::x25519(&x25519::public_key(&scalar));
                Ok(RustEphemeralKey { scalar, share })
            }
        }
    }

    #[inline(always)]
    fn key_share(&self, key: &RustEphemeralKey) -> KeyShare {
        key.share
    }

    #[inline(always)]
    fn agree(&self, key: &RustEphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        match key.share.group() {
            NamedGroup::Secp256r1 => p256::agree(&key.scalar, peer),
            NamedGroup::X25519 => x25519::agree(&key.scalar, peer),
        }
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<RustSigningKey, KeyError> {
        Ok(RustSigningKey { scalar: scalar.clone(), public: p256::public_key(scalar)? })
    }

    fn public_key(&self, key: &RustSigningKey) -> PublicKey {
        key.public
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &RustSigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        p256::sign(&key.scalar, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        p256::verify(key, digest, signature)
    }
}

/// Which way the data goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Seal,
    Open,
}

/// Encrypts or decrypts `data` in place and returns the MAC that its tag is the beginning of.
#[inline(always)]
fn run(
    direction: Direction,
    aead: Aead,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    data: &mut [u8],
) -> Result<[u8; 16], AeadError> {
    match aead {
        Aead::Aes128Gcm => aes_128_gcm(direction, sized(key)?, nonce, aad, data),
        Aead::Aes128Ccm8 | Aead::Aes128Ccm => {
            aes_128_ccm(direction, aead.tag_len(), sized(key)?, nonce, aad, data)
        }
        Aead::ChaCha20Poly1305 => chacha20_poly1305(direction, sized(key)?, sized(nonce)?, aad, data),
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], AeadError> {
    bytes.try_into().map_err(|_| AeadError)
}
