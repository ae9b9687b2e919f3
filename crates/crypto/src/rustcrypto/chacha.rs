//! ChaCha20 and Poly1305 (RFC 8439 section 2.8).

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use poly1305::universal_hash::{KeyInit, UniversalHash};
use poly1305::{Block, Poly1305};
use zeroize::Zeroize;

use super::Direction;
use crate::aead::AeadError;

/// What is left of the counter's 2^32 blocks, of which the key of the MAC takes one.
const MAX_DATA: u64 = ((1 << 32) - 1) * 64;

/// Encrypts or decrypts `data` in place and returns the tag.
///
/// The crate that joins the two compares tags by itself, so that a caller could neither wipe what did not open nor
/// have one comparison for all ciphers.
pub(crate) fn chacha20_poly1305(
    direction: Direction,
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    data: &mut [u8],
) -> Result<[u8; 16], AeadError> {
    if data.len() as u64 > MAX_DATA {
        return Err(AeadError);
    }
    let mut cipher = ChaCha20::new(key.into(), nonce.into());
    // Section 2.6: the first half of the first block is the key of the MAC, the rest of it is not used.
    let mut first = [0; 64];
    cipher.apply_keystream(&mut first);
    let [mac_key, _] = first.as_chunks::<32>().0 else { return Err(AeadError) };
    let mut mac = Poly1305::new(mac_key.into());
    first.zeroize();

    mac.update_padded(aad);
    if direction == Direction::Open {
        mac.update_padded(data);
    }
    cipher.apply_keystream(data);
    if direction == Direction::Seal {
        mac.update_padded(data);
    }
    let mut lengths = [0; 16];
    let numbers = [aad.len() as u64, data.len() as u64].map(u64::to_le_bytes);
    lengths.iter_mut().zip(numbers.as_flattened()).for_each(|(to, from)| *to = *from);
    mac.update(&[Block::from(lengths)]);
    Ok(mac.finalize().into())
}
