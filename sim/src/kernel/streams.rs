//! One seed, split by purpose.

use crate::Random;

/// What chances are drawn for. The numbers are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Purpose(pub u32);

impl Purpose {
    /// Losses and delays of an ideal medium.
    pub const IDEAL: Self = Self(1);
    /// Back-off of the channel access.
    pub const BACKOFF: Self = Self(2);
    /// Whether a frame survives its bit errors.
    pub const RECEPTION: Self = Self(3);
    /// Shadowing between two positions.
    pub const SHADOWING: Self = Self(4);
    /// Bursts of loss on a link.
    pub const BURSTS: Self = Self(5);
    /// On and off times of an interferer.
    pub const INTERFERER: Self = Self(6);
    /// Where in a recorded noise trace a node begins.
    pub const NOISE: Self = Self(7);
    /// Timers of the routing protocol.
    pub const ROUTING: Self = Self(8);
    /// Initial sequence numbers, poll phases and other differences between nodes.
    pub const NODE: Self = Self(9);
    /// Paging, random access and delays of a cellular network or a connection-oriented link.
    pub const ACCESS: Self = Self(10);
    /// The first number free for scenarios, hosts and traffic.
    pub const HOST: Self = Self(100);
}

/// The sequences that one seed names, one for each purpose and index.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of a run.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The sequence of one purpose for one node, link or other part.
    pub fn stream(&self, purpose: Purpose, index: u64) -> Random {
        Random::new(self.hash(purpose, index, 0))
    }

    /// A number from 0 up to 1 that depends on nothing but the seed, the purpose and these two numbers: whoever
    /// asks first, or never, changes nothing.
    pub fn unit(&self, purpose: Purpose, first: u64, second: u64) -> f64 {
        (self.hash(purpose, first, second) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// As [`unit`](Self::unit), with a normal distribution of mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&self, purpose: Purpose, first: u64, second: u64) -> f64 {
        let bits = self.hash(purpose, first, second);
        let more = mix(bits ^ 0x5bf0_3635_dcd4_52ae);
        // From (0, 1], so that the logarithm is finite.
        let radius = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let angle = (more >> 11) as f64 / (1_u64 << 53) as f64;
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    fn hash(&self, purpose: Purpose, first: u64, second: u64) -> u64 {
        let mut state = mix(self.seed ^ 0x6a09_e667_f3bc_c908);
        for word in [u64::from(purpose.0), first, second] {
            state = mix(state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        mix(state)
    }
}

/// SplitMix64's finaliser: each bit of the result depends on each bit of the input.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_its_moments() {
        let streams = Streams::new(1);
        let draws: Vec<f64> = (0..40_000).map(|index| streams.normal(Purpose::SHADOWING, index, 7)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // Three standard errors: 3/sqrt(n) of the mean, 3*sqrt(2/n) of the variance.
        assert!(mean.abs() < 0.015, "{mean}");
        assert!((variance - 1.0).abs() < 0.0213, "{variance}");
    }

    #[test]
    fn purposes_and_indices_are_unrelated() {
        let streams = Streams::new(1);
        let mut firsts: Vec<u64> = (0..40)
            .flat_map(|purpose| (0..40).map(move |index| (Purpose(purpose), index)))
            .map(|(purpose, index)| streams.stream(purpose, index).bits())
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 1_600);
        assert_ne!(Streams::new(2).stream(Purpose::NODE, 0).bits(), streams.stream(Purpose::NODE, 0).bits());
    }
}
