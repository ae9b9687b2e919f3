//! Protecting a token's claims.

use alloc::vec;
use alloc::vec::Vec;

use sedge_ace::TokenKeys;
use sedge_cose::{Encrypt0, Envelope, Header, Mac0, Sign1};
use sedge_crypto::{Crypto, CryptoRng};

use crate::keys::Generation;
use crate::{Context, Format};

/// Bytes that a token takes besides its claims: the longest signature, nonce and key identifier, and what is around.
const OVERHEAD: usize = 128;

/// A token with these claims; `None` if the provider of cryptography cannot make it.
pub(crate) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
    format: Format,
    generation: &Generation,
    keys: &TokenKeys,
    claims: &[u8],
    cx: &mut Context<'_, C, R>,
) -> Option<Vec<u8>> {
    let mut token = vec![0; claims.len() + OVERHEAD];
    let unprotected = Header { kid: Some(&keys.id), ..Header::default() };
    let envelope = Envelope { tagged: true, unprotected, ..Envelope::default() };
    let made = match format {
        Format::Encrypted => {
            // Random: a key sees far fewer tokens than make two of 2^104 nonces collide.
            let mut nonce = [0; 13];
            cx.rng.fill_bytes(&mut nonce);
            let envelope = Envelope { unprotected: Header { iv: Some(&nonce), ..unprotected }, ..envelope };
            let key = keys.encryption_key().ok()?;
            Encrypt0::seal(cx.crypto, &key, &nonce, &envelope, claims, &mut token)
        }
        Format::Authenticated => {
            Mac0::create(cx.crypto, &keys.mac_key().ok()?, &envelope, claims, &mut token)
        }
        Format::Signed => {
            let key = cx.crypto.signing_key(generation.signing()).ok()?;
            Sign1::sign(cx.crypto, &key, cx.rng, &envelope, claims, &mut token)
        }
    };
    let len = made.map(|token| token.len()).ok()?;
    token.truncate(len);
    Some(token)
}
