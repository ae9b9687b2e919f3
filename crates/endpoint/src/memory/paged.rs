//! Memory that grows in pages: for brokers, host clients and simulators.

use core::cmp::Reverse;
use core::marker::PhantomData;
use std::boxed::Box;
use std::collections::{BinaryHeap, HashMap, VecDeque};
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

/// A pool whose values have a piece of the heap each: for what is large and lives shortly, such as a handshake.
///
/// Some pieces are kept for the next values, so that a busy server does not ask the heap, which asks the system,
/// for each; what a burst took beyond that is given back.
pub struct BoxedPool<T> {
    taken: PagedPool<Box<Option<T>>>,
    /// Pieces with nothing in them.
    spare: Vec<Box<Option<T>>>,
    most_spare: usize,
}

impl<T> BoxedPool<T> {
    /// A pool of at most `limit` values.
    pub fn with_limit(limit: usize) -> Self {
        Self { taken: PagedPool::with_limit(limit), spare: Vec::new(), most_spare: limit.min(MOST_SPARE) }
    }

    fn keep(&mut self, piece: Box<Option<T>>) {
        if self.spare.len() < self.most_spare {
            self.spare.push(piece);
        }
    }
}

/// Enough for the handshakes of a busy server.
const MOST_SPARE: usize = 128;

impl<T> Pool<T> for BoxedPool<T> {
    fn insert(&mut self, value: T) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let mut piece = self.spare.pop().unwrap_or_default();
        *piece = Some(value);
        self.taken.insert(piece)
    }

    fn is_full(&self) -> bool {
        self.taken.is_full()
    }

    fn get(&self, slot: u32) -> Option<&T> {
        self.taken.get(slot)?.as_ref().as_ref()
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.taken.get_mut(slot)?.as_mut().as_mut()
    }

    fn remove(&mut self, slot: u32) -> Option<T> {
        let mut piece = self.taken.remove(slot)?;
        let value = piece.take();
        self.keep(piece);
        value
    }

    fn discard(&mut self, slot: u32) {
        if let Some(mut piece) = self.taken.remove(slot) {
            *piece = None;
            self.keep(piece);
        }
    }

    fn len(&self) -> usize {
        self.taken.len()
    }

    fn slots(&self) -> u32 {
        self.taken.slots()
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

/// A few queues and a binary heap; superseded entries stay until they are due.
///
/// Most timers are armed for the same while as the one before, so that they come in order already: such a row of them
/// needs no sorting. What fits no row goes into the heap.
#[derive(Default)]
pub struct HeapTimers {
    /// Each in order.
    rows: [VecDeque<Entry>; ROWS],
    heap: BinaryHeap<Reverse<Entry>>,
}

type Entry = (Instant, TimerKey);

/// As many as there are common durations: a handshake's, a message's, a session's.
const ROWS: usize = 3;
/// Memory is given back when a small part is left of what a burst made of it.
const SHRINK_ABOVE: usize = 4096;

impl HeapTimers {
    /// The row whose first entry is the earliest; `None` if that is the heap's.
    fn earliest(&self) -> (Option<usize>, Option<Instant>) {
        let rows = self.rows.iter().enumerate();
        let first = rows.filter_map(|(row, entries)| Some((entries.front()?.0, Some(row)))).min();
        match (first, self.heap.peek().map(|Reverse((at, _))| *at)) {
            (Some((at, row)), heap) if heap.is_none_or(|heap| at <= heap) => (row, Some(at)),
            (_, heap) => (None, heap),
        }
    }
}

impl Timers for HeapTimers {
    fn arm(&mut self, at: Instant, key: TimerKey) -> bool {
        // A row ends the later the further in front it stands, so the first one that fits is the one that fits best.
        let row = self.rows.iter_mut().find(|row| row.back().is_none_or(|(last, _)| *last <= at));
        match row {
            Some(row) => row.push_back((at, key)),
            None => self.heap.push(Reverse((at, key))),
        }
        true
    }

    fn pop(&mut self, now: Instant) -> Option<TimerKey> {
        let (row, at) = self.earliest();
        if at? > now {
            return None;
        }
        let Some(row) = row.and_then(|row| self.rows.get_mut(row)) else {
            let key = self.heap.pop().map(|Reverse((_, key))| key);
            if self.heap.capacity() > SHRINK_ABOVE && self.heap.len() < self.heap.capacity() / 8 {
                self.heap.shrink_to(self.heap.capacity() / 4);
            }
            return key;
        };
        let key = row.pop_front().map(|(_, key)| key);
        if row.capacity() > SHRINK_ABOVE && row.len() < row.capacity() / 8 {
            row.shrink_to(row.capacity() / 4);
        }
        key
    }

    fn next(&self) -> Option<Instant> {
        self.earliest().1
    }
}

#[cfg(test)]
mod tests {
    use sedge_time::Duration;

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
    fn a_boxed_pool_keeps_pieces_but_no_values() {
        let value = std::rc::Rc::new(());
        let mut pool = BoxedPool::with_limit(2 * MOST_SPARE);
        for _ in 0..2 {
            let slots: Vec<u32> = (0..2 * MOST_SPARE).map(|_| pool.insert(value.clone()).unwrap()).collect();
            assert_eq!(pool.insert(value.clone()), None);
            assert_eq!(std::rc::Rc::strong_count(&value), 2 * MOST_SPARE + 1);
            for slot in slots {
                if slot % 2 == 0 {
                    pool.discard(slot)
                } else {
                    drop(pool.remove(slot).unwrap())
                }
                assert_eq!(pool.get(slot), None);
            }
            assert_eq!((pool.len(), pool.spare.len()), (0, MOST_SPARE));
            assert_eq!(std::rc::Rc::strong_count(&value), 1, "what is discarded is dropped");
        }
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
    fn timers_in_any_order_come_in_theirs() {
        let mut timers = HeapTimers::default();
        let mut expected = Vec::new();
        for number in 0..10_000_u64 {
            // Four durations, one of them spread, so that both rows and the heap have their part.
            let after = [1_000, 30_000, 2_000, number * 7919 % 1_000][number as usize % 4];
            let at = Instant::from_micros(number + after);
            timers.arm(at, TimerKey::Exchange(number as u32));
            expected.push(at);
        }
        expected.sort_unstable();
        assert!(!timers.heap.is_empty() && timers.rows.iter().all(|row| !row.is_empty()));
        for at in expected {
            assert_eq!(timers.next(), Some(at));
            assert_eq!(timers.pop(at - Duration::from_micros(1)), None);
            assert!(timers.pop(at).is_some());
        }
        assert_eq!((timers.next(), timers.pop(Instant::DISTANT_FUTURE)), (None, None));
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
