//! Randomness for the code under simulation.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::Random;

/// The simulator's sequence, where keys and nonces are asked for. One seed makes one run: nothing made with this is
/// secret, and nothing of it leaves a simulation.
#[derive(Debug)]
pub struct SimulatedRng(pub(crate) Random);

impl TryRng for SimulatedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.bits())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// As far as a simulation is concerned.
impl TryCryptoRng for SimulatedRng {}
