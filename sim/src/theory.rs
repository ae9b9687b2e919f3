//! Experiments whose outcome is known: what the simulator does beside what a formula says.
//!
//! The tests ask that the two agree, and `docs/VALIDATION.md` shows them.

pub mod access;
pub mod coap;
pub mod contention;
pub mod energy;
pub mod fragments;
pub mod plot;
pub mod queue;

/// One outcome beside what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What was varied.
    pub x: f64,
    /// The simulator's outcome.
    pub simulated: f64,
    /// Its standard error; zero if chance has no part in it.
    pub error: f64,
    /// The formula's.
    pub analytic: f64,
}

impl Point {
    /// A share of `count` trials that came out so.
    pub fn share(x: f64, hits: u64, count: u64, analytic: f64) -> Self {
        let simulated = hits as f64 / count as f64;
        // By the formula's share: one that is 0 or 1 in the sample would have no error.
        Self { x, simulated, error: (analytic * (1.0 - analytic) / count as f64).sqrt(), analytic }
    }

    /// A mean of these values.
    pub fn mean(x: f64, values: &[f64], analytic: f64) -> Self {
        let count = values.len() as f64;
        let simulated = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - simulated).powi(2)).sum::<f64>() / (count - 1.0);
        Self { x, simulated, error: (variance / count).sqrt(), analytic }
    }

    /// Distance from the formula in standard errors.
    pub fn deviations(&self) -> f64 {
        let distance = (self.simulated - self.analytic).abs();
        if distance == 0.0 { 0.0 } else { distance / self.error }
    }

    /// Distance from the formula as a share of it.
    pub fn relative(&self) -> f64 {
        (self.simulated / self.analytic - 1.0).abs()
    }
}
