//! P-256 public keys as X.509 and raw public keys carry them.

use crate::key::{KeyError, PublicKey};

/// Length of a P-256 `SubjectPublicKeyInfo` in bytes.
pub const SUBJECT_PUBLIC_KEY_INFO_LEN: usize = 91;

/// The key as a DER `SubjectPublicKeyInfo` with `id-ecPublicKey`, `secp256r1` and an uncompressed point
/// ([RFC 5480 section 2](https://www.rfc-editor.org/rfc/rfc5480#section-2)).
///
/// It is the whole raw public key of [RFC 7250](https://www.rfc-editor.org/rfc/rfc7250#section-3), and a part of
/// a certificate.
pub fn subject_public_key_info(key: &PublicKey) -> [u8; SUBJECT_PUBLIC_KEY_INFO_LEN] {
    let mut info = [0; SUBJECT_PUBLIC_KEY_INFO_LEN];
    for (to, from) in info.iter_mut().zip(PREFIX.iter().chain(key.as_bytes())) {
        *to = *from;
    }
    info
}

/// The key in a DER `SubjectPublicKeyInfo`: the inverse of [`subject_public_key_info`], which takes nothing else.
///
/// Compressed points are refused, as in all of TLS
/// ([RFC 8422 section 5.1.1](https://www.rfc-editor.org/rfc/rfc8422#section-5.1.1)).
pub fn public_key_from_info(info: &[u8]) -> Result<PublicKey, KeyError> {
    PublicKey::from_bytes(info.strip_prefix(&PREFIX).ok_or(KeyError::PublicKey)?)
}

/// Everything that stands before the point. Type, curve and length leave only one form.
const PREFIX: [u8; 26] = [
    0x30, 89, // SEQUENCE
    0x30, 19, // SEQUENCE
    0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey, 1.2.840.10045.2.1
    0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // secp256r1, 1.2.840.10045.3.1.7
    0x03, 66, 0, // BIT STRING, no bits unused
];
