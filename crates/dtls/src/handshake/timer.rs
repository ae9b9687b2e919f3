//! The retransmission timer (RFC 6347 section 4.2.4.1).

use sedge_time::{Duration, Instant};

/// How often and how patiently a flight is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// The first wait for an answer. The RFC's default is 1 s; networks of slow radios want more
    /// ([RFC 7925 section 11](https://www.rfc-editor.org/rfc/rfc7925#section-11) says 9 s).
    pub initial: Duration,
    /// Every wait is twice the one before, up to this: the RFC's 60 s.
    pub maximum: Duration,
    /// How often a flight is sent again before the handshake is given up.
    pub attempts: u8,
}

impl Default for Retransmission {
    /// 1 s, doubled up to 60 s, five attempts: gives up after 63 s.
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), maximum: Duration::from_secs(60), attempts: 5 }
    }
}

/// The timer of the flight that was sent last.
#[derive(Debug)]
pub(crate) struct Timer {
    settings: Retransmission,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    deadline: Instant,
    sent: Instant,
    wait: Duration,
    attempts_left: u8,
}

/// What a look at the timer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    NotYet,
    SendAgain,
    GiveUp,
}

impl Timer {
    pub(crate) const fn new(settings: Retransmission) -> Self {
        Self { settings, running: None }
    }

    /// A new flight goes out.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn start(&mut self, now: Instant) {
        let Retransmission { initial, attempts, .. } = self.settings;
        self.running =
            Some(Running { deadline: now + initial, sent: now, wait: initial, attempts_left: attempts });
    }

    /// A new flight goes out, without new patience: the attempts go on counting.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn resume(&mut self, now: Instant) {
        let initial = self.settings.initial;
        if let Some(running) = &mut self.running {
            (running.deadline, running.sent, running.wait) = (now + initial, now, initial);
        }
    }

    /// Nothing is waited for any more.
    pub(crate) const fn stop(&mut self) {
        self.running = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.deadline)
    }

    pub(crate) fn expire(&mut self, now: Instant) -> Expiry {
        let Some(running) = &mut self.running else { return Expiry::NotYet };
        if now < running.deadline {
            return Expiry::NotYet;
        }
        let Some(left) = running.attempts_left.checked_sub(1) else {
            self.running = None;
            return Expiry::GiveUp;
        };
        running.attempts_left = left;
        running.wait = running.wait.saturating_mul(2).min(self.settings.maximum);
        running.sent = now;
        running.deadline = now + running.wait;
        Expiry::SendAgain
    }

    /// The peer repeated its flight, so ours was lost: whether to send it again at once.
    ///
    /// Not if that was done within half of the first wait: a duplicating network must not be amplified.
    pub(crate) fn repeat(&mut self, now: Instant) -> bool {
        let pause = self.settings.initial.fraction(1, 2);
        match &mut self.running {
            Some(running) if now.saturating_since(running.sent) >= pause => {
                running.sent = now;
                running.deadline = now + running.wait;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn waits_double_up_to_the_maximum_and_end() {
        let settings = Retransmission { maximum: Duration::from_secs(5), ..Retransmission::default() };
        let mut timer = Timer::new(settings);
        timer.start(Instant::EPOCH);
        let mut waits = Vec::new();
        let mut last = Instant::EPOCH;
        loop {
            let deadline = timer.deadline().unwrap();
            waits.push(deadline.saturating_since(last).as_secs());
            last = deadline;
            assert_eq!(timer.expire(deadline - Duration::from_micros(1)), Expiry::NotYet);
            if timer.expire(deadline) == Expiry::GiveUp {
                break;
            }
        }
        assert_eq!(waits, [1, 2, 4, 5, 5, 5]);
        assert_eq!(timer.deadline(), None);
    }

    #[test]
    fn a_repeated_flight_is_answered_once_in_a_while() {
        let mut timer = Timer::new(Retransmission::default());
        timer.start(Instant::EPOCH);
        assert!(!timer.repeat(Instant::EPOCH + Duration::from_millis(499)));
        assert!(timer.repeat(Instant::EPOCH + Duration::from_millis(500)));
        assert!(!timer.repeat(Instant::EPOCH + Duration::from_millis(999)));
        assert_eq!(timer.deadline(), Some(Instant::EPOCH + Duration::from_millis(1500)));
    }
}
