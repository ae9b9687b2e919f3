//! The recent values of a topic, numbered without gaps.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::Value;

/// The newest value of a topic and some before it, in order; their sequence numbers have no gaps.
///
/// The newest stands apart, so that a ring of one value allocates nothing: there may be many of those.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    newest: Option<Arc<Value>>,
    older: VecDeque<Arc<Value>>,
    /// Of all payloads.
    bytes: usize,
}

/// How much a ring keeps, the newest value included; that one is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
}

impl Ring {
    pub(crate) fn newest(&self) -> Option<&Arc<Value>> {
        self.newest.as_ref()
    }

    /// The value with this sequence number, if it is still there.
    pub(crate) fn get(&self, sequence: u64) -> Option<&Arc<Value>> {
        let newest = self.newest()?;
        let age = usize::try_from(newest.sequence.checked_sub(sequence)?).ok()?;
        match self.older.len().checked_sub(age)? {
            index if age > 0 => self.older.get(index),
            _ => Some(newest),
        }
    }

    /// Those of the values that came after `sequence`, oldest first.
    pub(crate) fn after(&self, sequence: u64) -> impl Iterator<Item = &Arc<Value>> {
        self.older.iter().chain(&self.newest).skip_while(move |value| value.sequence <= sequence)
    }

    /// Adds the value that follows the newest one, and lets go of what is beyond the depth.
    ///
    /// A value that does not follow the newest one starts the ring anew.
    pub(crate) fn push(&mut self, value: Arc<Value>, depth: Depth) {
        if self.newest().is_some_and(|newest| newest.sequence + 1 != value.sequence) {
            self.clear();
        }
        self.bytes += value.payload.len();
        self.older.extend(self.newest.replace(value));
        while self.older.len() >= depth.values.max(1) || self.bytes > depth.bytes {
            let Some(oldest) = self.older.pop_front() else { break };
            self.bytes -= oldest.payload.len();
        }
    }

    /// Lets go of all values but the newest, and of their memory.
    pub(crate) fn forget_older(&mut self) {
        if self.older.capacity() > 0 {
            self.older = VecDeque::new();
            self.bytes = self.newest().map_or(0, |newest| newest.payload.len());
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::{Publication, UnixTime};

    fn value(sequence: u64, len: usize) -> Arc<Value> {
        let payload = vec![0; len];
        let publication = Publication { payload: &payload, ..Publication::default() };
        Arc::new(Value::new(publication, sequence, UnixTime(0)))
    }

    fn sequences(ring: &Ring, after: u64) -> Vec<u64> {
        ring.after(after).map(|value| value.sequence).collect()
    }

    #[test]
    fn keeps_the_newest_values() {
        let mut ring = Ring::default();
        let depth = Depth { values: 3, bytes: 100 };
        assert_eq!(sequences(&ring, 0), []);
        for sequence in 5..10 {
            ring.push(value(sequence, 1), depth);
        }
        assert_eq!(sequences(&ring, 0), [7, 8, 9]);
        assert_eq!(sequences(&ring, 7), [8, 9]);
        assert_eq!(sequences(&ring, 9), []);
        assert_eq!(sequences(&ring, 20), []);
        assert_eq!(ring.get(6), None);
        assert_eq!(ring.get(8).unwrap().sequence, 8);
        assert_eq!(ring.get(10), None);
    }

    #[test]
    fn keeps_no_more_bytes_than_it_may_but_always_the_newest() {
        let mut ring = Ring::default();
        let depth = Depth { values: 16, bytes: 100 };
        ring.push(value(1, 60), depth);
        ring.push(value(2, 40), depth);
        assert_eq!(sequences(&ring, 0), [1, 2]);
        ring.push(value(3, 1), depth);
        assert_eq!(sequences(&ring, 0), [2, 3]);
        ring.push(value(4, 500), depth);
        assert_eq!(sequences(&ring, 0), [4]);
        ring.push(value(5, 1), depth);
        assert_eq!(sequences(&ring, 0), [5]);
    }

    #[test]
    fn a_ring_of_one_value_needs_no_memory_of_its_own() {
        let mut ring = Ring::default();
        for sequence in 1..5 {
            ring.push(value(sequence, 7), Depth { values: 1, bytes: 100 });
        }
        assert_eq!((sequences(&ring, 0), ring.bytes), (vec![4], 7));
        ring.push(value(5, 8), Depth { values: 3, bytes: 100 });
        assert_eq!((sequences(&ring, 0), ring.bytes), (vec![4, 5], 15));
        ring.forget_older();
        assert_eq!((sequences(&ring, 0), ring.bytes, ring.older.capacity()), (vec![5], 8, 0));
        assert_eq!((ring.get(4), ring.get(5).unwrap().sequence), (None, 5));
    }

    #[test]
    fn a_gap_starts_it_anew() {
        let mut ring = Ring::default();
        let depth = Depth { values: 16, bytes: 100 };
        ring.push(value(1, 1), depth);
        ring.push(value(3, 1), depth);
        assert_eq!(sequences(&ring, 0), [3]);
    }
}
