//! What a rule permits: a set of bits, as AIF scopes carry it.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};
use core::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// A set of permissions on topics, one bit each.
///
/// The bits are those of
/// [draft-ietf-ace-coap-pubsub-profile](https://datatracker.ietf.org/doc/draft-ietf-ace-pubsub-profile/), whose
/// scopes carry the set as an unsigned integer.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

/// What a caller wants to do with a topic: the verb of the question that a [`crate::Decision`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Create the topic, change its configuration, or remove it.
    Configure,
    /// Set the topic's value.
    Publish,
    /// Read the topic's value, once or by observing it.
    Read,
    /// Delete the topic's value.
    Delete,
}

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Create, configure and remove topics (bit 0).
    pub const ADMIN: Self = Self(1 << 0);
    /// The names are security groups, not topics (bit 1); it permits nothing on a topic by itself.
    pub const APP_GROUP: Self = Self(1 << 1);
    /// Publish (bit 2).
    pub const PUBLISH: Self = Self(1 << 2);
    /// Read and observe (bit 3).
    pub const READ: Self = Self(1 << 3);
    /// Delete the value (bit 4).
    pub const DELETE: Self = Self(1 << 4);
    /// Everything that can be permitted on a topic: what [`Verb`]s take.
    pub const ON_TOPICS: Self = Self(Self::ADMIN.0 | Self::PUBLISH.0 | Self::READ.0 | Self::DELETE.0);
    /// Every permission there is.
    pub const ALL: Self = Self((1 << 5) - 1);
    /// Every permission there is, one by one.
    pub(crate) const EACH: [Self; 5] =
        [Self::ADMIN, Self::APP_GROUP, Self::PUBLISH, Self::READ, Self::DELETE];

    const NAMES: [(&'static str, Self); 5] = [
        ("admin", Self::ADMIN),
        ("app-group", Self::APP_GROUP),
        ("publish", Self::PUBLISH),
        ("read", Self::READ),
        ("delete", Self::DELETE),
    ];

    /// The set whose bits are set in `bits`, or nothing if a bit has no meaning here.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits < 1 << 5 { Some(Self(bits as u8)) } else { None }
    }

    /// The set as the unsigned integer that scopes carry.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether everything in `others` is in this set.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether anything in `others` is in this set.
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Configure, Self::Publish, Self::Read, Self::Delete];

    /// The permission that it takes.
    pub const fn permission(self) -> Permissions {
        match self {
            Self::Configure => Permissions::ADMIN,
            Self::Publish => Permissions::PUBLISH,
            Self::Read => Permissions::READ,
            Self::Delete => Permissions::DELETE,
        }
    }

    /// Its name in commands and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for Verb {
    type Err = UnknownVerb;

    fn from_str(text: &str) -> Result<Self, UnknownVerb> {
        match text {
            // As the command line calls reading and observing.
            "subscribe" => Ok(Self::Read),
            _ => Self::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or(UnknownVerb),
        }
    }
}

/// A word that is no [`Verb`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVerb;

impl fmt::Display for UnknownVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such verb: it is one of configure, publish, read (or subscribe), delete")
    }
}

impl core::error::Error for UnknownVerb {}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Permissions {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// The names joined by `+`, or `none`.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut held = Self::NAMES.iter().filter(|(_, bit)| self.contains(*bit));
        match held.next() {
            None => f.write_str("none"),
            Some((first, _)) => {
                f.write_str(first)?;
                held.try_for_each(|(name, _)| write!(f, "+{name}"))
            }
        }
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As the unsigned integer of a scope.
impl<C> Encode<C> for Permissions {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Permissions {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::from_bits(d.u64()?).ok_or_else(|| decode::Error::message("unknown permission bit"))
    }
}
