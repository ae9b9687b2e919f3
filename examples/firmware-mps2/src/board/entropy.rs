//! Random numbers of the host's; a real board has a generator of its own (the nRF52840's is the RNG peripheral).

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use super::host::{File, Mode, exit_failure};

/// The host's `/dev/urandom`.
pub struct Entropy(File);

impl Entropy {
    /// `None` where the host has none.
    pub fn open() -> Option<Self> {
        File::open("/dev/urandom", Mode::Read).map(Self)
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        if !self.0.read(into) {
            // There is no going on with keys that can be guessed.
            exit_failure("the entropy has run out");
        }
        Ok(())
    }
}

impl TryCryptoRng for Entropy {}
