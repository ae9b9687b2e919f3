//! Both Connection IDs of a session, in little memory.

use core::fmt;

use crate::cid::ConnectionId;

/// Both sides' Connection IDs, at most [`MAX_LEN`](Self::MAX_LEN) bytes together.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cids {
    /// Our own, then the peer's.
    bytes: [u8; Self::MAX_LEN],
    own: u8,
    peer: u8,
}

impl Cids {
    /// The longest identifier of a peer and eight bytes of ours.
    pub(crate) const MAX_LEN: usize = ConnectionId::MAX_LEN + 8;

    /// `None` if both together are too long.
    pub(crate) fn new(own: &[u8], peer: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..own.len())?.copy_from_slice(own);
        bytes.get_mut(own.len()..)?.get_mut(..peer.len())?.copy_from_slice(peer);
        Some(Self { bytes, own: u8::try_from(own.len()).ok()?, peer: u8::try_from(peer.len()).ok()? })
    }

    /// What the peer puts in its records.
    pub(crate) fn own(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.own)).unwrap_or_default()
    }

    /// What goes into records to the peer.
    pub(crate) fn peer(&self) -> &[u8] {
        let from = usize::from(self.own);
        self.bytes.get(from..from + usize::from(self.peer)).unwrap_or_default()
    }
}

impl fmt::Debug for Cids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [own, peer] = [self.own(), self.peer()].map(|cid| ConnectionId::new(cid).unwrap_or_default());
        f.debug_struct("Cids").field("own", &own).field("peer", &peer).finish()
    }
}
