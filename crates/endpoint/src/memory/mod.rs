//! Where an endpoint keeps its state: the caller's memory, behind small traits.
//!
//! Two ready-made sets: [`FixedMemory`] lives in arrays whose sizes are part of its type, for firmware;
//! [`PagedMemory`] (feature `std`) grows in pages, for brokers, host clients and simulators. Neither ever
//! fails except by being full, which every caller handles.

mod fixed;
#[cfg(any(test, feature = "std"))]
mod hosted;
#[cfg(any(test, feature = "std"))]
mod paged;

use core::fmt::Debug;
use core::hash::Hash;

use rand_core::CryptoRng;
use sedge_dtls::Profile;
use sedge_time::Instant;

use crate::duplicates::Handled;
use crate::exchange::Exchange;
use crate::handshake::Handshake;
use crate::path_validation::Validation;
use crate::session::Peer;

pub use fixed::{FixedBuffer, FixedHandled, FixedIndex, FixedMemory, FixedPool, FixedTimers};
#[cfg(any(test, feature = "std"))]
pub use hosted::{HeapBuffer, Hosted};
#[cfg(any(test, feature = "std"))]
pub use paged::{BoxedPool, GrowingBuffer, HashIndex, HeapTimers, PagedMemory, PagedPool};

/// Where datagrams come from and go to; opaque to the endpoint except for equality.
///
/// On a host this is a socket address, perhaps with the socket it belongs to; on a device, whatever its
/// network stack uses.
pub trait Path: Copy + Eq + Hash + Debug {
    /// Writes the address bytes that bind a stateless cookie to this path; returns how many were written.
    ///
    /// Two paths that differ must write different bytes.
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize;
}

/// All memory and platform services of one endpoint, bundled as types.
pub trait Memory {
    /// A network path to a peer.
    type Path: Path;
    /// What of DTLS the endpoint speaks, and with which provider of cryptography.
    type Dtls: Profile;
    /// The source of randomness.
    type Rng: CryptoRng;
    /// Bytes of one stored message: an outgoing request, or the answer to a request that may be repeated.
    type Buffer: Buffer;
    /// One entry per peer.
    type Sessions: Pool<Peer<Self::Path>>;
    /// Handshakes under way.
    type Handshakes: Pool<Handshake<Self::Dtls>>;
    /// Sessions that seem to have moved, whose new path is not proven yet.
    type Validations: Pool<Validation<Self::Path>>;
    /// Messages that await something.
    type Exchanges: Pool<Exchange<Self::Buffer>>;
    /// Finds the session of a path.
    type Paths: PathIndex<Self::Path>;
    /// What wakes up when.
    type Timers: Timers;
    /// Messages already handled, for recognising their repetitions.
    type Handled: AsMut<[Handled]>;
    /// What some of them were answered with.
    type Replies: Pool<Self::Buffer>;
    /// Fails to compile if the sizes do not go together.
    const CHECKED: () = ();
}

/// The provider of cryptography of the endpoints with this memory.
pub type CryptoOf<M> = <<M as Memory>::Dtls as Profile>::Crypto;

/// Slots of `T`, addressed by small dense numbers that stay put.
pub trait Pool<T> {
    /// Stores `value` in a free slot and returns its number; drops it and returns `None` if the pool is full.
    fn insert(&mut self, value: T) -> Option<u32>;
    /// Whether there is no free slot.
    fn is_full(&self) -> bool;
    /// The value in `slot`.
    fn get(&self, slot: u32) -> Option<&T>;
    /// The value in `slot`, for changing it.
    fn get_mut(&mut self, slot: u32) -> Option<&mut T>;
    /// Takes the value out of `slot` and frees it.
    fn remove(&mut self, slot: u32) -> Option<T>;
    /// Drops the value in `slot` where it is and frees the slot.
    fn discard(&mut self, slot: u32) {
        drop(self.remove(slot));
    }
    /// How many slots are taken.
    fn len(&self) -> usize;
    /// Whether no slot is taken.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One more than the highest slot number in use so far: the bound for walking all slots.
    fn slots(&self) -> u32;
}

/// Bytes of one message.
pub trait Buffer: Default {
    /// Replaces the content by `head` and `rest`, one after the other; `false` (and no change) if they do not
    /// fit.
    fn store_joined(&mut self, head: &[u8], rest: &[u8]) -> bool;
    /// Replaces the content; `false` (and no change) if `bytes` do not fit.
    fn store(&mut self, bytes: &[u8]) -> bool {
        self.store_joined(bytes, &[])
    }
    /// The content.
    fn bytes(&self) -> &[u8];
    /// The content, for patching a field in place.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Gives the memory back where that means something.
    fn clear(&mut self);
}

/// Finds a session by its path.
pub trait PathIndex<P> {
    /// Points `path` at `slot`; `false` if there is no room.
    fn insert(&mut self, path: P, slot: u32) -> bool;
    /// The slot that `path` points at.
    fn get(&self, path: &P) -> Option<u32>;
    /// Forgets `path`.
    fn remove(&mut self, path: &P);
}

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// An exchange, by its slot.
    Exchange(u32),
    /// A session, by its slot: its handshake, or later the proof of its path and what it has to send again.
    Session(u32),
}

/// A set of instants, each with its owner.
///
/// An implementation may keep superseded entries and hand them out: whoever pops a timer compares it with
/// the owner's own deadline. So arming is all there is; nothing is ever cancelled.
pub trait Timers {
    /// Wakes `key` at `at`; `false` if there is no room, which cannot happen when there are as many timers
    /// as exchanges and sessions together.
    fn arm(&mut self, at: Instant, key: TimerKey) -> bool;
    /// The earliest entry that is due at `now`.
    fn pop(&mut self, now: Instant) -> Option<TimerKey>;
    /// The earliest instant at which [`Timers::pop`] can return something.
    fn next(&self) -> Option<Instant>;
}
