//! Where the fragments of a packet that passes through go
//! ([RFC 8930 section 5](https://www.rfc-editor.org/rfc/rfc8930#section-5)).

use sedge_time::{Duration, Instant};

use super::fragment::Fragment;
use crate::network::NodeId;

/// The packets whose fragments a router sends on.
#[derive(Debug)]
pub(crate) struct VirtualBuffers {
    entries: Vec<Entry>,
    most: usize,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    from: NodeId,
    tag: u16,
    next: NodeId,
    next_tag: u16,
    missing: usize,
    expires: Instant,
}

impl VirtualBuffers {
    pub(crate) fn new(most: usize, timeout: Duration) -> Self {
        Self { entries: Vec::new(), most, timeout }
    }

    /// Remembers where a packet goes whose first fragment holds this much of it; `false` if there is no room.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        from: NodeId,
        first: Fragment,
        held: usize,
        next: NodeId,
        next_tag: u16,
    ) -> bool {
        self.entries.retain(|entry| entry.expires > now && (entry.from, entry.tag) != (from, first.tag));
        if self.entries.len() >= self.most {
            return false;
        }
        let missing = usize::from(first.size).saturating_sub(held);
        let expires = now + self.timeout;
        self.entries.push(Entry { from, tag: first.tag, next, next_tag, missing, expires });
        true
    }

    /// Where a later fragment goes, and under which tag. With the last byte the packet is forgotten.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        from: NodeId,
        fragment: Fragment,
        held: usize,
    ) -> Option<(NodeId, u16)> {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.from == from && entry.tag == fragment.tag && entry.expires > now)?;
        let entry = &mut self.entries[place];
        entry.missing = entry.missing.saturating_sub(held);
        let to = (entry.next, entry.next_tag);
        if entry.missing == 0 {
            self.entries.swap_remove(place);
        }
        Some(to)
    }

    /// Forgets a packet that cannot go on.
    pub(crate) fn close(&mut self, next: NodeId, next_tag: u16) {
        self.entries.retain(|entry| (entry.next, entry.next_tag) != (next, next_tag));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
