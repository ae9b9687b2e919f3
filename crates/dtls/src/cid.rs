//! Connection identifiers (RFC 9146).

use core::fmt;

/// A connection identifier: up to [`MAX_LEN`](Self::MAX_LEN) bytes that name a connection in every protected
/// record sent to whoever chose it ([RFC 9146 section 3](https://www.rfc-editor.org/rfc/rfc9146#section-3)).
///
/// The empty identifier means that records in that direction carry none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ConnectionId {
    /// The longest identifier in bytes. The RFC allows 255; peers in the field use at most 20.
    pub const MAX_LEN: usize = 20;

    /// No bytes.
    pub const EMPTY: Self = Self { bytes: [0; Self::MAX_LEN], len: 0 };

    /// The identifier made of these bytes, or `None` if there are more than [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(cid: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..cid.len())?.copy_from_slice(cid);
        Some(Self { bytes, len: u8::try_from(cid.len()).ok()? })
    }

    /// The identifier's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// How many bytes it has.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for ConnectionId {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
