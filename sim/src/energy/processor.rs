//! What cryptography costs a processor, read from a file in which each number says where it is from.

use std::str::FromStr;

use serde::Deserialize;

use super::Figure;
use super::profile::ProfileError;
use sedge_time::Duration;

/// Instructions of the operations of cryptography.
///
/// The file of the built-in one is `sim/profiles/cortex-m4.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// What it is called.
    pub name: String,
    /// Cycles that an instruction takes on average.
    pub cycles: Figure,
    /// Sealing or opening a record without content.
    pub record: Figure,
    /// Each 16 bytes of a record's content.
    pub record_block: Figure,
    /// Each 16 bytes of additional data after the first 14.
    pub aad_block: Figure,
    /// One block of AES with a fresh key.
    pub block: Figure,
    /// SHA-256 of less than one block.
    pub hash: Figure,
    /// Each 64 bytes more.
    pub hash_block: Figure,
    /// HMAC-SHA-256 of less than one block.
    pub mac: Figure,
    /// An ephemeral key on P-256.
    pub key_p256: Figure,
    /// An agreement on P-256.
    pub agree_p256: Figure,
    /// A signature on P-256.
    pub sign_p256: Figure,
    /// The check of a signature on P-256.
    pub verify_p256: Figure,
    /// An ephemeral key for X25519.
    pub key_x25519: Figure,
    /// An agreement by X25519.
    pub agree_x25519: Figure,
}

impl FromStr for Processor {
    type Err = ProfileError;

    /// Reads a table in TOML.
    fn from_str(text: &str) -> Result<Self, ProfileError> {
        toml::from_str(text).map_err(|error| ProfileError::new(error.to_string()))
    }
}

impl Processor {
    /// A Cortex-M4 without accelerators, with the portable provider.
    pub fn cortex_m4() -> Self {
        include_str!("../../profiles/cortex-m4.toml")
            .parse()
            .expect("a built-in table that its test has read")
    }

    /// Instructions of one record.
    pub fn of_record(&self, aad: usize, text: usize) -> f64 {
        let further = aad.saturating_sub(14).div_ceil(16) as f64;
        self.record.value
            + self.record_block.value * text.div_ceil(16) as f64
            + self.aad_block.value * further
    }

    /// How long so many instructions take at this clock.
    pub fn time(&self, instructions: f64, mhz: f64) -> Duration {
        Duration::from_micros((instructions * self.cycles.value / mhz) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshakes that docs/FOOTPRINT.md reports are made of these operations.
    #[test]
    fn the_table_adds_up_to_the_handshakes_that_were_measured() {
        let table = Processor::cortex_m4();
        let sum: f64 = [&table.key_p256, &table.agree_p256, &table.sign_p256, &table.verify_p256]
            .map(|figure| figure.value)
            .iter()
            .sum();
        // Raw public keys less a pre-shared key, DTLS 1.2.
        let measured = 30_842_400.0 - 319_120.0;
        assert!((sum / measured - 1.0).abs() < 0.01, "{sum}");
        // 0.62 s at 64 MHz.
        assert_eq!(table.time(sum, 64.0).as_millis() / 10, 61);
    }

    #[test]
    fn records_cost_what_was_counted() {
        let table = Processor::cortex_m4();
        for (text, counted) in [(0, 16_344.0), (64, 32_516.0), (128, 48_684.0), (512, 145_692.0)] {
            let sum = table.of_record(13, text);
            assert!((sum / counted - 1.0_f64).abs() < 0.005, "{text} B: {sum}, {counted}");
        }
    }
}
