//! What is kept, as CBOR. Field numbers are never reused, so that a newer broker reads an older store.

use std::sync::Arc;

use minicbor::{Decode, Encode};
use sedge_access::Grants;

use crate::key::Key;

/// Someone who may connect: a device, or an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Device {
    /// The name by which administrators call it; unique.
    #[n(0)]
    pub name: String,
    /// The PSK identity it presents in the handshake; unique. The name in UTF-8 unless told otherwise.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Its pre-shared key.
    #[n(2)]
    pub key: Key,
    /// What it may do on which topics, or that it is an administrator.
    #[n(3)]
    pub grants: Grants,
    /// When it was enrolled, in seconds since 1970.
    #[n(4)]
    pub created: u64,
}

/// A topic's configuration: the properties of draft-ietf-core-coap-pubsub and what only this broker knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Topic {
    /// `topic-name`: levels separated by `/`; unique.
    #[n(0)]
    pub name: String,
    /// The last path segment of its configuration resource, chosen by the broker; never reused.
    #[n(1)]
    pub id: String,
    /// `resource-type`.
    #[n(2)]
    pub resource_type: String,
    /// `topic-content-format`: the only Content-Format that may be published.
    #[n(3)]
    pub content_format: Option<u16>,
    /// `topic-type`.
    #[n(4)]
    pub topic_type: Option<String>,
    /// `expiration-date`, in seconds since 1970.
    #[n(5)]
    pub expiration: Option<u64>,
    /// `max-subscribers`.
    #[n(6)]
    pub max_subscribers: Option<u32>,
    /// `observer-check`, in seconds.
    #[n(7)]
    pub observer_check: Option<u32>,
    /// `initialize`: the value a topic is born with.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub initialize: Option<Vec<u8>>,
    /// Whether a publish waits for the disk; `None` follows the configuration.
    #[n(9)]
    pub durable: Option<bool>,
    /// When it was created, in seconds since 1970.
    #[n(10)]
    pub created: u64,
}

/// The newest value published to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Retained {
    /// Its Content-Format, if the publisher named one.
    #[n(0)]
    pub content_format: Option<u16>,
    /// The representation; often shared with the subscribers' queues.
    #[n(1)]
    #[cbor(with = "payload")]
    pub payload: Arc<[u8]>,
    /// Its place in the topic's sequence of values.
    #[n(2)]
    pub sequence: u64,
    /// When it was published, in milliseconds since 1970.
    #[n(3)]
    pub published: u64,
}

mod payload {
    use super::*;
    use minicbor::encode::{Error, Write};
    use minicbor::{Decoder, Encoder};

    pub(super) fn encode<C, W: Write>(
        payload: &Arc<[u8]>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Error<W::Error>> {
        e.bytes(payload)?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Arc<[u8]>, minicbor::decode::Error> {
        Ok(d.bytes()?.into())
    }
}

#[cfg(test)]
mod tests {
    use sedge_access::Permissions;

    use super::*;

    fn both_ways<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(value: &T) {
        let bytes = minicbor::to_vec(value).unwrap();
        assert_eq!(&minicbor::decode::<T>(&bytes).unwrap(), value);
    }

    #[test]
    fn every_record_reads_back() {
        both_ways(&Device {
            name: "t1".into(),
            identity: vec![0xff, 0],
            key: Key::random().unwrap(),
            grants: Grants::none().with("site/+/temp".parse().unwrap(), Permissions::PUBLISH),
            created: 1_800_000_000,
        });
        both_ways(&Topic {
            name: "site/7/temp".into(),
            id: "a1".into(),
            initialize: Some(vec![1, 2]),
            max_subscribers: Some(3),
            ..Topic::default()
        });
        both_ways(&Retained {
            content_format: Some(112),
            payload: b"21.5"[..].into(),
            sequence: 9,
            published: 1_800_000_000_123,
        });
    }
}
