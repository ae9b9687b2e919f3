//! The system's randomness, fetched in portions: a system call per random number would be felt.

extern crate std;

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroize;

/// The operating system's randomness, fetched in portions; what was handed out is erased.
pub struct Entropy {
    portion: [u8; Self::PORTION],
    used: usize,
}

impl Entropy {
    const PORTION: usize = 1024;

    /// Nothing fetched yet.
    pub const fn new() -> Self {
        Self { portion: [0; Self::PORTION], used: Self::PORTION }
    }

    fn fetch(&mut self) {
        // Linux does not refuse once it has been seeded; until then there is nothing to do but to wait.
        while getrandom::fill(&mut self.portion).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.used = 0;
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, mut wanted: &mut [u8]) -> Result<(), Infallible> {
        while !wanted.is_empty() {
            if self.used == Self::PORTION {
                self.fetch();
            }
            let fresh = self.portion.get_mut(self.used..).unwrap_or_default();
            let len = fresh.len().min(wanted.len());
            let (now, later) = wanted.split_at_mut(len);
            for (to, from) in now.iter_mut().zip(fresh) {
                *to = core::mem::take(from);
            }
            self.used += len;
            wanted = later;
        }
        Ok(())
    }
}

impl TryCryptoRng for Entropy {}

impl Default for Entropy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.portion.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn nothing_comes_twice_and_nothing_is_left() {
        let mut entropy = Entropy::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(entropy.next_u64()));
        }
        assert!(entropy.portion[..entropy.used].iter().all(|byte| *byte == 0));
        let mut long = [0; 3000];
        entropy.fill_bytes(&mut long);
        assert!(long.chunks(100).all(|part| part.iter().any(|byte| *byte != 0)));
    }
}
