//! Galois/Counter mode (NIST SP 800-38D) with a nonce of 12 bytes, written for short records.
//!
//! The hash's key, the tag's mask and the beginning of the keystream are encrypted in one go, as many blocks as
//! the processor takes at a time: a record of up to six blocks asks no more of one with AES instructions.

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
    ParBlocks,
};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;

use super::Direction;
use crate::aead::AeadError;

const BLOCK: usize = 16;

/// Encrypts or decrypts `data` in place and returns the tag.
pub(crate) fn aes_128_gcm(
    direction: Direction,
    key: &[u8; 16],
    nonce: &[u8],
    aad: &[u8],
    data: &mut [u8],
) -> Result<[u8; BLOCK], AeadError> {
    let nonce: &[u8; 12] = nonce.try_into().map_err(|_| AeadError)?;
    // Section 5.2.1.1: the counter has 32 bits, of which the mask takes a number.
    if data.len() as u64 > (1 << 36) - 32 {
        return Err(AeadError);
    }
    let mut tag = [0; BLOCK];
    let run = Run { direction, nonce, aad, data, tag: &mut tag };
    Aes128Enc::new(key.into()).encrypt_with_backend(run);
    Ok(tag)
}

/// One message, run where the cipher's round keys are at hand.
struct Run<'a> {
    direction: Direction,
    nonce: &'a [u8; 12],
    aad: &'a [u8],
    data: &'a mut [u8],
    tag: &'a mut [u8; BLOCK],
}

impl BlockSizeUser for Run<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Run<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Self { direction, nonce, aad, data, tag } = self;
        let (aad_bits, data_bits) = (8 * aad.len() as u64, 8 * data.len() as u64);
        let mut stream = Stream::new(backend, nonce);
        let mut hash = GHash::new(&stream.next().to_ne_bytes().into());
        let mask = stream.next();

        hash.update_padded(aad);
        if direction == Direction::Open {
            hash.update_padded(data);
        }
        let (blocks, tail) = data.as_chunks_mut::<BLOCK>();
        for block in blocks {
            *block = (u128::from_ne_bytes(*block) ^ stream.next()).to_ne_bytes();
        }
        if !tail.is_empty() {
            for (byte, key) in tail.iter_mut().zip(stream.next().to_ne_bytes()) {
                *byte ^= key;
            }
        }
        if direction == Direction::Seal {
            hash.update_padded(data);
        }
        let lengths = u128::from(aad_bits) << 64 | u128::from(data_bits);
        hash.update(&[lengths.to_be_bytes().into()]);
        *tag = (u128::from_ne_bytes(hash.finalize().into()) ^ mask).to_ne_bytes();
    }
}

/// The encrypted block of zeros, which is the hash's key, then those of the nonce and the numbers from 1.
struct Stream<'a, B: BlockCipherEncBackend<BlockSize = U16>> {
    backend: &'a B,
    /// The nonce and the number 0, which is never encrypted.
    start: u128,
    /// Number of the block to be encrypted next.
    number: u32,
    encrypted: ParBlocks<B>,
    /// How many of `encrypted` have been taken.
    taken: usize,
}

impl<'a, B: BlockCipherEncBackend<BlockSize = U16>> Stream<'a, B> {
    #[inline(always)]
    fn new(backend: &'a B, nonce: &[u8; 12]) -> Self {
        let mut start = [0; BLOCK];
        for (to, from) in start.iter_mut().zip(nonce) {
            *to = *from;
        }
        let encrypted = ParBlocks::<B>::default();
        let taken = encrypted.len();
        Self { backend, start: u128::from_be_bytes(start), number: 0, encrypted, taken }
    }

    #[inline(always)]
    fn next(&mut self) -> u128 {
        if self.taken == self.encrypted.len() {
            self.refill();
        }
        let block = self.encrypted.get(self.taken).copied().unwrap_or_default();
        self.taken += 1;
        u128::from_ne_bytes(block.into())
    }

    #[inline(always)]
    fn refill(&mut self) {
        for block in &mut self.encrypted {
            let word = if self.number == 0 { 0 } else { self.start | u128::from(self.number) };
            *block = Block::<B>::from(word.to_be_bytes());
            self.number = self.number.wrapping_add(1);
        }
        self.backend.encrypt_par_blocks_inplace(&mut self.encrypted);
        self.taken = 0;
    }
}
