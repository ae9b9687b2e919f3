//! Memory that grows in pages: for brokers, host clients and simulators.

use core::cmp::Reverse;
use core::marker::PhantomData;
use std::boxed::Box;
use std::collections::{BinaryHeap, HashMap};
use std::vec;
use std::vec::Vec;

use rand_core::CryptoRng;
use sedge_dtls::Profile;
use sedge_time::Instant;

use super::{Buffer, Memory, Path, PathIndex, Pool, TimerKey, Timers};
use crate::duplicates::Handled;
use crate::endpoint::Parts;
use crate::exchange::Exchange;
use crate::handshake::Handshake;
use crate::path_validation::Validation;
use crate::session::Peer;

/// Memory that grows with use, up to the limits given in [`Config`](crate::Config).
pub struct PagedMemory<P, D, R>(PhantomData<(P, D, R)>);

impl<P: Path, D: Profile, R: CryptoRng> Memory for PagedMemory<P, D, R> {
    type Path = P;
    type Dtls = D;
    type Rng = R;
    type Buffer = GrowingBuffer;
    type Sessions = PagedPool<Peer<P>>;
    type Handshakes = BoxedPool<Handshake<D>>;
    type Validations = PagedPool<Validation<P>>;
    type Exchanges = PagedPool<Exchange<GrowingBuffer>>;
    type Paths = HashIndex<P>;
    type Timers = HeapTimers;
    type Handled = Vec<Handled>;
    type Replies = PagedPool<GrowingBuffer>;
}

impl<P: Path, D: Profile, R: CryptoRng> PagedMemory<P, D, R> {
    /// Empty memory that will hold at most `sessions` peers, of which `handshakes` may be in their handshake
    /// at once, and remember `handled` messages (32 bytes each, taken at once).
    pub fn parts(sessions: usize, handshakes: usize, handled: usize) -> Parts<Self> {
        Parts {
            sessions: PagedPool::with_limit(sessions),
            handshakes: BoxedPool::with_limit(handshakes),
            // All that have a session may move at once, when a router restarts.
            validations: PagedPool::with_limit(sessions),
            // A few exchanges per peer; one notification each in the common case.
            exchanges: PagedPool::with_limit(sessions.saturating_mul(4)),
            paths: HashIndex::default(),
            timers: HeapTimers::default(),
            handled: vec![Handled::EMPTY; handled],
            replies: PagedPool::with_limit(handled),
        }
    }
}

/// Slots per page: small enough that an idle endpoint stays small, large enough that a page is rarely made.
const PAGE: usize = 64;

/// A pool that adds a page when it is full and never moves a value.
pub struct PagedPool<T> {
    pages: Vec<Box<[Slot<T>]>>,
    free: u32,
    len: usize,
    limit: usize,
}

enum Slot<T> {
    /// The number of the next free slot, or `NONE`.
    Free(u32),
    Used(T),
}

const NONE: u32 = u32::MAX;

impl<T> PagedPool<T> {
    /// A pool of at most `limit` values.
    pub fn with_limit(limit: usize) -> Self {
        Self { pages: Vec::new(), free: NONE, len: 0, limit: limit.min(NONE as usize - PAGE) }
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.pages.get_mut(slot as usize / PAGE)?.get_mut(slot as usize % PAGE)
    }

    fn add_page(&mut self) {
        let base = (self.pages.len() * PAGE) as u32;
        let link = |i: u32| Slot::Free(if i + 1 == PAGE as u32 { NONE } else { base + i + 1 });
        self.pages.push((0..PAGE as u32).map(link).collect());
        self.free = base;
    }
}

impl<T> Pool<T> for PagedPool<T> {
    fn insert(&mut self, value: T) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        if self.free == NONE {
            self.add_page();
        }
        let number = self.free;
        let slot = self.slot_mut(number)?;
        let Slot::Free(next) = *slot else { return None };
        *slot = Slot::Used(value);
        self.free = next;
        self.len += 1;
        Some(number)
    }

    fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    fn get(&self, slot: u32) -> Option<&T> {
        match self.pages.get(slot as usize / PAGE)?.get(slot as usize % PAGE)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        match self.slot_mut(slot)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    fn remove(&mut self, slot: u32) -> Option<T> {
        let next = self.free;
        let place = self.slot_mut(slot)?;
        if matches!(place, Slot::Free(_)) {
            return None;
        }
        let Slot::Used(value) = core::mem::replace(place, Slot::Free(next)) else { return None };
        self.free = slot;
        self.len -= 1;
        Some(value)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn slots(&self) -> u32 {
        (self.pages.len() * PAGE) as u32
    }
}

/// A pool whose values have a piece of the heap each, for as long as they are there: for what is large and lives
/// shortly, such as a handshake with room for certificate chains.
pub struct BoxedPool<T>(PagedPool<Box<T>>);

impl<T> BoxedPool<T> {
    /// A pool of at most `limit` values.
    pub fn with_limit(limit: usize) -> Self {
        Self(PagedPool::with_limit(limit))
    }
}

impl<T> Pool<T> for BoxedPool<T> {
    fn insert(&mut self, value: T) -> Option<u32> {
        if self.is_full() { None } else { self.0.insert(Box::new(value)) }
    }

    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn get(&self, slot: u32) -> Option<&T> {
        self.0.get(slot).map(Box::as_ref)
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.0.get_mut(slot).map(Box::as_mut)
    }

    fn remove(&mut self, slot: u32) -> Option<T> {
        self.0.remove(slot).map(|value| *value)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn slots(&self) -> u32 {
        self.0.slots()
    }
}

/// A heap buffer of just the size needed; short content (most acknowledgements) needs no heap at all.
#[derive(Default)]
pub enum GrowingBuffer {
    /// Nothing stored.
    #[default]
    Empty,
    /// Up to 14 bytes in place.
    Short(u8, [u8; 14]),
    /// More.
    Long(Box<[u8]>),
}

impl Buffer for GrowingBuffer {
    fn store_joined(&mut self, head: &[u8], rest: &[u8]) -> bool {
        let mut short = [0; 14];
        let len = head.len() + rest.len();
        *self = match short.get_mut(..len).and_then(|room| room.split_at_mut_checked(head.len())) {
            Some((first, second)) => {
                first.copy_from_slice(head);
                second.copy_from_slice(rest);
                Self::Short(len as u8, short)
            }
            None => Self::Long([head, rest].concat().into()),
        };
        true
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Empty => &mut [],
            Self::Short(len, bytes) => bytes.get_mut(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    fn clear(&mut self) {
        *self = Self::Empty;
    }
}

/// A hash map with a random seed of its own, so that nobody outside can aim for collisions.
pub struct HashIndex<P>(HashMap<P, u32>);

impl<P> Default for HashIndex<P> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<P: Path> PathIndex<P> for HashIndex<P> {
    fn insert(&mut self, path: P, slot: u32) -> bool {
        self.0.insert(path, slot);
        true
    }

    fn get(&self, path: &P) -> Option<u32> {
        self.0.get(path).copied()
    }

    fn remove(&mut self, path: &P) {
        self.0.remove(path);
    }
}

/// A binary heap; superseded entries stay until they are due.
#[derive(Default)]
pub struct HeapTimers(BinaryHeap<Reverse<(Instant, TimerKey)>>);

/// The heap gives memory back when it has shrunk to a small part of what a burst made it.
const SHRINK_ABOVE: usize = 4096;

impl Timers for HeapTimers {
    fn arm(&mut self, at: Instant, key: TimerKey) -> bool {
        self.0.push(Reverse((at, key)));
        true
    }

    fn pop(&mut self, now: Instant) -> Option<TimerKey> {
        if self.0.peek()?.0.0 > now {
            return None;
        }
        let key = self.0.pop().map(|Reverse((_, key))| key);
        if self.0.capacity() > SHRINK_ABOVE && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(self.0.capacity() / 4);
        }
        key
    }

    fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paged_pool_keeps_slots_put_and_reuses_them() {
        let mut pool = PagedPool::with_limit(200);
        let slots: Vec<u32> = (0..200).map(|i| pool.insert(i).unwrap()).collect();
        assert_eq!(pool.insert(200), None);
        assert_eq!(pool.remove(slots[70]), Some(70));
        assert_eq!(pool.get(slots[70]), None);
        assert_eq!(pool.remove(slots[70]), None, "a slot is freed once");
        assert_eq!(pool.insert(999), Some(slots[70]));
        assert_eq!(pool.get(slots[199]), Some(&199));
        assert_eq!(pool.len(), 200);
    }

    #[test]
    fn timers_come_in_order() {
        let mut timers = HeapTimers::default();
        let at = Instant::from_micros;
        timers.arm(at(20), TimerKey::Exchange(2));
        timers.arm(at(10), TimerKey::Exchange(1));
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(30)), Some(TimerKey::Exchange(1)));
        assert_eq!(timers.next(), Some(at(20)));
    }

    #[test]
    fn short_buffers_need_no_heap() {
        assert!(size_of::<GrowingBuffer>() <= 24);
        let mut buffer = GrowingBuffer::default();
        buffer.store(&[7; 14]);
        assert!(matches!(buffer, GrowingBuffer::Short(14, _)));
        buffer.store(&[7; 15]);
        assert_eq!(buffer.bytes(), [7; 15]);
    }
}
