//! Bit errors of the O-QPSK modulation at 2.4 GHz.

use std::sync::LazyLock;

/// Chance that a bit is wrong at this ratio of signal to noise and interference (not in decibels).
///
/// IEEE 802.15.4-2006 annex E.4.1.8:
/// `8/15 * 1/16 * sum(k = 2..16) (-1)^k * C(16, k) * exp(20 * ratio * (1/k - 1))`.
pub fn ber(ratio: f64) -> f64 {
    let mut binomial = 16.0;
    let mut sum = 0.0;
    for k in 2..=16_u32 {
        binomial *= f64::from(17 - k) / f64::from(k);
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sum += sign * binomial * (20.0 * ratio * (1.0 / f64::from(k) - 1.0)).exp();
    }
    (8.0 / 15.0 / 16.0 * sum).clamp(0.0, 0.5)
}

/// Chance that a frame of this many bytes is wrong, with the same ratio all along.
pub fn per(ratio: f64, bytes: usize) -> f64 {
    1.0 - (8.0 * bytes as f64 * (-ber(ratio)).ln_1p()).exp()
}

const LOWEST_DB: f64 = -12.0;
const STEPS_A_DB: f64 = 20.0;
/// At 6 dB one bit in 10^17 is wrong.
const HIGHEST_DB: f64 = 6.0;
const HIGHEST: f64 = 3.981_071_705_534_972_5;

static SURVIVAL: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let steps = ((HIGHEST_DB - LOWEST_DB) * STEPS_A_DB) as usize;
    (0..=steps + 1)
        .map(|step| (-ber(10_f64.powf((LOWEST_DB + step as f64 / STEPS_A_DB) / 10.0))).ln_1p())
        .collect()
});

/// The logarithm of the chance that a bit survives, from a table (in steps of 0.05 dB, evenly between).
pub(super) fn ln_survival(ratio: f64) -> f64 {
    if ratio >= HIGHEST {
        return 0.0;
    }
    let place = ((10.0 * ratio.max(1e-9).log10() - LOWEST_DB) * STEPS_A_DB).max(0.0);
    let step = place as usize;
    let [low, high] = [SURVIVAL[step], SURVIVAL[step + 1]];
    low + (high - low) * (place - step as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `per(SNR, n)` at the ratios published for each length, in decibels to two places.
    #[test]
    fn frames_of_known_lengths_fail_where_they_should() {
        let table = [
            (5, [-0.20, -1.52, -3.05, -4.51]),
            (20, [0.40, -0.69, -1.86, -2.86]),
            (60, [0.83, -0.14, -1.13, -1.94]),
            (127, [1.09, 0.19, -0.71, -1.42]),
        ];
        for (bytes, decibels) in table {
            for (db, rate) in decibels.into_iter().zip([0.01, 0.10, 0.50, 0.90]) {
                // The table's last place is 0.005 dB.
                let [low, high] = [db - 0.006, db + 0.006].map(|db: f64| per(10_f64.powf(db / 10.0), bytes));
                assert!(high <= rate && rate <= low, "{bytes} B at {db} dB: {high}..{low}, not {rate}");
            }
        }
    }

    #[test]
    fn the_table_is_the_formula() {
        for tenth in -110..60 {
            let ratio = 10_f64.powf((f64::from(tenth) / 10.0 + 0.025) / 10.0);
            let exact = (-ber(ratio)).ln_1p();
            assert!((ln_survival(ratio) - exact).abs() <= 0.01 * exact.abs() + 1e-9, "{tenth}");
        }
    }
}
