//! Putting packets together again.

use sedge_time::{Duration, Instant};

use super::fragment::Fragment;
use crate::network::{NodeId, PacketId};

/// The packets that a node is putting together.
#[derive(Debug)]
pub(crate) struct Reassembly {
    slots: Vec<Slot>,
    most: usize,
    timeout: Duration,
}

#[derive(Debug)]
struct Slot {
    from: NodeId,
    tag: u16,
    packet: Vec<u8>,
    /// Which eights of it are here.
    present: Vec<bool>,
    id: Option<PacketId>,
    expires: Instant,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Others are missing.
    Kept,
    /// It was the last.
    Whole(Vec<u8>),
    /// There is no room for another packet.
    Full,
    /// It contradicts its size.
    Malformed,
}

impl Reassembly {
    pub(crate) fn new(most: usize, timeout: Duration) -> Self {
        Self { slots: Vec::new(), most, timeout }
    }

    /// Takes a fragment, with its headers as they were before compression.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        from: NodeId,
        fragment: Fragment,
        bytes: &[u8],
        id: Option<PacketId>,
    ) -> Taken {
        let size = usize::from(fragment.size);
        let offset = usize::from(fragment.offset);
        let end = offset + bytes.len();
        // All but the last end on an eighth byte.
        if bytes.is_empty() || end > size || (end < size && !end.is_multiple_of(8)) {
            return Taken::Malformed;
        }
        let known = self
            .slots
            .iter()
            .position(|slot| slot.from == from && slot.tag == fragment.tag && slot.packet.len() == size);
        let place = match known {
            Some(place) => place,
            None if self.slots.len() < self.most => {
                self.slots.push(Slot {
                    from,
                    tag: fragment.tag,
                    packet: vec![0; size],
                    present: vec![false; size.div_ceil(8)],
                    id,
                    expires: now + self.timeout,
                });
                self.slots.len() - 1
            }
            None => return Taken::Full,
        };
        let slot = &mut self.slots[place];
        slot.packet[offset..end].copy_from_slice(bytes);
        slot.present[offset / 8..end.div_ceil(8)].fill(true);
        if slot.present.iter().all(|&present| present) {
            return Taken::Whole(self.slots.swap_remove(place).packet);
        }
        Taken::Kept
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().map(|slot| slot.expires).min()
    }

    /// Gives up what has waited too long.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Option<PacketId>> {
        let mut gone = Vec::new();
        self.slots.retain(|slot| {
            let stays = slot.expires > now;
            if !stays {
                gone.push(slot.id);
            }
            stays
        });
        gone
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }
}
