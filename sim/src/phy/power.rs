//! Powers as whole attowatts, which add without rounding.

/// The power in attowatts; one is -150 dBm.
pub(super) fn attowatts(dbm: f64) -> u64 {
    10_f64.powf((dbm + 150.0) / 10.0) as u64
}

/// The power in decibels over a milliwatt.
pub(super) fn dbm(attowatts: u64) -> f64 {
    10.0 * (attowatts.max(1) as f64).log10() - 150.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for level in -120..=20 {
            assert!((dbm(attowatts(f64::from(level))) - f64::from(level)).abs() < 0.005, "{level}");
        }
    }
}
