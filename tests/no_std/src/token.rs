//! What a device does with tokens and messages that are not its group's.

use sedge_cose::{Algorithm, Claims, CoseKey, Expected, KeyOp, Message, SymmetricKey};
use sedge_crypto::RustCrypto;

/// Reads a token that somebody has shown, and returns the length of the key that its owner has to prove.
pub(crate) fn read(key: &[u8; 32], token: &mut [u8], now: i64) -> Option<usize> {
    let claims = match Message::parse(token).ok()? {
        Message::Encrypt0(message) => {
            let key = SymmetricKey::new(Algorithm::CHACHA20_POLY1305, key).ok()?;
            let nonce = message.headers().nonce(key.algorithm(), None).ok()?;
            message.open(&RustCrypto, &key, nonce.as_bytes(), b"").ok()?
        }
        Message::Mac0(message) => {
            message.verify(&RustCrypto, &SymmetricKey::new(Algorithm::HMAC_256, key).ok()?, b"").ok()?
        }
        Message::Sign1(message) => {
            let issuer = CoseKey::parse(message.headers().kid()?).ok()?.public_key().ok()?;
            message.verify(&RustCrypto, &issuer, b"").ok()?
        }
    };
    let claims = Claims::parse(claims).ok()?;
    claims.check(&Expected { audience: "boiler", issuer: None, now, leeway: 0 }).ok()?;
    match claims.confirmation? {
        sedge_cose::Confirmation::Key(key) => {
            Some(key.symmetric_for(Algorithm::HMAC_256, KeyOp::MacVerify).ok()?.expose().len())
        }
        _ => None,
    }
}
