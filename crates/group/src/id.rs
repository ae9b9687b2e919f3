//! Short byte strings that name groups of keys and members.

use core::fmt;

/// At most `N` bytes, kept where they are needed; aligned, so that a small processor copies and compares words.
#[repr(align(4))]
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

impl Gid {
    /// The Gid that is a number, in two bytes: how generations are counted here.
    pub fn from_number(number: u16) -> Self {
        Self::shortest(number.into(), 2)
    }
}

impl SenderId {
    /// The Sender ID that is a number, in as few bytes as it takes, at least one.
    pub fn from_number(number: u32) -> Self {
        Self::shortest(number, 1)
    }
}

impl<const N: usize> Id<N> {
    /// A number, big-endian in `least` bytes or as many more as it takes.
    fn shortest(number: u32, least: u8) -> Self {
        let significant = (32 - number.leading_zeros()).div_ceil(8) as u8;
        let len = significant.max(least);
        let mut bytes = [0; N];
        let digits = number.to_be_bytes();
        for (to, from) in bytes.iter_mut().take(len.into()).rev().zip(digits.iter().rev()) {
            *to = *from;
        }
        Self { bytes, len }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_few_bytes() {
        let bytes: [(u32, &[u8]); 5] =
            [(0, &[0]), (255, &[255]), (256, &[1, 0]), (0x01_0203, &[1, 2, 3]), (u32::MAX, &[255; 4])];
        for (number, bytes) in bytes {
            assert_eq!(SenderId::from_number(number).as_bytes(), bytes);
        }
        assert_eq!(Gid::from_number(7).as_bytes(), [0, 7]);
        assert_eq!((Gid::new(&[0; 8]).map(|id| id.as_bytes().len()), Gid::new(&[0; 9])), (Some(8), None));
    }
}
