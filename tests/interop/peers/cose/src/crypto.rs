//! What coset leaves to its callers.

use aes::Aes128;
use aes_gcm::Aes128Gcm;
use ccm::Ccm;
use ccm::aead::{Aead, KeyInit, Payload};
use ccm::consts::{U7, U8, U13, U16};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use sha2::Sha256;

use crate::Outcome;

pub(crate) fn encrypt(algorithm: i32, key: &[u8], nonce: &[u8], aad: &[u8], text: &[u8]) -> Outcome {
    cipher(algorithm, key, nonce, Payload { msg: text, aad }, true)
}

pub(crate) fn decrypt(algorithm: i32, key: &[u8], nonce: &[u8], aad: &[u8], text: &[u8]) -> Outcome {
    cipher(algorithm, key, nonce, Payload { msg: text, aad }, false)
}

fn cipher(algorithm: i32, key: &[u8], nonce: &[u8], payload: Payload<'_, '_>, encrypt: bool) -> Outcome {
    macro_rules! with {
        ($cipher:ty) => {{
            let cipher = <$cipher>::new_from_slice(key).map_err(|error| error.to_string())?;
            let nonce = nonce.try_into().map_err(|_| "the nonce has another length".to_owned())?;
            let outcome =
                if encrypt { cipher.encrypt(nonce, payload) } else { cipher.decrypt(nonce, payload) };
            outcome.map_err(|error| error.to_string())
        }};
    }
    match algorithm {
        1 => with!(Aes128Gcm),
        10 => with!(Ccm<Aes128, U8, U13>),
        12 => with!(Ccm<Aes128, U8, U7>),
        24 => with!(ChaCha20Poly1305),
        30 => with!(Ccm<Aes128, U16, U13>),
        32 => with!(Ccm<Aes128, U16, U7>),
        _ => Err("another algorithm".to_owned()),
    }
}

pub(crate) fn mac(algorithm: i32, key: &[u8], data: &[u8]) -> Outcome {
    let len = match algorithm {
        4 => 8,
        5 => 32,
        _ => return Err("another algorithm".to_owned()),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(data);
    Ok(mac.finalize().into_bytes()[..len].to_vec())
}

pub(crate) fn sign(d: &[u8], data: &[u8]) -> Outcome {
    let key = SigningKey::from_slice(d).map_err(|error| error.to_string())?;
    let signature: Signature = key.sign(data);
    Ok(signature.to_bytes().to_vec())
}

pub(crate) fn verify(point: &[u8], signature: &[u8], data: &[u8]) -> Result<(), String> {
    let key = VerifyingKey::from_sec1_bytes(&[&[4], point].concat()).map_err(|error| error.to_string())?;
    let signature = Signature::from_slice(signature).map_err(|error| error.to_string())?;
    key.verify(data, &signature).map_err(|error| error.to_string())
}
