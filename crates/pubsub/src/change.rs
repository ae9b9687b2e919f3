//! What a change to the topics means for the shards and for the store.

use alloc::sync::Arc;
use alloc::vec::Vec;

use minicbor::{Decoder, Encoder, decode, encode};

use crate::configuration::{self, Configuration, Identity};
use crate::{Parameters, TopicName, UnixTime, Value};

/// One topic in one broker's life; never used again after the topic is removed, even if another one gets its
/// name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// A topic has changed. Every shard is to hear of it
/// ([`Subscriptions::sync`](crate::Subscriptions::sync)), and the store to keep it.
#[derive(Clone, Debug)]
#[must_use = "subscribers and the store are to hear of it"]
pub struct Change {
    /// Which topic.
    pub topic: TopicId,
    /// What to keep of it.
    pub persist: Persist,
    /// Whether the client is to be answered only when the store holds it.
    pub durable: bool,
}

/// What the store is to hold of a topic, to be written in one transaction. The topic's name is the key.
#[derive(Clone, Debug)]
pub struct Persist {
    /// The topic's name.
    pub name: TopicName,
    /// The topic's record.
    pub topic: Stored<TopicRecord>,
    /// The topic's newest value.
    pub value: Stored<Arc<Value>>,
}

/// What becomes of one item in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// It stays as it is.
    Keep,
    /// It is replaced by this.
    Put(T),
    /// It goes.
    Remove,
}

/// Everything about a topic that outlives a restart, save its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The properties that it keeps for life.
    pub identity: Identity,
    /// The properties that can change.
    pub configuration: Configuration,
    /// What the broker's administrator set.
    pub options: TopicOptions,
    /// The number in the path of its configuration resource.
    pub number: u32,
    /// The last sequence number that its data have used.
    pub sequence: u64,
}

/// What is not the draft's but this broker's: only its administrator sets it, no request can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicOptions {
    /// Whether a publication is acknowledged only when the store holds it; else as [`crate::Settings`] says.
    pub durable: Option<bool>,
    /// How many recent values to keep for subscribers that are behind; else as [`crate::Settings`] says.
    pub history: Option<u16>,
}

impl TopicRecord {
    /// The record as the store keeps it: `[properties as an encoded CBOR map, number, sequence, durable or
    /// null, history or null]`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let properties = configuration::representation(&self.identity, &self.configuration, |_| true);
        let mut e = Encoder::new(Vec::new());
        // Writing to memory does not fail.
        let _ = self.write(&mut e, &properties);
        e.into_writer()
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
        properties: &[u8],
    ) -> Result<(), encode::Error<core::convert::Infallible>> {
        e.array(5)?.bytes(properties)?.u32(self.number)?.u64(self.sequence)?;
        e.encode(self.options.durable)?.encode(self.options.history)?.ok()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, decode::Error> {
        let mut d = Decoder::new(bytes);
        if d.array()? != Some(5) {
            return Err(decode::Error::message("a topic record has five fields"));
        }
        let parameters = Parameters::decode(d.bytes()?).map_err(decode::Error::custom)?;
        let identity = Identity::from_parameters(&parameters).map_err(decode::Error::custom)?;
        // What has expired meanwhile is for `Topics::expire` to find.
        let configuration =
            Configuration::default().updated(&parameters, UnixTime(0)).map_err(decode::Error::custom)?;
        let number = d.u32()?;
        let sequence = d.u64()?;
        let options = TopicOptions { durable: d.decode()?, history: d.decode()? };
        Ok(Self { identity, configuration, options, number, sequence })
    }
}
