//! The AES block cipher as its modes use it: a block, or two for the price of one.
//!
//! The bitsliced software cipher encrypts two blocks at a time. For single blocks it has code of its own, 2 KB that
//! a small target does without if a single block goes in a pair as well.

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
    ParBlocks,
};

/// Encrypts one block.
pub(crate) fn encrypt_block(key: &[u8; 16], block: &mut [u8; 16]) {
    struct One<'a>(&'a mut [u8; 16]);

    impl BlockSizeUser for One<'_> {
        type BlockSize = U16;
    }

    impl BlockCipherEncClosure for One<'_> {
        #[inline(always)]
        fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
            *self.0 = one(backend, u128::from_ne_bytes(*self.0)).to_ne_bytes();
        }
    }

    cipher(key).encrypt_with_backend(One(block));
}

/// The cipher under this key. For bare metal it is called: the library expands a key in one place and moves it to another,
/// and inlined both would be on the caller's stack.
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn cipher(key: &[u8; 16]) -> Aes128Enc {
    Aes128Enc::new(key.into())
}

/// Encrypts two blocks.
#[inline(always)]
pub(crate) fn two<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, words: &mut [u128; 2]) {
    if takes_pairs::<B>() {
        pair(backend, words);
    } else {
        *words = words.map(|word| single(backend, word));
    }
}

/// Two blocks at once. Not inlined, for a mode has many places where it encrypts, and the cipher takes long.
#[inline(never)]
fn pair<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, words: &mut [u128; 2]) {
    let mut pair = ParBlocks::<B>::default();
    for (block, word) in pair.iter_mut().zip(&*words) {
        *block = Block::<B>::from(word.to_ne_bytes());
    }
    backend.encrypt_par_blocks_inplace(&mut pair);
    for (word, block) in words.iter_mut().zip(pair) {
        *word = u128::from_ne_bytes(block.into());
    }
}

/// One block, encrypted.
#[inline(always)]
pub(crate) fn one<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, word: u128) -> u128 {
    if takes_pairs::<B>() {
        let mut words = [word, 0];
        pair(backend, &mut words);
        let [word, _] = words;
        word
    } else {
        single(backend, word)
    }
}

#[inline(always)]
fn single<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, word: u128) -> u128 {
    let mut block = Block::<B>::from(word.to_ne_bytes());
    backend.encrypt_block_inplace(&mut block);
    u128::from_ne_bytes(block.into())
}

/// Whether the cipher's natural portion is two blocks, as bitslicing in 32-bit words makes it.
#[inline(always)]
fn takes_pairs<B: BlockCipherEncBackend<BlockSize = U16>>() -> bool {
    B::ParBlocksSize::USIZE == 2
}
