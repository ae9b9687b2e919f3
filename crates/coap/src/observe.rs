//! Observe ([RFC 7641](https://www.rfc-editor.org/rfc/rfc7641)), both sides.

use sedge_time::{Duration, Instant};

use crate::{Message, Type};

/// The value of Observe in a request that registers.
pub const REGISTER: u32 = 0;
/// The value of Observe in a request that deregisters.
pub const DEREGISTER: u32 = 1;
/// The longest a server may go without a Confirmable notification to an observer
/// ([section 4.5](https://www.rfc-editor.org/rfc/rfc7641#section-4.5)).
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

const MASK: u32 = (1 << 24) - 1;

/// A server's sequence numbers, for one observation or for all of a resource
/// ([section 4.4](https://www.rfc-editor.org/rfc/rfc7641#section-4.4)).
///
/// They follow the clock in steps of 32 us, so that a server whose clock goes on over a restart needs to
/// keep nothing, and go up by one if that is faster. 2^23 of these steps take 268 s, more than the 256 that
/// the RFC asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    last: u32,
}

impl Sequence {
    /// Starts below whatever the clock says at `now`.
    pub const fn new(now: Instant) -> Self {
        Self { last: ticks(now).wrapping_sub(1) & MASK }
    }

    /// The number for a notification sent at `now`, higher than all before.
    pub fn next(&mut self, now: Instant) -> u32 {
        let clock = ticks(now);
        self.last = if is_ahead(self.last, clock) { clock } else { (self.last + 1) & MASK };
        self.last
    }

    /// The number of the last notification.
    pub const fn last(&self) -> u32 {
        self.last
    }
}

const fn ticks(now: Instant) -> u32 {
    (now.as_micros() >> 5) as u32 & MASK
}

/// Whether `second` comes after `first` in the circle of 2^24 numbers.
const fn is_ahead(first: u32, second: u32) -> bool {
    let distance = second.wrapping_sub(first) & MASK;
    distance != 0 && distance < 1 << 23
}

/// The freshest notification of a resource that a client has seen
/// ([section 3.4](https://www.rfc-editor.org/rfc/rfc7641#section-3.4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    at: Instant,
    number: u32,
}

impl Freshness {
    /// The notification `number` came at `at`.
    pub const fn new(at: Instant, number: u32) -> Self {
        Self { at, number: number & MASK }
    }

    /// Whether a notification `number` that comes at `now` is fresher.
    pub fn is_older_than(&self, now: Instant, number: u32) -> bool {
        is_ahead(self.number, number) || now.saturating_since(self.at) > Duration::from_secs(128)
    }
}

/// A client's observation of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    freshest: Freshness,
    renew_at: Instant,
}

/// What a message means for an [`Observation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// It brings the resource's state.
    Fresh,
    /// One that was sent later came earlier: drop it.
    Stale,
    /// It brings the last word: the server has removed the observation.
    Last,
}

impl Observation {
    /// The server answered a registration with `response` at `now`; `None` if it does not observe. `random`
    /// spreads the next registration.
    pub fn start(now: Instant, response: &Message<'_>, random: u32) -> Option<Self> {
        let number = response.observe().filter(|_| response.code().is_success())?;
        let freshest = Freshness::new(now, number);
        Some(Self { freshest, renew_at: renew_at(now, response, random) })
    }

    /// A message with the token of the observation came at `now`.
    pub fn receive(&mut self, now: Instant, message: &Message<'_>, random: u32) -> Notification {
        let Some(next) = Self::start(now, message, random) else { return Notification::Last };
        if !next.is_fresher_than(self) {
            return Notification::Stale;
        }
        *self = next;
        Notification::Fresh
    }

    /// Whether this one, which has just begun, is of a fresher notification than the one that was `known`.
    pub fn is_fresher_than(&self, known: &Self) -> bool {
        known.freshest.is_older_than(self.freshest.at, self.freshest.number)
    }

    /// When to register again, with the same token, unless a notification comes before: 5 to 15 s after the
    /// last representation has outlived its Max-Age
    /// ([section 3.3.1](https://www.rfc-editor.org/rfc/rfc7641#section-3.3.1)).
    pub const fn renew_at(&self) -> Instant {
        self.renew_at
    }
}

fn renew_at(now: Instant, message: &Message<'_>, random: u32) -> Instant {
    // One more than ten seconds, so that all of them can come.
    let spread = Duration::from_micros(10_000_001).part(random);
    now + Duration::from_secs(message.max_age().into()) + Duration::from_secs(5) + spread
}

/// When an observer last proved that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    confirmed: Instant,
}

impl Liveness {
    /// The observer registered at `now`.
    pub const fn new(now: Instant) -> Self {
        Self { confirmed: now }
    }

    /// The observer acknowledged a notification, or registered again.
    pub fn confirmed(&mut self, now: Instant) {
        self.confirmed = now;
    }

    /// The type for a notification sent at `now`: Confirmable if the observer has not confirmed one for
    /// `within`, which is at most [`CONFIRM_WITHIN`].
    pub fn kind(&self, now: Instant, within: Duration) -> Type {
        if now >= self.due(within) { Type::Con } else { Type::Non }
    }

    /// When a notification must be Confirmable, even if nothing has changed.
    pub fn due(&self, within: Duration) -> Instant {
        self.confirmed + within.min(CONFIRM_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn sequence_follows_the_clock_and_never_stands_still() {
        let mut sequence = Sequence::new(at(100));
        let first = sequence.next(at(100));
        assert_eq!(first, 100_000_000 / 32);
        assert_eq!(sequence.next(at(100)), first + 1);
        assert_eq!(sequence.next(at(99)), first + 2);
        assert_eq!(sequence.next(at(101)), first + 31_250);
        // Round the circle, and after a silence in which the clock went round itself.
        let mut last = sequence.last();
        for secs in [300, 500, 537, 700, 5_000] {
            let before = last;
            last = sequence.next(at(secs));
            assert!(last <= MASK && is_ahead(before, last), "{secs}");
        }
    }

    /// RFC 7641 section 4.4: less than 2^23 in 256 s.
    #[test]
    fn sequence_is_slow_enough() {
        let mut sequence = Sequence::new(at(0));
        let start = sequence.next(at(0));
        assert!(sequence.next(at(256)) - start < 1 << 23);
    }

    /// RFC 7641 section 3.4, the three conditions.
    #[test]
    fn freshness_counts_in_a_circle() {
        let seen = |number| Freshness::new(at(0), number);
        assert!(seen(5).is_older_than(at(1), 6));
        assert!(!seen(5).is_older_than(at(1), 5));
        assert!(!seen(6).is_older_than(at(1), 5));
        assert!(seen(0xff_ffff).is_older_than(at(1), 0));
        assert!(seen(0).is_older_than(at(1), (1 << 23) - 1));
        assert!(!seen(0).is_older_than(at(1), 1 << 23));
        assert!(!seen(1 << 23).is_older_than(at(1), 0));
        assert!(seen((1 << 23) + 1).is_older_than(at(1), 0));
        assert!(!seen(6).is_older_than(at(128), 5));
        assert!(seen(6).is_older_than(at(129), 5));
    }

    #[test]
    fn an_observation_takes_what_is_fresh() {
        fn parse(bytes: &[u8]) -> Message<'_> {
            Message::parse(bytes).unwrap()
        }
        let notification = |number: u8| [0x50, 0x45, 0, number, 0x61, number, 0x81, 30];
        let mut observation = Observation::start(at(0), &parse(&notification(1)), 0).unwrap();
        assert_eq!(observation.renew_at(), at(35));
        assert_eq!(observation.receive(at(10), &parse(&notification(3)), u32::MAX), Notification::Fresh);
        assert_eq!(observation.renew_at(), at(55));
        assert_eq!(observation.receive(at(11), &parse(&notification(2)), 0), Notification::Stale);
        assert_eq!(observation.receive(at(11), &parse(&notification(3)), 0), Notification::Stale);
        assert_eq!(observation.renew_at(), at(55));
        assert_eq!(observation.receive(at(12), &parse(b"\x50\x45\x00\x04"), 0), Notification::Last);
        assert_eq!(observation.receive(at(12), &parse(b"\x50\x84\x00\x04"), 0), Notification::Last);
        assert_eq!(Observation::start(at(0), &parse(b"\x60\x45\x00\x01\xffx"), 0), None);
    }

    #[test]
    fn a_notification_a_day_is_confirmable() {
        let mut liveness = Liveness::new(at(0));
        assert_eq!(liveness.kind(at(86_399), CONFIRM_WITHIN), Type::Non);
        assert_eq!(liveness.kind(at(86_400), CONFIRM_WITHIN), Type::Con);
        assert_eq!(liveness.kind(at(86_400), Duration::MAX), Type::Con);
        assert_eq!(liveness.kind(at(60), Duration::from_secs(60)), Type::Con);
        liveness.confirmed(at(86_400));
        assert_eq!(liveness.kind(at(86_400), CONFIRM_WITHIN), Type::Non);
    }
}
