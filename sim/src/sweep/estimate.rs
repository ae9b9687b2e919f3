//! Means, and how far off they may be.

use std::fmt;

use crate::report::plot::number;

/// The mean of a sample with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// The mean.
    pub(crate) mean: f64,
    /// Half of the interval that holds the true mean with 95 % confidence (Student's t); zero for a single value, of
    /// which nothing is known.
    pub(crate) half_width: f64,
    /// The size of the sample.
    pub(crate) count: usize,
}

/// The 97.5 % quantiles of Student's t distribution with 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// That of the normal distribution, for more.
const NORMAL: f64 = 1.960;

impl Estimate {
    /// What a sample says.
    pub(crate) fn of(sample: &[f64]) -> Self {
        let count = sample.len();
        if count == 0 {
            return Self { mean: 0.0, half_width: 0.0, count };
        }
        let mean = sample.iter().sum::<f64>() / count as f64;
        if count == 1 {
            return Self { mean, half_width: 0.0, count };
        }
        let variance = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
        let quantile = STUDENT.get(count - 2).copied().unwrap_or(NORMAL);
        Self { mean, half_width: quantile * (variance / count as f64).sqrt(), count }
    }
}

/// The mean, and how far off it may be if that is known.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&number(self.mean))?;
        if self.count > 1 { write!(f, " ± {}", number(self.half_width)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        // Student's own example of two values: mean 1.5, s = 0.7071, so 12.706 * 0.5.
        let two = Estimate::of(&[1.0, 2.0]);
        assert!((two.mean - 1.5).abs() < 1e-12 && (two.half_width - 6.353).abs() < 1e-9);
        assert_eq!(Estimate::of(&[3.0]), Estimate { mean: 3.0, half_width: 0.0, count: 1 });
        assert_eq!((two.to_string(), Estimate::of(&[3.0]).to_string()), ("1.5 ± 6.35".into(), "3".into()));
        let many: Vec<f64> = (0..100).map(|value| f64::from(value % 2)).collect();
        assert!((Estimate::of(&many).half_width - 1.96 * 0.050_251_89).abs() < 1e-6);
    }
}
