//! The topic properties and their keys.

use core::fmt;

/// A topic property. Its key is its number in CBOR maps and arrays
/// ([draft-ietf-core-coap-pubsub-21 §4](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21#section-4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Property {
    /// What the topic is called: text, unchangeable.
    TopicName = 0,
    /// The URI of the topic's data: text, unchangeable.
    TopicData = 1,
    /// The resource type of the topic's data: text, unchangeable.
    ResourceType = 2,
    /// The one format that values may have: an unsigned integer.
    TopicContentFormat = 3,
    /// What the values are about: text.
    TopicType = 4,
    /// When the topic goes: an epoch-based date/time (tag 1), in seconds.
    ExpirationDate = 5,
    /// How many may subscribe at once: an unsigned integer.
    MaxSubscribers = 6,
    /// The longest time between two confirmable notifications: an unsigned integer above 0, in seconds.
    ObserverCheck = 7,
    /// The value that the topic is created with: a byte string.
    Initialize = 8,
}

impl Property {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 9] = [
        Self::TopicName,
        Self::TopicData,
        Self::ResourceType,
        Self::TopicContentFormat,
        Self::TopicType,
        Self::ExpirationDate,
        Self::MaxSubscribers,
        Self::ObserverCheck,
        Self::Initialize,
    ];

    /// The property with this key.
    pub fn from_key(key: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(key).ok()?).copied()
    }

    /// The key.
    pub const fn key(self) -> u8 {
        self as u8
    }

    /// The name that the draft gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopicName => "topic-name",
            Self::TopicData => "topic-data",
            Self::ResourceType => "resource-type",
            Self::TopicContentFormat => "topic-content-format",
            Self::TopicType => "topic-type",
            Self::ExpirationDate => "expiration-date",
            Self::MaxSubscribers => "max-subscribers",
            Self::ObserverCheck => "observer-check",
            Self::Initialize => "initialize",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_properties_agree() {
        for (key, property) in (0..).zip(Property::ALL) {
            assert_eq!(Property::from_key(key), Some(property));
            assert_eq!(u64::from(property.key()), key);
        }
        assert_eq!(Property::from_key(9), None);
        assert_eq!(Property::from_key(u64::MAX), None);
    }
}
