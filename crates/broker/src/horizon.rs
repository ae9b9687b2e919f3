//! By when things are over for good.
//!
//! What was revoked, and what was issued, is forgotten when it is over. A wall clock that is set ahead by mistake makes
//! everything look over, and when it is put right again, what was forgotten would be good once more. So nothing is
//! forgotten by the wall clock alone: the horizon is a second reckoning of the time, which follows the monotonic clock, and
//! a restart moves it by no more than [`ALLOWANCE`]. Things are forgotten when they are over by both. A wall clock that
//! has run for [`TRUST`] without a jump is believed, whatever it says.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sedge_authority::Change;
use sedge_time::{Duration, Instant};
use zeroize::Zeroizing;

/// How far a wall clock may be ahead after a start: by so much longer was nobody there, and nobody could count the time.
const ALLOWANCE: u64 = 3600;
/// For how long a wall clock has to run without a jump to be believed.
const TRUST: Duration = Duration::from_secs(86_400);
/// What is no jump: a clock that is being adjusted.
const JITTER: u64 = 10;
/// How often the reckoning is kept, well within what a restart allows.
pub(crate) const KEEP: u64 = 600;
/// From this difference on an operator should know: more than a start allows, so that one with a wrong clock is over when
/// the clock is right.
const SUSPICIOUS: u64 = 2 * ALLOWANCE;
/// The name of its record.
const RECORD: &str = "horizon";

/// The second reckoning of the time, in seconds since 1970.
#[derive(Debug)]
pub(crate) struct Horizon(Mutex<Reckoning>);

#[derive(Debug)]
struct Reckoning {
    /// What it was, and when.
    at: (u64, Instant),
    /// What is left of what the start allows.
    allowance: u64,
    /// What the wall clock said, and when; since when it has run without a jump.
    wall: (u64, Instant),
    steady_since: Instant,
    /// What is in the store.
    kept: u64,
}

impl Horizon {
    /// Begins where the store says that it ended; by the wall clock if it says nothing.
    pub(crate) fn start(records: &[(String, Zeroizing<Vec<u8>>)], wall: u64, now: Instant) -> Self {
        let record = records.iter().find(|(key, _)| key == RECORD);
        let kept = record.and_then(|(_, bytes)| Some(u64::from_be_bytes(bytes.as_slice().try_into().ok()?)));
        Self(Mutex::new(Reckoning {
            at: (kept.unwrap_or(wall), now),
            allowance: ALLOWANCE,
            wall: (wall, now),
            steady_since: now,
            kept: kept.unwrap_or(0),
        }))
    }

    /// By when things are over for good: never after what the wall clock says.
    pub(crate) fn now(&self, wall: u64, now: Instant) -> u64 {
        self.lock().advance(wall, now).min(wall)
    }

    /// What to keep of it, if it is time to.
    pub(crate) fn due(&self, wall: u64, now: Instant) -> Option<Change> {
        let mut reckoning = self.lock();
        let at = reckoning.advance(wall, now);
        if at.abs_diff(reckoning.kept) < KEEP {
            return None;
        }
        reckoning.kept = at;
        Some(Change::Put(RECORD.into(), Zeroizing::new(at.to_be_bytes().to_vec())))
    }

    /// What an operator should know, if the wall clock is not believed. `looks_over` says that it makes a difference: there
    /// is something that is over by the wall clock.
    pub(crate) fn warning(&self, wall: u64, now: Instant, looks_over: bool) -> Option<String> {
        let mut reckoning = self.lock();
        let at = reckoning.advance(wall, now);
        let difference = at.abs_diff(wall);
        if difference < SUSPICIOUS || wall > at && !looks_over {
            return None;
        }
        let difference = span(difference);
        Some(match wall > at {
            true => format!(
                "the clock is {difference} ahead of the time that was counted here: it was set, or nothing ran for so \
                 long. Tokens that look over are refused, but neither they nor revocations are forgotten until the clock \
                 has run for a day without a jump. If it is wrong, put it right"
            ),
            false => format!(
                "the clock is {difference} behind the time that was counted here: tokens may be good for longer than they \
                 were meant to be. If it is wrong, put it right"
            ),
        })
    }

    // It is one value, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Reckoning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reckoning {
    fn advance(&mut self, wall: u64, now: Instant) -> u64 {
        let (before, then) = self.wall;
        let expected = before + now.saturating_since(then).as_secs();
        if wall.abs_diff(expected) > JITTER {
            self.steady_since = now;
        }
        // Only now and then, so that seconds do not get lost by being cut short.
        if wall.abs_diff(expected) > JITTER || now.saturating_since(then) >= Duration::from_secs(KEEP) {
            self.wall = (wall, now);
        }
        let (at, since) = self.at;
        let counted = at + now.saturating_since(since).as_secs();
        let ahead = wall.saturating_sub(counted);
        let is_believed = now.saturating_since(self.steady_since) >= TRUST;
        if is_believed {
            self.at = (wall, now);
            return wall;
        }
        let allowed = ahead.min(self.allowance);
        if allowed > 0 {
            self.allowance -= allowed;
            self.at = (counted + allowed, now);
        }
        counted + allowed
    }
}

/// A span of time in words.
fn span(seconds: u64) -> String {
    match seconds {
        0..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000;
    const HOUR: u64 = 3600;
    const YEAR: u64 = 365 * 24 * HOUR;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    /// One that was kept at `START`.
    fn restarted(wall: u64) -> Horizon {
        let record = Zeroizing::new(START.to_be_bytes().to_vec());
        Horizon::start(&[(RECORD.into(), record)], wall, at(0))
    }

    #[test]
    fn it_is_the_wall_clock_while_that_runs() {
        let horizon = Horizon::start(&[], START, at(0));
        for second in [0, 1, 59, HOUR, 30 * HOUR, YEAR] {
            assert_eq!(horizon.now(START + second, at(second)), START + second);
        }
        assert_eq!(horizon.warning(START + YEAR, at(YEAR), true), None);
        // Also after a start, for as long as nobody was there.
        let horizon = restarted(START + HOUR);
        assert_eq!(horizon.now(START + HOUR + 5, at(5)), START + HOUR + 5);
        assert_eq!(horizon.warning(START + HOUR + 5, at(5), true), None);
    }

    #[test]
    fn a_clock_that_is_set_ahead_and_back_forgets_nothing() {
        let horizon = restarted(START);
        assert_eq!(horizon.now(START + 9, at(9)), START + 9);
        // The start allows an hour, once; from then on the monotonic clock counts.
        assert_eq!(horizon.now(START + YEAR, at(10)), START + 10 + HOUR);
        assert_eq!(horizon.now(START + YEAR + 90, at(100)), START + 100 + HOUR);
        let warning = horizon.warning(START + YEAR, at(100), true).unwrap();
        assert!(warning.starts_with("the clock is 364 days ahead"), "{warning}");
        // Put right again, the wall clock counts: it is the earlier of both.
        assert_eq!(horizon.now(START + 200, at(200)), START + 200);
        assert_eq!(horizon.now(START + 300, at(300)), START + 300);
    }

    #[test]
    fn each_start_moves_it_by_an_hour_at_most() {
        let wall = START + YEAR;
        assert_eq!(restarted(wall).now(wall, at(0)), START + HOUR);
        let kept = restarted(wall).due(wall, at(0)).unwrap();
        let Change::Put(key, record) = kept else { panic!("{kept:?}") };
        let again = Horizon::start(&[(key, record)], wall, at(0));
        assert_eq!(again.due(START + HOUR, at(0)), None);
        assert_eq!(again.now(wall, at(0)), START + 2 * HOUR);
    }

    #[test]
    fn a_clock_that_runs_for_a_day_without_a_jump_is_believed() {
        let wall = START + YEAR;
        let horizon = restarted(wall);
        assert_eq!(horizon.now(wall, at(0)), START + HOUR);
        assert_eq!(horizon.now(wall + 23 * HOUR, at(23 * HOUR)), START + 24 * HOUR);
        assert_eq!(horizon.now(wall + 24 * HOUR, at(24 * HOUR)), wall + 24 * HOUR);
        // Back, and not believed at once either: it is what ends what looked over that goes back, not what is reckoned.
        assert_eq!(horizon.now(START, at(24 * HOUR)), START);
        let warning = horizon.warning(START, at(24 * HOUR), true).unwrap();
        assert!(warning.contains("behind"), "{warning}");
        assert_eq!(horizon.now(START + 24 * HOUR, at(48 * HOUR)), START + 24 * HOUR);
        assert_eq!(horizon.warning(START + 24 * HOUR, at(48 * HOUR), true), None);
    }

    /// A broker that is asked each second does not fall behind by fractions, and follows a clock that is adjusted.
    #[test]
    fn it_does_not_drift() {
        let horizon = Horizon::start(&[], START, at(0));
        for step in 0..200_000 {
            let now = at(0) + Duration::from_millis(1999 * step);
            // 100 ppm fast.
            let wall = START + 1999 * step / 1000 + 1999 * step / 10_000_000;
            let horizon = horizon.now(wall, now);
            assert!(wall - horizon <= 30, "{step}: {}", wall - horizon);
        }
    }
}
