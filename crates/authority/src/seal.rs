//! Protecting a token's claims.

use alloc::vec;
use alloc::vec::Vec;

use sedge_ace::TokenKeys;
use sedge_cose::cbor::Encoder;
use sedge_cose::{CWT_TAG, Encrypt0, Envelope, Header, Mac0, Sign1};
use sedge_crypto::{Crypto, CryptoRng};

use crate::keys::Generation;
use crate::{Context, Format};

/// Bytes that a token takes besides its claims: the longest signature, nonce and key identifier, and what is around.
const OVERHEAD: usize = 128;

/// A token with these claims; `None` if the provider of cryptography cannot make it.
///
/// Of its header everything is protected, and it has both its tags, so that nobody can give it another hash
/// ([RFC 9770 section 3](https://www.rfc-editor.org/rfc/rfc9770#section-3)).
pub(crate) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
    format: Format,
    generation: &Generation,
    keys: &TokenKeys,
    claims: &[u8],
    cx: &mut Context<'_, C, R>,
) -> Option<Vec<u8>> {
    let mut token = vec![0; claims.len() + OVERHEAD];
    let mut encoder = Encoder::new(&mut token);
    let tag = encoder.tag(CWT_TAG).len();
    let (_, message) = token.split_at_mut_checked(tag)?;
    let protected = Header { kid: Some(&keys.id), ..Header::default() };
    let envelope = Envelope { tagged: true, protected, ..Envelope::default() };
    let made = match format {
        Format::Encrypted => {
            // Random: a key sees far fewer tokens than make two of 2^104 nonces collide.
            let mut nonce = [0; 13];
            cx.rng.fill_bytes(&mut nonce);
            let envelope = Envelope { protected: Header { iv: Some(&nonce), ..protected }, ..envelope };
            let key = keys.encryption_key().ok()?;
            Encrypt0::seal(cx.crypto, &key, &nonce, &envelope, claims, message)
        }
        Format::Authenticated => Mac0::create(cx.crypto, &keys.mac_key().ok()?, &envelope, claims, message),
        Format::Signed => {
            let key = cx.crypto.signing_key(generation.signing()).ok()?;
            Sign1::sign(cx.crypto, &key, cx.rng, &envelope, claims, message)
        }
    };
    let len = made.map(|message| message.len()).ok()?;
    token.truncate(tag + len);
    Some(token)
}
