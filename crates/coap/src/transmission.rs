//! Retransmission and congestion control
//! ([RFC 7252 section 4.2](https://www.rfc-editor.org/rfc/rfc7252#section-4.2),
//! [section 4.7](https://www.rfc-editor.org/rfc/rfc7252#section-4.7)).

use sedge_time::{Duration, Instant};

use crate::TransmissionParameters;

/// A Confirmable message that waits for its acknowledgement.
///
/// The message itself stays with the caller, who sends it again (or renders it anew) on
/// [`Expiry::Retransmit`] and drops this value when the acknowledgement, a Reset or the response comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission {
    started: Instant,
    deadline: Instant,
    first_timeout_micros: u32,
    retransmissions: u8,
}

/// What a [`Transmission`] wants at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is too early: nothing.
    Wait,
    /// Send the message again.
    Retransmit,
    /// The peer did not answer: the exchange has failed.
    GiveUp,
}

impl Transmission {
    /// The message was sent at `now`. `random` spreads the first timeout evenly between ACK_TIMEOUT and
    /// ACK_TIMEOUT * ACK_RANDOM_FACTOR.
    pub const fn start(now: Instant, parameters: &TransmissionParameters, random: u32) -> Self {
        let shortest = parameters.ack_timeout.as_micros();
        let longest = parameters.at_most(parameters.ack_timeout).as_micros();
        // One more than the difference, so that the longest time can come.
        let spread = Duration::from_micros(longest.saturating_sub(shortest) + 1).part(random).as_micros();
        let timeout = shortest.saturating_add(spread);
        let first_timeout_micros = if timeout > u32::MAX as u64 { u32::MAX } else { timeout as u32 };
        let deadline = Instant::from_micros(now.as_micros().saturating_add(first_timeout_micros as u64));
        Self { started: now, deadline, first_timeout_micros, retransmissions: 0 }
    }

    /// When [`expire`](Self::expire) has something to say.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How often the message was sent again.
    pub const fn retransmissions(&self) -> u8 {
        self.retransmissions
    }

    /// When the message was first sent.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Time has come to `now`.
    ///
    /// A caller that comes late does not send in a burst what it missed, and does not send at all after
    /// MAX_TRANSMIT_SPAN, beyond which the peer need not know a duplicate as such.
    pub fn expire(&mut self, now: Instant, parameters: &TransmissionParameters) -> Expiry {
        if now < self.deadline {
            return Expiry::Wait;
        }
        let age = now.saturating_since(self.started);
        if self.retransmissions >= parameters.retransmissions() || age > parameters.max_transmit_span() {
            return Expiry::GiveUp;
        }
        self.retransmissions += 1;
        let timeout = u64::from(self.first_timeout_micros) << self.retransmissions;
        self.deadline = now + Duration::from_micros(timeout);
        Expiry::Retransmit
    }
}

/// How many interactions with one peer are outstanding, and how much a peer that does not respond has been
/// sent: NSTART and PROBING_RATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interactions {
    quiet_until: Instant,
    outstanding: u16,
}

impl Interactions {
    /// Nothing is outstanding.
    pub const NONE: Self = Self { quiet_until: Instant::EPOCH, outstanding: 0 };

    /// Whether one more may begin now.
    pub fn admits(&self, now: Instant, parameters: &TransmissionParameters) -> bool {
        self.outstanding < parameters.nstart && now >= self.quiet_until
    }

    /// When one may begin as far as PROBING_RATE is concerned.
    pub const fn quiet_until(&self) -> Instant {
        self.quiet_until
    }

    /// How many are outstanding.
    pub const fn outstanding(&self) -> u16 {
        self.outstanding
    }

    /// A Confirmable message, or a request whose response is awaited, was sent.
    pub fn begin(&mut self) {
        self.outstanding = self.outstanding.saturating_add(1);
    }

    /// It was acknowledged and answered, reset or given up.
    pub fn end(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// `bytes` were sent to a peer that has not responded to what was sent before.
    pub fn unanswered(&mut self, now: Instant, bytes: usize, parameters: &TransmissionParameters) {
        let rate = u64::from(parameters.probing_rate.max(1));
        let pause = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate);
        self.quiet_until = self.quiet_until.max(now) + pause;
    }

    /// The peer has sent something.
    pub fn heard(&mut self) {
        self.quiet_until = Instant::EPOCH;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: TransmissionParameters = TransmissionParameters::DEFAULT;

    fn at(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    /// RFC 7252 section 4.2: the shortest and the longest schedule.
    #[test]
    fn backs_off_exponentially() {
        for (random, first) in [(0, 2_000), (u32::MAX, 3_000), (u32::MAX / 2, 2_500)] {
            let mut transmission = Transmission::start(at(0), &PARAMETERS, random);
            assert_eq!(transmission.deadline().as_micros() / 1_000, first);
            let unit = transmission.deadline().saturating_since(at(0));
            for retransmission in 1..=4 {
                let now = transmission.deadline();
                assert_eq!(transmission.expire(now - Duration::from_micros(1), &PARAMETERS), Expiry::Wait);
                assert_eq!(transmission.expire(now, &PARAMETERS), Expiry::Retransmit);
                assert_eq!(transmission.retransmissions(), retransmission);
                let wait = transmission.deadline().saturating_since(now);
                assert_eq!(wait, unit.saturating_mul(1 << retransmission));
            }
            let end = transmission.deadline();
            assert_eq!(transmission.expire(end, &PARAMETERS), Expiry::GiveUp);
            assert_eq!(end.saturating_since(at(0)), unit.saturating_mul(31));
            assert!(end.saturating_since(at(0)) <= PARAMETERS.max_transmit_wait());
        }
    }

    #[test]
    fn a_late_caller_neither_bursts_nor_sends_too_late() {
        let mut transmission = Transmission::start(at(0), &PARAMETERS, 0);
        assert_eq!(transmission.expire(at(20_000), &PARAMETERS), Expiry::Retransmit);
        assert_eq!(transmission.expire(at(20_001), &PARAMETERS), Expiry::Wait);
        assert_eq!(transmission.deadline(), at(24_000));
        assert_eq!(transmission.expire(at(45_001), &PARAMETERS), Expiry::GiveUp);
    }

    #[test]
    fn nstart_and_probing_rate_hold_back() {
        let mut interactions = Interactions::NONE;
        assert!(interactions.admits(at(0), &PARAMETERS));
        interactions.begin();
        assert!(!interactions.admits(at(0), &PARAMETERS));
        interactions.end();
        interactions.unanswered(at(0), 10, &PARAMETERS);
        interactions.unanswered(at(1_000), 10, &PARAMETERS);
        assert!(!interactions.admits(at(19_999), &PARAMETERS));
        assert!(interactions.admits(at(20_000), &PARAMETERS));
        interactions.unanswered(at(20_000), 10, &PARAMETERS);
        interactions.heard();
        assert!(interactions.admits(at(20_000), &PARAMETERS));
    }
}
