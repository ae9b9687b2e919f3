//! What happens to datagrams that cross a bad link.
//!
//! A [`Link`] carries datagrams one way. It owns no socket, no thread and no clock: [`Link::offer`] puts a
//! datagram on it, [`Link::poll`] takes off what has arrived by now, [`Link::deadline`] says when the next one
//! will. [`Impairments`] say what it does to them.

mod impairments;
mod text;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sedge_time::{Duration, Instant};

use crate::Random;
pub use impairments::{Bursts, Delay, Impairments, Probability};
pub use text::InvalidImpairments;

/// One direction of a bad link.
///
/// Every datagram offered takes the same number of draws from the random sequence, whatever becomes of it: two
/// links with one seed that differ in one impairment differ in nothing else.
#[derive(Clone, Debug)]
pub struct Link<D> {
    impairments: Impairments,
    random: Random,
    burst: bool,
    line_free_at: Instant,
    on_the_way: BinaryHeap<Reverse<InFlight<D>>>,
    /// The highest number handed to the receiver so far.
    newest: u64,
    counters: Counters,
}

/// What became of a datagram that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It arrives at this time.
    Arrives(Instant),
    /// It arrives twice, at these times (in either order).
    ArrivesTwice(Instant, Instant),
    /// It was lost by chance.
    Lost,
    /// It is longer than the link's MTU.
    TooLong,
    /// The queue in front of the link's limited rate was full.
    QueueFull,
}

/// What a link has done so far, in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Offered by the sender.
    pub offered: u64,
    /// Handed to the receiver, copies included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Arrived, or on the way, twice.
    pub duplicated: u64,
    /// Handed over after one that was offered later.
    pub reordered: u64,
    /// Dropped because they were longer than the MTU.
    pub too_long: u64,
    /// Dropped because the queue was full.
    pub queue_full: u64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.too_long += other.too_long;
        self.queue_full += other.queue_full;
    }
}

#[derive(Clone, Debug)]
struct InFlight<D> {
    arrival: Instant,
    /// The order of the offers decides between equal arrivals.
    number: u64,
    datagram: D,
}

impl<D> PartialEq for InFlight<D> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<D> Eq for InFlight<D> {}

impl<D> PartialOrd for InFlight<D> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<D> Ord for InFlight<D> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.arrival, self.number).cmp(&(other.arrival, other.number))
    }
}

impl<D: AsRef<[u8]> + Clone> Link<D> {
    /// A link with these impairments whose chances are the sequence that `seed` names.
    pub fn new(impairments: Impairments, seed: u64) -> Self {
        Self::with_random(impairments, Random::new(seed))
    }

    /// A link that draws its chances from `random`.
    pub fn with_random(impairments: Impairments, random: Random) -> Self {
        Self {
            impairments,
            random,
            burst: false,
            line_free_at: Instant::EPOCH,
            on_the_way: BinaryHeap::new(),
            newest: 0,
            counters: Counters::default(),
        }
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// When the next datagram arrives, if one is on the way.
    pub fn deadline(&self) -> Option<Instant> {
        self.on_the_way.peek().map(|Reverse(next)| next.arrival)
    }

    /// Puts a datagram on the link at `now` and says what becomes of it.
    pub fn offer(&mut self, now: Instant, datagram: D) -> Fate {
        self.counters.offered += 1;
        let number = self.counters.offered;

        let lost = self.draw_loss();
        let twice = self.random.unit() < self.impairments.duplicate.get();
        let delays = [self.draw_delay(), self.draw_delay()];

        let length = datagram.as_ref().len();
        if self.impairments.mtu.is_some_and(|mtu| length > mtu) {
            self.counters.too_long += 1;
            return Fate::TooLong;
        }
        let Some(departure) = self.departure(now, length) else {
            self.counters.queue_full += 1;
            return Fate::QueueFull;
        };
        if lost {
            self.counters.lost += 1;
            return Fate::Lost;
        }
        let [first, second] = delays.map(|delay| departure + delay);
        if twice {
            self.counters.duplicated += 1;
            self.on_the_way.push(Reverse(InFlight { arrival: second, number, datagram: datagram.clone() }));
        }
        self.on_the_way.push(Reverse(InFlight { arrival: first, number, datagram }));
        if twice { Fate::ArrivesTwice(first, second) } else { Fate::Arrives(first) }
    }

    /// Takes the next datagram that has arrived by `now`, if there is one.
    pub fn poll(&mut self, now: Instant) -> Option<D> {
        if self.deadline()? > now {
            return None;
        }
        let Reverse(arrived) = self.on_the_way.pop()?;
        self.counters.delivered += 1;
        self.counters.reordered += u64::from(arrived.number < self.newest);
        self.newest = self.newest.max(arrived.number);
        Some(arrived.datagram)
    }

    /// Whether chance takes the datagram offered now, after chance has decided whether a burst begins or ends.
    fn draw_loss(&mut self) -> bool {
        let [turn, loss] = [self.random.unit(), self.random.unit()];
        let mut probability = self.impairments.loss;
        if let Some(bursts) = self.impairments.bursts {
            let change = if self.burst { bursts.end } else { bursts.begin };
            self.burst ^= turn < change.get();
            if self.burst {
                probability = bursts.loss;
            }
        }
        loss < probability.get()
    }

    fn draw_delay(&mut self) -> Duration {
        let draws = [(); Delay::DRAWS].map(|()| self.random.unit());
        self.impairments.delay.sample(draws)
    }

    /// When the last bit of a datagram of this length has left, given the rate and what waits before it.
    fn departure(&mut self, now: Instant, length: usize) -> Option<Instant> {
        let Some(bits_per_second) = self.impairments.bits_per_second else { return Some(now) };
        let start = self.line_free_at.max(now);
        let waiting = start.saturating_since(now);
        if waiting > self.impairments.longest_wait {
            return None;
        }
        let micros = (length as u64).saturating_mul(8_000_000).div_ceil(bits_per_second.get());
        self.line_free_at = start + Duration::from_micros(micros);
        Some(self.line_free_at)
    }
}

#[cfg(test)]
mod tests;
