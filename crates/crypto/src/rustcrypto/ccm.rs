//! Counter with CBC-MAC (NIST SP 800-38C, RFC 3610), written for short records.
//!
//! CCM encrypts every block twice: once in the MAC's chain and once as keystream. The chain is serial, so a mode
//! that walks the message twice waits twice. Here every step of the chain is paired with the keystream of the
//! next block: processors with AES instructions overlap the two, and the bitsliced software cipher, which takes
//! two blocks for the price of one, does half the work.

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser};

use super::Direction;
use super::block::{cipher, one, two};
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
    let mut run = Run {
        direction,
        aad,
        data,
        counter: block(length_len as u8 - 1, nonce, 0),
        number: 0,
        words: [block(flags, nonce, data_len), 0],
    };
    run_under(&cipher(key), &mut run);
    let [mac, _] = run.words;
    Ok(mac.to_ne_bytes())
}

/// For bare metal it is called, so that what the cipher takes of the stack is not there yet while its key is expanded.
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline(never))]
fn run_under(cipher: &Aes128Enc, run: &mut Run<'_>) {
    cipher.encrypt_with_backend(run);
}

/// `flags | nonce | number`, the number in the bytes that are left.
#[cfg_attr(target_os = "none", inline(never))]
fn block(flags: u8, nonce: &[u8], number: u64) -> u128 {
    let mut block = u128::from(number).to_be_bytes();
    if let Some(([first], rest)) = block.split_first_chunk_mut() {
        *first = flags;
        overwrite(rest, nonce);
    }
    u128::from_ne_bytes(block)
}

/// One message: the MAC's chain and the keystream, step by step.
struct Run<'a> {
    direction: Direction,
    aad: &'a [u8],
    data: &'a mut [u8],
    /// A_0.
    counter: u128,
    /// Number of the block of keystream that comes with a step.
    number: usize,
    /// What came out of the last step: the chain, and a block of keystream. At first B_0, and in the end the MAC.
    words: [u128; 2],
}

impl BlockSizeUser for Run<'_> {
    type BlockSize = U16;
}

/// Runs where the cipher's round keys are at hand.
impl BlockCipherEncClosure for &mut Run<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let (direction, aad, data) = (self.direction, self.aad, core::mem::take(&mut self.data));
        // The tag's own keystream comes with the first step of the chain.
        self.step(backend);
        let [_, tag_mask] = self.words;
        // The data's first block of keystream comes with each step over the associated data.
        self.number = 1;
        if aad.is_empty() {
            let [_, keystream] = &mut self.words;
            *keystream = one(backend, self.counter ^ 1u128.to_be());
        } else {
            // The associated data stand behind their length.
            let (head, rest) = aad.split_at(aad.len().min(BLOCK - 2));
            let mut padded = [0; BLOCK];
            if let Some((length, begin)) = padded.split_first_chunk_mut() {
                *length = (aad.len() as u16).to_be_bytes();
                overwrite(begin, head);
            }
            self.absorb(backend, u128::from_ne_bytes(padded));
            let (blocks, tail) = rest.as_chunks::<BLOCK>();
            for block in blocks {
                self.absorb(backend, u128::from_ne_bytes(*block));
            }
            if !tail.is_empty() {
                self.absorb(backend, padded_block(tail));
            }
        }

        let (blocks, tail) = data.as_chunks_mut::<BLOCK>();
        for block in blocks {
            let before = u128::from_ne_bytes(*block);
            let after = before ^ self.keystream();
            *block = after.to_ne_bytes();
            self.number += 1;
            self.absorb(backend, if direction == Direction::Seal { before } else { after });
        }
        if !tail.is_empty() {
            let before = padded_block(tail);
            let after = (before ^ self.keystream()).to_ne_bytes();
            let after = after.get(..tail.len()).unwrap_or_default();
            overwrite(tail, after);
            self.absorb(backend, if direction == Direction::Seal { before } else { padded_block(after) });
        }
        let [chain, _] = &mut self.words;
        *chain ^= tag_mask;
    }
}

impl Run<'_> {
    /// Takes the next block into the MAC, and encrypts the next block of keystream.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn absorb<B: BlockCipherEncBackend<BlockSize = U16>>(&mut self, backend: &B, block: u128) {
        let [chain, _] = &mut self.words;
        *chain ^= block;
        self.step(backend);
    }

    #[inline(always)]
    fn step<B: BlockCipherEncBackend<BlockSize = U16>>(&mut self, backend: &B) {
        let [_, keystream] = &mut self.words;
        *keystream = self.counter ^ (self.number as u128).to_be();
        two(backend, &mut self.words);
    }

    /// The block of keystream for the data's next block.
    fn keystream(&self) -> u128 {
        let [_, keystream] = self.words;
        keystream
    }
}

/// Up to a block of bytes, and zeros.
#[inline(always)]
fn padded_block(bytes: &[u8]) -> u128 {
    let mut block = [0; BLOCK];
    overwrite(&mut block, bytes);
    u128::from_ne_bytes(block)
}

/// Overwrites the beginning of `block` with `bytes`, as many as there is room for.
#[inline(always)]
fn overwrite(block: &mut [u8], bytes: &[u8]) {
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
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
