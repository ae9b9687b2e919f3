//! Deduplication ([RFC 7252 section 4.5](https://www.rfc-editor.org/rfc/rfc7252#section-4.5)).

use sedge_time::{Duration, Instant};

/// Knows messages that come a second time, and what was answered the first time.
///
/// The memory is a slice of [`Entry`]s that the caller owns: four in a device, millions in a broker that
/// serves all its sessions from one slice. Look-up costs the same in both, for the slice is divided into
/// sets of eight, of which a message's key picks one. If a set is full, the entry that would have ended first
/// makes room, so that a table too small forgets early instead of refusing.
///
/// `R` refers to the response, which the caller keeps: an index, or `()` if everything is idempotent.
///
/// A broker's peers should not be able to choose the set that an entry of another peer falls into: let
/// [`Key::peer`] contain something that they cannot know.
#[derive(Debug)]
pub struct Duplicates<'e, R> {
    entries: &'e mut [Entry<R>],
}

/// What tells messages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The peer, in whatever way the caller numbers them.
    pub peer: u64,
    /// The Message ID.
    pub message_id: u16,
    /// What else stays the same when the message is sent again:
    /// [`Message::fingerprint`](crate::Message::fingerprint).
    pub fingerprint: u32,
}

/// Room to remember one message; [`Entry::EMPTY`] to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Entry<R> {
    peer: u64,
    fingerprint: u32,
    // In seconds since the host's epoch, rounded up; 0 if the entry is empty.
    expires: u32,
    message_id: u16,
    outcome: Option<R>,
}

/// Whether a message came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<R> {
    /// No: process it, then [`record`](Duplicates::record) the outcome.
    First {
        /// The outcome of the message that was forgotten for it: what it refers to can be freed.
        displaced: Option<R>,
    },
    /// Yes: do not process it, but answer what was answered, if it is known by now.
    Again(Option<R>),
}

/// Entries in a set: what a look-up goes through.
const WAYS: usize = 8;

impl<R> Entry<R> {
    /// Remembers nothing.
    pub const EMPTY: Self = Self { peer: 0, fingerprint: 0, expires: 0, message_id: 0, outcome: None };

    fn holds(&self, key: &Key) -> bool {
        self.expires != 0
            && self.message_id == key.message_id
            && self.peer == key.peer
            && self.fingerprint == key.fingerprint
    }
}

impl<R> Default for Entry<R> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'e, R: Copy> Duplicates<'e, R> {
    /// Works on `entries`, which hold all there is to know between calls.
    pub const fn new(entries: &'e mut [Entry<R>]) -> Self {
        Self { entries }
    }

    /// A message has come: is it a duplicate? If not, it is remembered for `lifetime`, which is
    /// EXCHANGE_LIFETIME for a Confirmable message and NON_LIFETIME for a Non-confirmable one.
    pub fn check(&mut self, now: Instant, key: Key, lifetime: Duration) -> Seen<R> {
        let set = self.set(&key);
        let second = seconds(now.as_micros());
        if let Some(known) = set.iter().find(|entry| entry.holds(&key) && entry.expires > second) {
            return Seen::Again(known.outcome);
        }
        let Some(room) = set.iter_mut().min_by_key(|entry| entry.expires) else {
            return Seen::First { displaced: None };
        };
        let expires = seconds((now + lifetime).as_micros()).saturating_add(1);
        let Key { peer, message_id, fingerprint } = key;
        let entry = Entry { peer, fingerprint, expires, message_id, outcome: None };
        Seen::First { displaced: core::mem::replace(room, entry).outcome }
    }

    /// The message was answered: duplicates are told `outcome` from now on. False if it has been forgotten
    /// since.
    pub fn record(&mut self, key: Key, outcome: R) -> bool {
        match self.set(&key).iter_mut().find(|entry| entry.holds(&key)) {
            Some(entry) => {
                entry.outcome = Some(outcome);
                true
            }
            None => false,
        }
    }

    fn set(&mut self, key: &Key) -> &mut [Entry<R>] {
        let sets = (self.entries.len() / WAYS) as u64;
        if sets <= 1 {
            return self.entries;
        }
        let mixed = (key.peer ^ u64::from(key.fingerprint) << 16 ^ u64::from(key.message_id))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The high half is well mixed; scale it to the number of sets.
        let set = (((mixed >> 32) * sets) >> 32) as usize;
        self.entries.get_mut(set * WAYS..(set + 1) * WAYS).unwrap_or(&mut [])
    }
}

fn seconds(micros: u64) -> u32 {
    u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    const LIFETIME: Duration = Duration::from_secs(247);

    fn key(peer: u64, message_id: u16, fingerprint: u32) -> Key {
        Key { peer, message_id, fingerprint }
    }

    fn at(secs: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn knows_what_comes_again() {
        let mut entries = [Entry::EMPTY; 3];
        let mut duplicates = Duplicates::new(&mut entries);
        let first = Seen::First { displaced: None };
        assert_eq!(duplicates.check(at(0), key(1, 7, 9), LIFETIME), first);
        assert_eq!(duplicates.check(at(1), key(1, 7, 9), LIFETIME), Seen::Again(None));
        assert!(duplicates.record(key(1, 7, 9), 'a'));
        assert_eq!(duplicates.check(at(247), key(1, 7, 9), LIFETIME), Seen::Again(Some('a')));
        // Another peer, another ID, another token: each its own message.
        assert_eq!(duplicates.check(at(2), key(2, 7, 9), LIFETIME), first);
        assert_eq!(duplicates.check(at(3), key(1, 7, 8), LIFETIME), first);
        // No room is left: the oldest goes, and its outcome is handed back.
        assert_eq!(duplicates.check(at(4), key(1, 8, 9), LIFETIME), Seen::First { displaced: Some('a') });
        assert!(!duplicates.record(key(1, 7, 9), 'b'));
    }

    #[test]
    fn forgets_after_the_lifetime() {
        let mut entries = [Entry::EMPTY; 2];
        let mut duplicates = Duplicates::new(&mut entries);
        let _ = duplicates.check(at(0), key(1, 7, 9), LIFETIME);
        assert!(duplicates.record(key(1, 7, 9), 5));
        assert_eq!(duplicates.check(at(248), key(1, 7, 9), LIFETIME), Seen::First { displaced: None });
        let mut none: [Entry<()>; 0] = [];
        assert_eq!(
            Duplicates::new(&mut none).check(at(0), key(1, 1, 1), LIFETIME),
            Seen::First { displaced: None }
        );
    }

    #[test]
    fn a_large_table_serves_many_peers() {
        let mut entries = vec![Entry::EMPTY; 40_000];
        let mut duplicates = Duplicates::new(&mut entries);
        let key = |peer: u64| key(peer, peer as u16, peer as u32);
        let mut displaced = 0;
        for peer in 0..10_000 {
            let seen = duplicates.check(at(1), key(peer), LIFETIME);
            displaced += usize::from(seen != Seen::First { displaced: None });
            assert!(duplicates.record(key(peer), peer));
        }
        let again = (0..10_000)
            .filter(|&peer| duplicates.check(at(2), key(peer), LIFETIME) == Seen::Again(Some(peer)))
            .count();
        assert!(displaced < 20, "{displaced}");
        // A quarter full, a set of eight overflows about once in two thousand.
        assert!(again > 9_950, "{again}");
    }
}
