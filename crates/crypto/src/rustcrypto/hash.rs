//! SHA-256 (FIPS 180-4) and HMAC (RFC 2104) over a library's compression function.
//!
//! Key schedules hash hundreds of short strings under few keys, so what counts is what it takes to clone a state, to
//! finish it and to erase it. On hosts all of this is inlined. For bare metal it is called, so that a state is on the stack
//! once: where a function that takes one by value is inlined, its caller has two.

use core::{array, slice};

use sha2::block_api::compress256;
use zeroize::optimization_barrier;

use crate::provider::{Hash, Mac};
use crate::secret::Secret;

const BLOCK: usize = 64;
/// Where the length of the message stands in its last block.
const LENGTH: usize = BLOCK - 8;
/// FIPS 180-4 section 5.3.3.
const START: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

type State = [u32; 8];

/// The provider's running SHA-256.
pub struct RustHash {
    state: State,
    /// The bytes that fill no block yet, and behind them whatever was there before.
    rest: [u8; BLOCK],
    len: u64,
}

impl RustHash {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) const fn new() -> Self {
        Self { state: START, rest: [0; BLOCK], len: 0 }
    }

    /// The state after the message and its padding (FIPS 180-4 section 5.1.1).
    fn finish_state(&mut self) -> State {
        let (used, bits) = (self.len as usize % BLOCK, self.len.wrapping_mul(8));
        let mut tail = self.rest.get_mut(used..).unwrap_or_default().iter_mut();
        tail.next().into_iter().for_each(|byte| *byte = 0x80);
        tail.for_each(|byte| *byte = 0);
        if used >= LENGTH {
            compress256(&mut self.state, slice::from_ref(&self.rest));
            self.rest = [0; BLOCK];
        }
        put(&mut self.rest, LENGTH, &bits.to_be_bytes());
        compress256(&mut self.state, slice::from_ref(&self.rest));
        self.state
    }
}

impl Hash for RustHash {
    fn update(&mut self, mut bytes: &[u8]) {
        let used = self.len as usize % BLOCK;
        self.len = self.len.wrapping_add(bytes.len() as u64);
        if used > 0 {
            let Some((fill, later)) = bytes.split_at_checked(BLOCK - used) else {
                return put(&mut self.rest, used, bytes);
            };
            put(&mut self.rest, used, fill);
            compress256(&mut self.state, slice::from_ref(&self.rest));
            bytes = later;
        }
        let (blocks, tail) = bytes.as_chunks();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
        }
        put(&mut self.rest, 0, tail);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn finish(mut self) -> [u8; 32] {
        digest(&self.finish_state())
    }
}

impl Clone for RustHash {
    #[cfg_attr(target_os = "none", inline(never))]
    fn clone(&self) -> Self {
        Self { state: self.state, rest: self.rest, len: self.len }
    }
}

impl Drop for RustHash {
    #[cfg_attr(target_os = "none", inline(never))]
    fn drop(&mut self) {
        (self.state, self.rest) = ([0; 8], [0; BLOCK]);
        optimization_barrier(self);
    }
}

/// The provider's running HMAC-SHA-256.
pub struct RustMac {
    inner: RustHash,
    /// The outer hash after the key.
    outer: State,
}

impl RustMac {
    pub(crate) fn new(key: &[u8]) -> Self {
        // A key longer than a block is hashed first.
        let mut padded = Secret::<BLOCK>::zero();
        if key.len() > BLOCK {
            let mut hash = RustHash::new();
            hash.update(key);
            put(padded.expose_mut(), 0, &hash.finish());
        } else {
            put(padded.expose_mut(), 0, key);
        }
        let keyed = |pad: u8| {
            let block = Secret::new(padded.expose().map(|byte| byte ^ pad));
            let mut state = START;
            compress256(&mut state, slice::from_ref(block.expose()));
            state
        };
        let (inner, outer) = (keyed(0x36), keyed(0x5c));
        Self { inner: RustHash { state: inner, rest: [0; BLOCK], len: BLOCK as u64 }, outer }
    }
}

impl Mac for RustMac {
    fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn finish(mut self) -> [u8; 32] {
        let inner = self.inner.finish_state();
        // The last block of the outer hash: the inner digest, and the padding of 96 bytes.
        let mut block = [0; BLOCK];
        put(&mut block, 0, &digest(&inner));
        put(&mut block, 32, &[0x80]);
        put(&mut block, LENGTH, &(8 * (BLOCK as u64 + 32)).to_be_bytes());
        compress256(&mut self.outer, slice::from_ref(&block));
        digest(&self.outer)
    }
}

impl Clone for RustMac {
    #[cfg_attr(target_os = "none", inline(never))]
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), outer: self.outer }
    }
}

impl Drop for RustMac {
    fn drop(&mut self) {
        self.outer = [0; 8];
        optimization_barrier(&self.outer);
    }
}

/// Writes `bytes` from `at` on, where there is room.
#[inline(always)]
fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(place) = block.get_mut(at..).and_then(|tail| tail.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

fn digest(state: &State) -> [u8; 32] {
    let words = state.map(u32::to_be_bytes);
    array::from_fn(|at| words.as_flattened().get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    use sha2::{Digest, Sha256};

    /// Every length around the edges of blocks, in one piece, byte by byte and in two.
    #[test]
    fn it_is_sha_256_however_the_message_is_cut() {
        let message: Vec<u8> = (0..=255).collect();
        for len in 0..=256 {
            let message = &message[..len];
            let expected: [u8; 32] = Sha256::digest(message).into();
            let hashed = |pieces: &mut dyn Iterator<Item = &[u8]>| {
                let mut hash = RustHash::new();
                pieces.for_each(|piece| hash.update(piece));
                hash.finish()
            };
            assert_eq!(hashed(&mut [message].into_iter()), expected, "{len}");
            assert_eq!(hashed(&mut message.chunks(1)), expected, "{len}");
            for cut in [1, 55, 63, 64, 65, 100] {
                if let Some((one, other)) = message.split_at_checked(cut) {
                    assert_eq!(hashed(&mut [one, other].into_iter()), expected, "{len} cut at {cut}");
                }
            }
        }
    }

    /// RFC 4231 section 4, cases 2 and 6: a short key, and one longer than a block.
    #[test]
    fn rfc_4231() {
        let mac = |key: &[u8], message: &[u8]| {
            let mut mac = RustMac::new(key);
            mac.update(message);
            let hex = mac.finish().map(|byte| std::format!("{byte:02x}"));
            hex.concat()
        };
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            mac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
