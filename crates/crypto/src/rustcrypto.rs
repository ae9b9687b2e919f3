//! The portable provider, from the RustCrypto crates.

use aes::Aes128;
use ccm::Ccm;
use ccm::aead::{AeadCore, AeadInOut, KeyInit, KeySizeUser, inout::InOutBuf};
use ccm::consts::{U8, U12, U16};
use hmac::{Hmac, Mac as _};
use sha2::{Digest, Sha256};

use crate::provider::{Aead, AeadError, Crypto, Hash, Mac, Tag};

type Aes128Ccm8 = Ccm<Aes128, U8, U12>;
type Aes128Ccm = Ccm<Aes128, U16, U12>;

/// The portable provider: pure Rust, no heap, no state.
///
/// AES keys are expanded at every call, which costs less than keeping them expanded costs memory. On x86-64
/// and AArch64 the processor's AES and SHA-256 instructions are found and used at run time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Crypto for RustCrypto {
    type Hash = RustHash;
    type Mac = RustMac;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8; 12],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        match aead {
            Aead::Aes128Ccm8 => seal::<Aes128Ccm8>(key, nonce, aad, in_out).map(|tag| Tag::short(tag.into())),
            Aead::Aes128Ccm => seal::<Aes128Ccm>(key, nonce, aad, in_out).map(|tag| Tag::full(tag.into())),
        }
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8; 16],
        nonce: &[u8; 12],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        match aead {
            Aead::Aes128Ccm8 => open::<Aes128Ccm8>(key, nonce, aad, in_out, tag),
            Aead::Aes128Ccm => open::<Aes128Ccm>(key, nonce, aad, in_out, tag),
        }
    }

    fn sha256(&self) -> RustHash {
        RustHash(Sha256::new())
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        RustMac(Hmac::new(&hmac_block(key)))
    }
}

/// The provider's running SHA-256.
#[derive(Clone)]
pub struct RustHash(Sha256);

impl Hash for RustHash {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The provider's running HMAC-SHA-256.
#[derive(Clone)]
pub struct RustMac(Hmac<Sha256>);

impl Mac for RustMac {
    fn update(&mut self, bytes: &[u8]) {
        hmac::Mac::update(&mut self.0, bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// The key as one block of the hash: padded, or hashed first if longer (RFC 2104 section 2).
fn hmac_block(key: &[u8]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    let hashed: [u8; 32];
    let key = if key.len() > block.len() {
        hashed = Sha256::digest(key).into();
        &hashed
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    block
}

fn seal<A>(
    key: &[u8; 16],
    nonce: &[u8; 12],
    aad: &[u8],
    in_out: &mut [u8],
) -> Result<ccm::Tag<A::TagSize>, AeadError>
where
    A: AeadInOut + KeyInit + KeySizeUser<KeySize = U16> + AeadCore<NonceSize = U12>,
{
    A::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(in_out))
        .map_err(|_| AeadError)
}

fn open<A>(
    key: &[u8; 16],
    nonce: &[u8; 12],
    aad: &[u8],
    in_out: &mut [u8],
    tag: &[u8],
) -> Result<(), AeadError>
where
    A: AeadInOut + KeyInit + KeySizeUser<KeySize = U16> + AeadCore<NonceSize = U12>,
{
    let tag = tag.try_into().map_err(|_| AeadError)?;
    A::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(in_out), tag)
        .map_err(|_| AeadError)
}
