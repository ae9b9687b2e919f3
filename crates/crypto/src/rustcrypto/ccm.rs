//! Counter with CBC-MAC (NIST SP 800-38C, RFC 3610), written for short records.
//!
//! CCM encrypts every block twice: once in the MAC's chain and once as keystream. The chain is serial, so a mode
//! that walks the message twice waits twice. Here every step of the chain is paired with the keystream of the
//! next block: processors with AES instructions overlap the two, and the bitsliced software cipher, which takes
//! two blocks for the price of one, does half the work.

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};

use super::Direction;
use super::block::{one, two};
use crate::aead::AeadError;

const BLOCK: usize = 16;

/// Encrypts or decrypts `data` in place and returns the whole MAC, of which the first `tag_len` bytes are the tag.
///
/// `tag_len` is an even number from 4 to 16, `nonce` has 7 to 13 bytes, and the associated data fewer than 65,280.
pub(crate) fn aes_128_ccm(
    direction: Direction,
    tag_len: usize,
    key: &[u8; 16],
    nonce: &[u8],
    aad: &[u8],
    data: &mut [u8],
) -> Result<[u8; BLOCK], AeadError> {
    // RFC 3610 section 2.1: the length of the message has the bytes that the nonce leaves free.
    let length_len = 15usize.checked_sub(nonce.len()).filter(|len| (2..=8).contains(len)).ok_or(AeadError)?;
    let data_len = u64::try_from(data.len()).map_err(|_| AeadError)?;
    if aad.len() >= 0xff00 || (length_len < 8 && data_len >> (8 * length_len) != 0) {
        return Err(AeadError);
    }
    // The flags fit their bits because of the checks above.
    let flags = (u8::from(!aad.is_empty()) << 6)
        | ((tag_len as u8).saturating_sub(2) / 2) << 3
        | (length_len as u8 - 1);
    let mut mac = [0; BLOCK];
    let run = Run {
        direction,
        first: block(flags, nonce, data_len),
        counter: block(length_len as u8 - 1, nonce, 0),
        aad,
        data,
        mac: &mut mac,
    };
    Aes128Enc::new(key.into()).encrypt_with_backend(run);
    Ok(mac)
}

/// `flags | nonce | number`, the number in the bytes that are left.
fn block(flags: u8, nonce: &[u8], number: u64) -> [u8; BLOCK] {
    let mut block = u128::from(number).to_be_bytes();
    for (to, from) in block.iter_mut().zip([flags].iter().chain(nonce)) {
        *to = *from;
    }
    block
}

/// One message, run where the cipher's round keys are at hand.
struct Run<'a> {
    direction: Direction,
    /// B_0.
    first: [u8; BLOCK],
    /// A_0.
    counter: [u8; BLOCK],
    aad: &'a [u8],
    data: &'a mut [u8],
    mac: &'a mut [u8; BLOCK],
}

impl BlockSizeUser for Run<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Run<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Self { direction, first, counter, aad, data, mac } = self;
        let counter = u128::from_be_bytes(counter);
        // The tag's own keystream comes with the first step of the chain.
        let (mut chain, tag_mask) = step(backend, u128::from_ne_bytes(first), counter);
        let mut number = counter + 1;
        let mut keystream;
        if aad.is_empty() {
            keystream = one(backend, number.to_be());
        } else {
            // The associated data stand behind their length.
            let (head, rest) = aad.split_at(aad.len().min(BLOCK - 2));
            let mut padded = [0; BLOCK];
            let length = (aad.len() as u16).to_be_bytes();
            for (to, from) in padded.iter_mut().zip(length.iter().chain(head)) {
                *to = *from;
            }
            (chain, keystream) = step(backend, chain ^ u128::from_ne_bytes(padded), number);
            let (blocks, tail) = rest.as_chunks::<BLOCK>();
            for block in blocks {
                chain = one(backend, chain ^ u128::from_ne_bytes(*block));
            }
            if !tail.is_empty() {
                chain = one(backend, chain ^ u128::from_ne_bytes(padded_block(tail)));
            }
        }

        let (blocks, tail) = data.as_chunks_mut::<BLOCK>();
        let mut blocks = blocks.iter_mut().peekable();
        while let Some(block) = blocks.next() {
            let before = u128::from_ne_bytes(*block);
            let after = before ^ keystream;
            *block = after.to_ne_bytes();
            chain ^= if direction == Direction::Seal { before } else { after };
            if blocks.peek().is_some() || !tail.is_empty() {
                number += 1;
                (chain, keystream) = step(backend, chain, number);
            } else {
                chain = one(backend, chain);
            }
        }
        if !tail.is_empty() {
            let before = padded_block(tail);
            for (byte, key) in tail.iter_mut().zip(keystream.to_ne_bytes()) {
                *byte ^= key;
            }
            let plaintext = if direction == Direction::Seal { before } else { padded_block(tail) };
            chain = one(backend, chain ^ u128::from_ne_bytes(plaintext));
        }
        *mac = (chain ^ tag_mask).to_ne_bytes();
    }
}

/// Up to a block of bytes, and zeros.
#[inline(always)]
fn padded_block(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    block
}

/// One step of the MAC's chain, and the block of keystream with this number.
#[inline(always)]
fn step<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, chain: u128, number: u128) -> (u128, u128) {
    two(backend, [chain, number.to_be()]).into()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// NIST SP 800-38C appendix C: key, nonce, associated data and plaintext count upwards.
    fn example(tag_len: usize, nonce_len: u8, aad_len: u8, len: u8) -> String {
        let count = |from: u8, len: u8| (from..from + len).collect::<Vec<u8>>();
        let (key, nonce, aad) =
            (count(0x40, 16).try_into().unwrap(), count(0x10, nonce_len), count(0, aad_len));
        let mut data = count(0x20, len);
        let mac = aes_128_ccm(Direction::Seal, tag_len, &key, &nonce, &aad, &mut data).unwrap();
        let sealed = data.iter().chain(&mac[..tag_len]).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(aes_128_ccm(Direction::Open, tag_len, &key, &nonce, &aad, &mut data), Ok(mac));
        assert_eq!(data, count(0x20, len));
        sealed
    }

    #[test]
    fn nist_sp_800_38c_examples() {
        assert_eq!(example(4, 7, 8, 4), "7162015b4dac255d");
        assert_eq!(example(6, 8, 16, 16), "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd");
        assert_eq!(
            example(8, 12, 20, 24),
            "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"
        );
    }
}
