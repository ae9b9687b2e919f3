//! Message IDs ([RFC 7252 section 4.4](https://www.rfc-editor.org/rfc/rfc7252#section-4.4)).

use sedge_time::{Duration, Instant};

/// Gives out the Message IDs for what is sent to one peer, none again before its lifetime is over.
///
/// The IDs are given in sequence from a random start. That none returns too early is kept by counting, not
/// by remembering: after a burst of at most 8,192, IDs come at a rate that fits 57,344 into a lifetime, so
/// that no lifetime sees more than 65,536. Plain CoAP with EXCHANGE_LIFETIME (247 s) thus sends 232
/// messages per second to one peer for as long as it likes.
///
/// # More than 250 messages per second
/// 65,536 IDs in 247 s are 265 per second, and no way of counting gets past that. What can change is the
/// lifetime. It must outlast the last copy of a message that may still arrive, and the time for which the
/// receiver takes another message with the same ID for a copy. MAX_LATENCY, twice 100 s, makes up most of it:
///
/// * A network known to be faster is given its own
///   [`TransmissionParameters`](crate::TransmissionParameters): with a MAX_LATENCY of 10 s the lifetime is
///   67 s, and 855 messages per second go through.
/// * Under DTLS the network delivers no record twice, and none that is 64 records older than the newest. The
///   only late copies are the sender's own retransmissions, and as the sequence keeps 65,535 messages between
///   two uses of an ID, their records are too old by then.
/// * A receiver built on this crate tells copies by Message ID *and* token and code
///   ([`Message::fingerprint`](crate::Message::fingerprint)): a client that takes a new token for each request
///   may use an ID again as soon as it likes. Of notifications, which share a token, the Non-confirmable need
///   no deduplication, for the Observe option orders them.
///
/// So under DTLS and towards a peer that is known to be built on this crate the lifetime may be zero. Towards
/// any other it is what the RFC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageIds {
    // When all IDs given so far would have been given, had they come at the sustained rate.
    paced_until: Instant,
    next: u16,
}

const BURST: u64 = 1 << 13;
const SUSTAINED: u32 = (1 << 16) - (1 << 13);

impl MessageIds {
    /// Starts at `random`, so that an observer off the path cannot guess IDs and a restarted sender is
    /// unlikely to repeat those it has used.
    pub const fn new(random: u16) -> Self {
        Self { paced_until: Instant::EPOCH, next: random }
    }

    /// An ID that was not given within the last `lifetime`, or `None` if there is none at `now`;
    /// [`ready_at`](Self::ready_at) then says when to ask again.
    pub fn next(&mut self, now: Instant, lifetime: Duration) -> Option<u16> {
        if now < self.ready_at(lifetime) {
            return None;
        }
        self.paced_until = self.paced_until.max(now) + interval(lifetime);
        let id = self.next;
        self.next = id.wrapping_add(1);
        Some(id)
    }

    /// The ID that comes next.
    pub const fn peek(&self) -> u16 {
        self.next
    }

    /// When the next ID can be given.
    pub fn ready_at(&self, lifetime: Duration) -> Instant {
        self.paced_until - interval(lifetime).saturating_mul(BURST - 1)
    }
}

/// The time between two IDs at the sustained rate, rounded up.
fn interval(lifetime: Duration) -> Duration {
    lifetime.part(u32::MAX / SUSTAINED + 1) + Duration::from_micros(lifetime.as_micros().min(1))
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::TransmissionParameters;

    const LIFETIME: Duration = TransmissionParameters::DEFAULT.exchange_lifetime();

    #[test]
    fn no_id_returns_within_its_lifetime() {
        let mut ids = MessageIds::new(65_000);
        let mut last = vec![None; 1 << 16];
        let mut now = Instant::EPOCH;
        let mut given = 0;
        // As fast as it will, for three lifetimes, with a pause in which the burst recovers.
        while now < Instant::EPOCH + LIFETIME.saturating_mul(3) {
            let Some(id) = ids.next(now, LIFETIME) else {
                now = ids.ready_at(LIFETIME);
                continue;
            };
            if given == 100_000 {
                now += Duration::from_secs(60);
            }
            if let Some(before) = last[usize::from(id)].replace(now) {
                assert!(now.saturating_since(before) >= LIFETIME);
            }
            given += 1;
        }
        assert!(given > 3 * 57_344, "{given}");
    }

    #[test]
    fn goes_round_at_any_rate_without_a_lifetime() {
        let mut ids = MessageIds::new(0);
        for expected in (0..=u16::MAX).cycle().take(200_000) {
            assert_eq!(ids.next(Instant::EPOCH, Duration::ZERO), Some(expected));
        }
    }
}
