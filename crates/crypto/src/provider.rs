//! What a provider of cryptography has to offer.

use rand_core::CryptoRng;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, KeyShare, NamedGroup, PublicKey};
use crate::secret::Secret;
use crate::signature::Signature;

/// The cryptographic operations of one provider.
///
/// A provider is a zero-sized type ([`RustCrypto`](crate::RustCrypto)) or a handle to hardware: methods take
/// `&self`, and a key may be a number of a slot in a secure element. Nothing here fails for a reason that depends on
/// secrets, except [`open`](Self::open), which says only that it failed.
pub trait Crypto {
    /// A running SHA-256.
    type Hash: Hash;
    /// A running HMAC-SHA-256.
    type Mac: Mac;
    /// The private key of one key exchange; erased when dropped.
    type EphemeralKey;
    /// A P-256 private key, prepared for signing; erased when dropped.
    type SigningKey;

    /// Encrypts `in_out` in place and returns the tag.
    ///
    /// The key has [`Aead::key_len`] bytes. The nonce must never have been used with it before; it has 12 bytes, or
    /// with CCM also 13, as in COSE. Fails only if a length is none that the algorithm allows (at most 2^24 - 1 bytes
    /// of data for CCM with a 12-byte nonce, 2^16 - 1 with a 13-byte one).
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError>;

    /// Decrypts `in_out` in place if `tag` is right for it.
    ///
    /// On failure `in_out` holds nothing of use: neither what it held nor the forged plaintext.
    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError>;

    /// Starts a SHA-256.
    fn sha256(&self) -> Self::Hash;

    /// Starts an HMAC-SHA-256 under `key`, of any length.
    ///
    /// The keyed state may be cloned and used many times; that saves hashing the key again.
    fn hmac_sha256(&self, key: &[u8]) -> Self::Mac;

    /// Encrypts one block with AES-128, as record numbers are in DTLS 1.3
    /// ([RFC 9147 section 4.2.3](https://www.rfc-editor.org/rfc/rfc9147#section-4.2.3)).
    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]);

    /// Makes a private key for one key exchange.
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<Self::EphemeralKey, KeyError>;

    /// The public half of `key`, for the peer.
    fn key_share(&self, key: &Self::EphemeralKey) -> KeyShare;

    /// The secret shared with the peer whose share this is: the x-coordinate in P-256
    /// ([RFC 8446 section 7.4.2](https://www.rfc-editor.org/rfc/rfc8446#section-7.4.2)), X25519's output in
    /// Curve25519.
    ///
    /// `peer` is outside input of any length. A share that is no point of the key's group is an error, and so is
    /// one that makes the secret zero.
    fn agree(&self, key: &Self::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError>;

    /// Prepares the P-256 private key with this scalar, big-endian.
    fn signing_key(&self, scalar: &Secret<32>) -> Result<Self::SigningKey, KeyError>;

    /// The public half of `key`.
    fn public_key(&self, key: &Self::SigningKey) -> PublicKey;

    /// Signs a SHA-256 digest with ECDSA.
    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &Self::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError>;

    /// Checks that `signature` is ECDSA by `key` over this SHA-256 digest.
    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError>;
}

/// A running SHA-256; a clone goes on independently.
pub trait Hash: Clone {
    /// Takes in more of the message.
    fn update(&mut self, bytes: &[u8]);
    /// The digest of everything taken in.
    fn finish(self) -> [u8; 32];
}

/// A running HMAC-SHA-256; a clone goes on independently.
pub trait Mac: Clone {
    /// Takes in more of the message.
    fn update(&mut self, bytes: &[u8]);
    /// The authentication code of everything taken in.
    fn finish(self) -> [u8; 32];
}
