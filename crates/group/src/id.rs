//! Short byte strings that name groups of keys and members.

use core::fmt;

/// At most `N` bytes, kept where they are needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// Names one generation of a group's key: the Gid, which messages carry as `kid`
/// ([draft-ietf-ace-coap-pubsub-profile, section 4.1.2](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-4.1.2)).
pub type Gid = Id<8>;

/// Names one publisher in a group: at most as long as the nonce of the cipher less six bytes, which is 7 with
/// AES-CCM-16-64-128 and 6 with the others.
pub type SenderId = Id<7>;

impl<const N: usize> Id<N> {
    /// The name that consists of these bytes; `None` if there are more than `N`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = Self { bytes: [0; N], len: u8::try_from(bytes.len()).ok()? };
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(id)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Id<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Id<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
