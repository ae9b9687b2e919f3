//! Times as an operator writes them: a number and a unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

const UNITS: [(&str, f64); 6] =
    [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)];

/// Reads `"50 ms"`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` needs a number and a unit (us, ms, s, min, h, d), such as \"50 ms\""
        ))
    })
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_nothing_else() {
        assert_eq!(parse("50ms"), Some(Duration::from_millis(50)));
        assert_eq!(parse(" 2 d "), Some(Duration::from_secs(172_800)));
        assert_eq!(parse("0.5 min"), Some(Duration::from_secs(30)));
        for wrong in ["", "5", "ms", "-1 s", "1 sec", "1e400 s", "nan s", "inf s", "1 s 2 ms"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
