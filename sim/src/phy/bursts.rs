//! Bursts of loss, by link.

use std::collections::BTreeMap;

use crate::Random;
use crate::kernel::{Purpose, Streams};
use crate::link::Bursts;

/// Gilbert and Elliott's chain for each direction of each link, which moves before each frame.
#[derive(Debug)]
pub(super) struct BurstLosses {
    bursts: Bursts,
    streams: Streams,
    links: BTreeMap<(u16, u16), Chain>,
}

#[derive(Debug)]
struct Chain {
    random: Random,
    burst: bool,
}

impl BurstLosses {
    pub(super) fn new(bursts: Bursts, streams: Streams) -> Self {
        Self { bursts, streams, links: BTreeMap::new() }
    }

    /// Chance that the next frame on this link is lost to a burst.
    pub(super) fn next(&mut self, from: u16, to: u16) -> f64 {
        let Self { bursts, streams, links } = self;
        let chain = links.entry((from, to)).or_insert_with(|| {
            let link = u64::from(from) << 16 | u64::from(to);
            let mut random = streams.stream(Purpose::BURSTS, link);
            // The chain has been moving for ever.
            let [begin, end] = [bursts.begin.get(), bursts.end.get()];
            let burst = begin + end > 0.0 && random.unit() < begin / (begin + end);
            Chain { random, burst }
        });
        let turn = if chain.burst { bursts.end } else { bursts.begin };
        chain.burst ^= chain.random.unit() < turn.get();
        if chain.burst { bursts.loss.get() } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Probability;

    #[test]
    fn bursts_take_their_share() {
        let chance = |share| Probability::new(share).unwrap();
        let bursts = Bursts { begin: chance(0.01), end: chance(0.1), loss: chance(1.0) };
        let mut losses = BurstLosses::new(bursts, Streams::new(5));
        let lost: f64 = (0..200_000).map(|_| losses.next(1, 2)).sum();
        let share = lost / 200_000.0;
        // 1/11, within three standard errors: a burst of mean 10 makes the sample 20 times less sure.
        assert!((share - 1.0 / 11.0).abs() < 3.0 * (0.0826_f64 * 20.0 / 200_000.0).sqrt(), "{share}");
    }
}
