//! Memory in arrays: for firmware, where every byte is placed at build time.

use core::marker::PhantomData;

use rand_core::CryptoRng;
use sedge_dtls::Profile;
use sedge_time::Instant;

use super::{Buffer, Memory, Path, PathIndex, Pool, TimerKey, Timers};
use crate::duplicates::Handled;
use crate::exchange::Exchange;
use crate::handshake::Handshake;
use crate::path_validation::Validation;
use crate::session::Peer;

/// Fixed arrays throughout: `SESSIONS` peers of which `HANDSHAKES` may be in their handshake at once,
/// `EXCHANGES` messages that await something, each of at most `BUFFER` bytes.
///
/// `TIMERS` must be at least `SESSIONS + EXCHANGES`; this is checked at compile time.
pub struct FixedMemory<
    P,
    D,
    R,
    const SESSIONS: usize,
    const HANDSHAKES: usize,
    const EXCHANGES: usize,
    const BUFFER: usize,
    const TIMERS: usize,
>(PhantomData<(P, D, R)>);

impl<
    P: Path,
    D: Profile,
    R: CryptoRng,
    const SESSIONS: usize,
    const HANDSHAKES: usize,
    const EXCHANGES: usize,
    const BUFFER: usize,
    const TIMERS: usize,
> Memory for FixedMemory<P, D, R, SESSIONS, HANDSHAKES, EXCHANGES, BUFFER, TIMERS>
{
    type Path = P;
    type Dtls = D;
    type Rng = R;
    type Buffer = FixedBuffer<BUFFER>;
    type Sessions = FixedPool<Peer<P>, SESSIONS>;
    type Handshakes = FixedPool<Handshake<D>, HANDSHAKES>;
    // A device has no Connection ID for others to use: nobody finds it but by its address, so it never moves.
    type Validations = FixedPool<Validation<P>, 0>;
    type Exchanges = FixedPool<Exchange<FixedBuffer<BUFFER>>, EXCHANGES>;
    type Paths = FixedIndex<P, SESSIONS>;
    type Timers = FixedTimers<TIMERS>;
    type Handled = FixedHandled<4>;
    // A device answers no requests, so there is nothing to keep.
    type Replies = FixedPool<FixedBuffer<BUFFER>, 0>;
    const CHECKED: () = assert!(TIMERS >= SESSIONS + EXCHANGES, "each session and each exchange has a timer");
}

/// At most `N` values.
pub struct FixedPool<T, const N: usize> {
    slots: [Option<T>; N],
    len: usize,
}

impl<T, const N: usize> Default for FixedPool<T, N> {
    fn default() -> Self {
        Self { slots: [const { None }; N], len: 0 }
    }
}

impl<T, const N: usize> Pool<T> for FixedPool<T, N> {
    fn insert(&mut self, value: T) -> Option<u32> {
        let (number, slot) = self.slots.iter_mut().enumerate().find(|(_, slot)| slot.is_none())?;
        *slot = Some(value);
        self.len += 1;
        Some(number as u32)
    }

    fn is_full(&self) -> bool {
        self.len == N
    }

    fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.slots.get_mut(slot as usize)?.take();
        self.len -= usize::from(value.is_some());
        value
    }

    fn len(&self) -> usize {
        self.len
    }

    fn slots(&self) -> u32 {
        N as u32
    }
}

/// At most `N` bytes.
pub struct FixedBuffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> FixedBuffer<N> {
    /// One with nothing in it.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };
}

impl<const N: usize> Default for FixedBuffer<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Buffer for FixedBuffer<N> {
    fn store_joined(&mut self, head: &[u8], rest: &[u8]) -> bool {
        let len = head.len() + rest.len();
        let Some((first, second)) =
            self.bytes.get_mut(..len).and_then(|room| room.split_at_mut_checked(head.len()))
        else {
            return false;
        };
        first.copy_from_slice(head);
        second.copy_from_slice(rest);
        self.len = len;
        true
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

/// At most `N` paths, searched one by one.
pub struct FixedIndex<P, const N: usize> {
    entries: [Option<(P, u32)>; N],
}

impl<P, const N: usize> Default for FixedIndex<P, N> {
    fn default() -> Self {
        Self { entries: [const { None }; N] }
    }
}

impl<P: Eq, const N: usize> PathIndex<P> for FixedIndex<P, N> {
    fn insert(&mut self, path: P, slot: u32) -> bool {
        self.remove(&path);
        match self.entries.iter_mut().find(|entry| entry.is_none()) {
            Some(entry) => {
                *entry = Some((path, slot));
                true
            }
            None => false,
        }
    }

    fn get(&self, path: &P) -> Option<u32> {
        self.entries.iter().flatten().find(|(known, _)| known == path).map(|(_, slot)| *slot)
    }

    fn remove(&mut self, path: &P) {
        for entry in &mut self.entries {
            if entry.as_ref().is_some_and(|(known, _)| known == path) {
                *entry = None;
            }
        }
    }
}

/// At most `N` timers, one per key.
pub struct FixedTimers<const N: usize> {
    entries: [Option<(Instant, TimerKey)>; N],
}

impl<const N: usize> Default for FixedTimers<N> {
    fn default() -> Self {
        Self { entries: [None; N] }
    }
}

impl<const N: usize> Timers for FixedTimers<N> {
    fn arm(&mut self, at: Instant, key: TimerKey) -> bool {
        let same = self.entries.iter().position(|entry| matches!(entry, Some((_, known)) if *known == key));
        let place = same.or_else(|| self.entries.iter().position(Option::is_none));
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => {
                *entry = Some((at, key));
                true
            }
            None => false,
        }
    }

    fn pop(&mut self, now: Instant) -> Option<TimerKey> {
        let due = self.entries.iter_mut().filter(|entry| matches!(entry, Some((at, _)) if *at <= now));
        let earliest = due.min_by_key(|entry| entry.map(|(at, _)| at))?;
        earliest.take().map(|(_, key)| key)
    }

    fn next(&self) -> Option<Instant> {
        self.entries.iter().flatten().map(|(at, _)| *at).min()
    }
}

/// Room for `N` messages already handled.
pub struct FixedHandled<const N: usize>([Handled; N]);

impl<const N: usize> Default for FixedHandled<N> {
    fn default() -> Self {
        Self([Handled::EMPTY; N])
    }
}

impl<const N: usize> AsMut<[Handled]> for FixedHandled<N> {
    fn as_mut(&mut self) -> &mut [Handled] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_takes_nothing_and_reuses_freed_slots() {
        let mut pool = FixedPool::<u8, 2>::default();
        assert_eq!(pool.insert(1), Some(0));
        assert_eq!(pool.insert(2), Some(1));
        assert!(pool.is_full());
        assert_eq!(pool.insert(3), None);
        assert_eq!(pool.remove(0), Some(1));
        assert_eq!(pool.remove(0), None);
        assert_eq!(pool.len(), 1);
        assert_eq!(pool.insert(4), Some(0));
    }

    #[test]
    fn timers_pop_in_order_and_arming_again_replaces() {
        let mut timers = FixedTimers::<2>::default();
        let at = Instant::from_micros;
        assert!(timers.arm(at(30), TimerKey::Exchange(0)));
        assert!(timers.arm(at(20), TimerKey::Session(0)));
        assert!(timers.arm(at(10), TimerKey::Exchange(0)), "the same key needs no new room");
        assert!(!timers.arm(at(5), TimerKey::Exchange(1)));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(25)), Some(TimerKey::Exchange(0)));
        assert_eq!(timers.pop(at(25)), Some(TimerKey::Session(0)));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_buffer_refuses_what_does_not_fit_and_keeps_what_it_had() {
        let mut buffer = FixedBuffer::<4>::default();
        assert!(buffer.store(b"abcd"));
        assert!(!buffer.store(b"abcde"));
        assert_eq!(buffer.bytes(), b"abcd");
    }
}
