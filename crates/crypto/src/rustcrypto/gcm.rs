//! Galois/Counter mode (NIST SP 800-38D) with a nonce of 12 bytes.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};

use crate::aead::AeadError;

/// Encrypts `data` in place and returns the tag.
pub(crate) fn seal(key: &[u8; 16], nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<[u8; 16], AeadError> {
    let nonce = nonce.try_into().map_err(|_| AeadError)?;
    let tag = Aes128Gcm::new(key.into()).encrypt_inout_detached(nonce, aad, data.into());
    Ok(tag.map_err(|_| AeadError)?.into())
}

/// Decrypts `data` in place if the tag is right, and leaves them alone if not.
pub(crate) fn open(
    key: &[u8; 16],
    nonce: &[u8],
    aad: &[u8],
    data: &mut [u8],
    tag: &[u8],
) -> Result<(), AeadError> {
    let (nonce, tag) = (nonce.try_into().map_err(|_| AeadError)?, tag.try_into().map_err(|_| AeadError)?);
    let cipher = Aes128Gcm::new(key.into());
    cipher.decrypt_inout_detached(nonce, aad, data.into(), tag).map_err(|_| AeadError)
}
