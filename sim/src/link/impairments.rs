//! What a link does to datagrams, as values.

use std::num::NonZeroU64;

use sedge_time::Duration;

/// What a link does to the datagrams that cross it. The default does nothing: they arrive at once, in order.
///
/// Written as text, an impairment is `name=value`, and several stand with commas between them:
///
/// | name | value | meaning |
/// |---|---|---|
/// | `loss` | `20%` | chance that a datagram is lost |
/// | `bursts` | `1%/25%/90%` | chances that a burst begins, that it ends, and of loss inside one ([`Bursts`]) |
/// | `duplicate` | `5%` | chance that a datagram arrives twice |
/// | `delay` | `50ms`, `20ms..90ms`, `50ms~10ms` | fixed, even between two ends, bell-shaped ([`Delay`]) |
/// | `rate` | `250kbit`, `1mbit`, `9600bit` | bits a second |
/// | `queue` | `200ms` | the longest wait in front of the rate; what would wait longer is dropped |
/// | `mtu` | `1280` | longest datagram carried, in bytes |
#[derive(Clone, Debug, PartialEq)]
pub struct Impairments {
    /// Chance that a datagram is lost, outside bursts.
    pub loss: Probability,
    /// Losses that come in bursts.
    pub bursts: Option<Bursts>,
    /// Chance that a datagram arrives twice, each copy with its own delay.
    pub duplicate: Probability,
    /// Time on the way. Drawn for each datagram by itself: any spread reorders.
    pub delay: Delay,
    /// How many bits a second leave the sender; as many as there are if `None`.
    pub bits_per_second: Option<NonZeroU64>,
    /// With a rate: a datagram that would wait longer than this in front of it is dropped.
    pub longest_wait: Duration,
    /// The longest datagram that is carried, in bytes.
    pub mtu: Option<usize>,
}

impl Default for Impairments {
    fn default() -> Self {
        Self {
            loss: Probability::NEVER,
            bursts: None,
            duplicate: Probability::NEVER,
            delay: Delay::Fixed(Duration::ZERO),
            bits_per_second: None,
            longest_wait: Duration::from_millis(500),
            mtu: None,
        }
    }
}

/// A chance from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// No chance at all.
    pub const NEVER: Self = Self(0.0);
    /// A certainty.
    pub const ALWAYS: Self = Self(1.0);

    /// A chance of `share`, or `None` if it is not from 0 to 1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The chance, from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Losses that come in bursts: Gilbert and Elliott's two-state chain, which moves before each datagram.
///
/// In the long run a share `begin / (begin + end)` of datagrams falls into bursts, whose mean length is
/// `1 / end` datagrams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// Chance that a burst begins with the next datagram.
    pub begin: Probability,
    /// Chance that the burst has ended before the next datagram.
    pub end: Probability,
    /// Chance of loss inside a burst.
    pub loss: Probability,
}

/// How long datagrams are on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    /// All equally long.
    Fixed(Duration),
    /// Any time between the two, each as likely as another.
    Even {
        /// The shortest time.
        from: Duration,
        /// The longest time.
        to: Duration,
    },
    /// Bell-shaped: within `spread` of `mean` two thirds of the time, never more than 3.47 spreads away, never
    /// less than zero.
    Bell {
        /// The time in the middle.
        mean: Duration,
        /// The standard deviation.
        spread: Duration,
    },
}

impl Delay {
    /// How many draws one delay takes.
    pub(super) const DRAWS: usize = 4;

    /// The delay that these draws, each from 0 to 1, stand for.
    pub(super) fn sample(&self, draws: [f64; Self::DRAWS]) -> Duration {
        match *self {
            Self::Fixed(delay) => delay,
            Self::Even { from, to } => {
                let width = to.as_micros().saturating_sub(from.as_micros());
                from + scaled(Duration::from_micros(width), draws[0])
            }
            Self::Bell { mean, spread } => {
                // A sum of n even draws has the variance n/12. No logarithm or cosine: those differ between
                // platforms in their last bits, and one seed must give one trace everywhere.
                let deviation = (draws.iter().sum::<f64>() - Self::DRAWS as f64 / 2.0)
                    / (Self::DRAWS as f64 / 12.0).sqrt();
                let offset = scaled(spread, deviation.abs());
                if deviation < 0.0 {
                    Duration::from_micros(mean.as_micros().saturating_sub(offset.as_micros()))
                } else {
                    mean + offset
                }
            }
        }
    }
}

fn scaled(span: Duration, factor: f64) -> Duration {
    Duration::from_micros((span.as_micros() as f64 * factor) as u64)
}
