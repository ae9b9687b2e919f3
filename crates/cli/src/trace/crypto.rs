//! Cryptography that shows the tape what it seals and opens.

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, KeyShare, NamedGroup, PublicKey, RustCrypto, Secret,
    Signature, Tag,
};

use super::Tape;

/// RustCrypto, with a look at every plaintext.
#[derive(Clone, Debug)]
pub(crate) struct TapCrypto {
    pub(crate) tape: Tape,
}

impl Crypto for TapCrypto {
    type Hash = <RustCrypto as Crypto>::Hash;
    type Mac = <RustCrypto as Crypto>::Mac;
    type EphemeralKey = <RustCrypto as Crypto>::EphemeralKey;
    type SigningKey = <RustCrypto as Crypto>::SigningKey;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        self.tape.sealing(in_out);
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
        let opened = RustCrypto.open(aead, key, nonce, aad, in_out, tag);
        self.tape.opened(opened.is_ok().then_some(&*in_out));
        opened
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

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        RustCrypto.verify(key, digest, signature)
    }
}
