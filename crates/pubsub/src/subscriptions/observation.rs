//! The record of one observation, and the slab that all of a shard's are in.

use alloc::vec::Vec;

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Token};

/// The end of a list of slots.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// One observation of one shard; never reused, so an old name never reaches a new observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl ObservationId {
    /// The name as one number.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The name that [`to_u64`](Self::to_u64) made the number from.
    pub const fn from_u64(number: u64) -> Self {
        Self { slot: number as u32, generation: (number >> 32) as u32 }
    }
}

/// What a shard keeps for one observation. There may be a million of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) session: u64,
    /// The sequence number of the value that was handed out last.
    pub(crate) cursor: u64,
    /// When the last confirmable notification was, in seconds since the host's epoch.
    pub(crate) confirmed_at: u32,
    /// Which feed it is a member of, and its place there.
    pub(crate) feed: u32,
    pub(crate) position: u32,
    /// The next observation of the same session, or the next free slot.
    pub(crate) next: u32,
    generation: u32,
    pub(crate) token: Token,
    flags: u8,
    /// Non-confirmable notifications since the last confirmable one.
    pub(crate) unconfirmed: u8,
    /// The code to end it with; 0.00 as long as it is to go on.
    pub(crate) end: Code,
}

const _: () = assert!(size_of::<Observation>() <= 48);

/// The slot is in use.
const LIVE: u8 = 1;
/// A confirmable notification awaits its acknowledgement.
const IN_FLIGHT: u8 = 1 << 1;
/// The subscriber is to fetch the other blocks of the value that was handed out.
const FETCHING: u8 = 1 << 2;
/// The end has been handed out.
const TOLD: u8 = 1 << 3;
/// Where the size exponent of its blocks is.
const SZX_SHIFT: u8 = 4;

impl Observation {
    const FREE: Self = Self {
        session: 0,
        cursor: 0,
        confirmed_at: 0,
        feed: 0,
        position: 0,
        next: NO_SLOT,
        generation: 0,
        token: Token::EMPTY,
        flags: 0,
        unconfirmed: 0,
        end: Code::EMPTY,
    };

    pub(crate) fn new(session: u64, token: Token, feed: u32, cursor: u64, now: u32) -> Self {
        Self { session, token, feed, cursor, confirmed_at: now, flags: LIVE, ..Self::FREE }
    }

    pub(crate) const fn is_in_flight(&self) -> bool {
        self.flags & IN_FLIGHT != 0
    }

    pub(crate) const fn is_fetching(&self) -> bool {
        self.flags & FETCHING != 0
    }

    pub(crate) const fn is_ending(&self) -> bool {
        self.end.0 != Code::EMPTY.0
    }

    pub(crate) const fn is_told(&self) -> bool {
        self.flags & TOLD != 0
    }

    pub(crate) const fn set_in_flight(&mut self, yes: bool) {
        self.set(IN_FLIGHT, yes);
    }

    pub(crate) const fn set_fetching(&mut self, yes: bool) {
        self.set(FETCHING, yes);
    }

    pub(crate) const fn set_told(&mut self) {
        self.set(TOLD, true);
    }

    pub(crate) fn block(&self) -> BlockSize {
        BlockSize::from_szx(self.flags >> SZX_SHIFT).unwrap_or(BlockSize::MAX)
    }

    pub(crate) const fn set_block(&mut self, size: BlockSize) {
        self.flags = self.flags & ((1 << SZX_SHIFT) - 1) | size.szx() << SZX_SHIFT;
    }

    const fn set(&mut self, flag: u8, yes: bool) {
        self.flags = if yes { self.flags | flag } else { self.flags & !flag };
    }

    const fn is_live(&self) -> bool {
        self.flags & LIVE != 0
    }
}

/// All observations of a shard.
#[derive(Debug)]
pub(crate) struct Observations {
    slots: Vec<Observation>,
    free: u32,
    live: usize,
}

impl Default for Observations {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NO_SLOT, live: 0 }
    }
}

impl Observations {
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// The slots there are, live or not.
    pub(crate) fn slots(&self) -> core::ops::Range<u32> {
        0..self.slots.len() as u32
    }

    pub(crate) fn insert(&mut self, observation: Observation) -> u32 {
        self.live += 1;
        let slot = self.free;
        if let Some(place) = self.slots.get_mut(slot as usize) {
            self.free = place.next;
            *place = Observation { generation: place.generation, ..observation };
            return slot;
        }
        self.slots.push(observation);
        (self.slots.len() - 1) as u32
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let free = self.free;
        if let Some(place) = self.at_mut(slot) {
            *place =
                Observation { generation: place.generation.wrapping_add(1), next: free, ..Observation::FREE };
            self.free = slot;
            self.live -= 1;
        }
    }

    pub(crate) fn at(&self, slot: u32) -> Option<&Observation> {
        self.slots.get(slot as usize).filter(|observation| observation.is_live())
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut Observation> {
        self.slots.get_mut(slot as usize).filter(|observation| observation.is_live())
    }

    /// The slot of this observation, unless it is gone.
    pub(crate) fn find(&self, id: ObservationId) -> Option<u32> {
        self.at(id.slot).filter(|observation| observation.generation == id.generation).map(|_| id.slot)
    }

    pub(crate) fn id(&self, slot: u32) -> ObservationId {
        let generation = self.slots.get(slot as usize).map_or(0, |observation| observation.generation);
        ObservationId { slot, generation }
    }
}
