//! What administrators ask and are answered: CBOR, the same over every way.
//!
//! A message is `[version, body]`. Field numbers are never reused; a field that a later version adds is optional.

use minicbor::{Decode, Encode};
use sedge_access::Grants;

use crate::Key;

/// The version of the messages that this crate writes and reads.
pub const VERSION: u8 = 1;

/// The path of the resource that administrators `POST` to, over coaps.
pub const ADMIN_PATH: [&str; 2] = ["sedge", "admin"];

/// What an administrator asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AdminRequest {
    /// Enrols a device. Answer: [`AdminReply::Enrolled`].
    #[n(0)]
    DeviceAdd(#[n(0)] NewDevice),
    /// Devices in the order of their names. Answer: [`AdminReply::Devices`].
    #[n(1)]
    DeviceList(#[n(0)] After),
    /// One device. Answer: [`AdminReply::Device`].
    #[n(2)]
    DeviceShow(#[n(0)] String),
    /// Removes a device and ends its sessions. Answer: [`AdminReply::Done`].
    #[n(3)]
    DeviceRemove(#[n(0)] String),
    /// Creates a topic. Answer: [`AdminReply::Topic`].
    #[n(4)]
    TopicCreate(#[n(0)] TopicSettings),
    /// Topics in the order of their names. Answer: [`AdminReply::Topics`].
    #[n(5)]
    TopicList(#[n(0)] After),
    /// One topic. Answer: [`AdminReply::Topic`].
    #[n(6)]
    TopicShow(#[n(0)] String),
    /// Deletes a topic and its value, and tells its observers. Answer: [`AdminReply::Done`].
    #[n(7)]
    TopicDelete(#[n(0)] String),
    /// How the broker is. Answer: [`AdminReply::Status`].
    #[n(8)]
    Status,
    /// Sessions of a running broker. Answer: [`AdminReply::Sessions`].
    #[n(9)]
    SessionList(#[n(0)] After),
}

/// Where a list goes on: after the entry with this name. The default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct After(#[n(0)] pub String);

/// A device to be enrolled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NewDevice {
    /// Its name: 1 to 64 letters, digits, `.`, `_`, `-`, `:` or `@`.
    #[n(0)]
    pub name: String,
    /// Its PSK identity, 1 to 128 bytes; the name in UTF-8 if not given.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Option<Vec<u8>>,
    /// Its key if it has one already; otherwise 16 random bytes are made.
    #[n(2)]
    pub key: Option<Key>,
    /// What it may do.
    #[n(3)]
    pub grants: Grants,
}

/// How a topic is set up: the properties of draft-ietf-core-coap-pubsub, and two that only administrators set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TopicSettings {
    /// `topic-name`: levels separated by `/`.
    #[n(0)]
    pub name: String,
    /// `resource-type`; `core.ps.data` if not given.
    #[n(1)]
    pub resource_type: Option<String>,
    /// `topic-content-format`: the only Content-Format that may be published.
    #[n(2)]
    pub content_format: Option<u16>,
    /// `topic-type`: what the values are about.
    #[n(3)]
    pub topic_type: Option<String>,
    /// `expiration-date`, in seconds since 1970.
    #[n(4)]
    pub expiration: Option<u64>,
    /// `max-subscribers`.
    #[n(5)]
    pub max_subscribers: Option<u32>,
    /// `observer-check`: longest time between two confirmable notifications, in seconds.
    #[n(6)]
    pub observer_check: Option<u32>,
    /// `initialize`: the value that the topic is born with; needs `content_format`.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub initialize: Option<Vec<u8>>,
    /// Whether a publish waits for the disk; as configured if not given.
    #[n(8)]
    pub durable: Option<bool>,
    /// How many recent values are kept for subscribers that are behind; as configured if not given.
    #[n(9)]
    pub history: Option<u16>,
}

/// What an administrator is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AdminReply {
    /// It is done.
    #[n(0)]
    Done,
    /// A new device, with the secret that nobody is shown again.
    #[n(1)]
    Enrolled(#[n(0)] DeviceInfo, #[n(1)] Key),
    /// A device.
    #[n(2)]
    Device(#[n(0)] DeviceInfo),
    /// Some devices.
    #[n(3)]
    Devices(#[n(0)] Page<DeviceInfo>),
    /// A topic.
    #[n(4)]
    Topic(#[n(0)] TopicInfo),
    /// Some topics.
    #[n(5)]
    Topics(#[n(0)] Page<TopicInfo>),
    /// How the broker is.
    #[n(6)]
    Status(#[n(0)] Box<Status>),
    /// Some sessions.
    #[n(7)]
    Sessions(#[n(0)] Page<SessionInfo>),
    /// It was not done.
    #[n(8)]
    Refused(#[n(0)] Refusal),
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Page<T> {
    /// The entries.
    #[n(0)]
    pub entries: Vec<T>,
    /// Where the list goes on, or `None` at its end.
    #[n(1)]
    pub next: Option<After>,
}

/// A device without its key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceInfo {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its PSK identity.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// What it may do.
    #[n(2)]
    pub grants: Grants,
    /// When it was enrolled, in seconds since 1970.
    #[n(3)]
    pub created: u64,
}

/// A topic and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TopicInfo {
    /// How it is set up.
    #[n(0)]
    pub settings: TopicSettings,
    /// Observers, if a broker is running.
    #[n(1)]
    pub subscribers: u32,
    /// The newest value, if there is one.
    #[n(2)]
    pub value: Option<ValueInfo>,
}

/// What is known of a value without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ValueInfo {
    /// Its Content-Format.
    #[n(0)]
    pub content_format: Option<u16>,
    /// Its length in bytes.
    #[n(1)]
    pub bytes: u32,
    /// When it was published, in milliseconds since 1970.
    #[n(2)]
    pub published: u64,
}

/// How the broker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Status {
    /// Whether a broker is running; if not, the rest was read from its store.
    #[n(0)]
    pub running: bool,
    /// Seconds since it started.
    #[n(1)]
    pub uptime: u64,
    /// Addresses served, as URIs.
    #[n(2)]
    pub listening: Vec<String>,
    /// Devices enrolled.
    #[n(3)]
    pub devices: u64,
    /// Topics.
    #[n(4)]
    pub topics: u64,
    /// Sessions.
    #[n(5)]
    pub sessions: u64,
    /// Observations.
    #[n(6)]
    pub observations: u64,
    /// What is wrong with the store, if anything.
    #[n(7)]
    pub store_failure: Option<String>,
    /// Everything counted since the start, over all shards.
    #[n(8)]
    pub counters: Vec<Counter>,
}

/// Something counted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Counter {
    /// What, in lower case with dots: `dtls.discarded.replayed`.
    #[n(0)]
    pub name: String,
    /// How often.
    #[n(1)]
    pub value: u64,
}

/// A session of a running broker.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionInfo {
    /// Shard, slot and generation in the broker's tables, by which lists go on.
    #[n(0)]
    pub id: String,
    /// The device's name, or `None` if the session has no security.
    #[n(1)]
    pub device: Option<String>,
    /// The address last heard from.
    #[n(2)]
    pub peer: String,
    /// Seconds since it was last heard from.
    #[n(3)]
    pub idle: u64,
}

/// Why something was not done, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refusal {
    /// The kind.
    #[n(0)]
    pub reason: Reason,
    /// One line that says what is wrong and what to do.
    #[n(1)]
    pub message: String,
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Reason {
    /// The request makes no sense.
    #[n(0)]
    Invalid,
    /// There is no such device or topic.
    #[n(1)]
    NotFound,
    /// There is one already.
    #[n(2)]
    Exists,
    /// A limit of the configuration is reached.
    #[n(3)]
    Limit,
    /// The store does not work.
    #[n(4)]
    Store,
    /// It needs a running broker.
    #[n(5)]
    NotRunning,
    /// The request is of another version.
    #[n(6)]
    Version,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl AdminRequest {
    /// The request as CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// What to answer instead of executing it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes)
    }
}

impl AdminReply {
    /// The reply as CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a reply.
    ///
    /// # Errors
    /// The bytes are no reply that this version knows.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes)
    }
}

fn to_cbor<T: Encode<()>>(body: &T) -> Vec<u8> {
    // A vector takes everything, and none of the encoders here refuses a value.
    minicbor::to_vec((VERSION, body)).unwrap_or_default()
}

fn from_cbor<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Refusal> {
    let invalid =
        |error: minicbor::decode::Error| Refusal::new(Reason::Invalid, format!("not understood: {error}"));
    let mut decoder = minicbor::Decoder::new(bytes);
    if decoder.array().map_err(invalid)? != Some(2) {
        return Err(Refusal::new(Reason::Invalid, "not understood: not [version, body]"));
    }
    let version = decoder.u8().map_err(invalid)?;
    if version != VERSION {
        let message =
            format!("version {version} was used where {VERSION} is spoken: use the same release of sedge");
        return Err(Refusal::new(Reason::Version, message));
    }
    let body = decoder.decode().map_err(invalid)?;
    if decoder.position() != bytes.len() {
        return Err(Refusal::new(Reason::Invalid, "not understood: bytes after its end"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back() {
        for request in [
            AdminRequest::DeviceAdd(NewDevice {
                name: "t1".into(),
                identity: Some(vec![0xff]),
                key: Some(Key::random().unwrap()),
                grants: Grants::administrator(),
            }),
            AdminRequest::DeviceList(After::default()),
            AdminRequest::TopicCreate(TopicSettings { name: "a".into(), ..TopicSettings::default() }),
            AdminRequest::Status,
        ] {
            assert_eq!(AdminRequest::from_cbor(&request.to_cbor()).unwrap(), request);
        }
        let info = SessionInfo { id: "0.1".into(), device: None, peer: "[::1]:1".into(), idle: 3 };
        for reply in [
            AdminReply::Done,
            AdminReply::Status(Box::default()),
            AdminReply::Sessions(Page { entries: vec![info], next: Some(After("x".into())) }),
            AdminReply::Refused(Refusal::new(Reason::Limit, "no")),
        ] {
            assert_eq!(AdminReply::from_cbor(&reply.to_cbor()).unwrap(), reply);
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        let good = AdminRequest::DeviceShow("t1".into()).to_cbor();
        for cut in 0..good.len() {
            assert_eq!(AdminRequest::from_cbor(&good[..cut]).unwrap_err().reason, Reason::Invalid);
        }
        let mut long = good.clone();
        long.push(0);
        assert_eq!(AdminRequest::from_cbor(&long).unwrap_err().reason, Reason::Invalid);
        let mut later = good;
        later[1] = VERSION + 1;
        assert_eq!(AdminRequest::from_cbor(&later).unwrap_err().reason, Reason::Version);
    }

    #[test]
    fn a_key_in_a_request_does_not_print() {
        let request = AdminRequest::DeviceAdd(NewDevice {
            key: Some(Key::from_bytes(&[0xaa; 16]).unwrap()),
            ..NewDevice::default()
        });
        let text = format!("{request:?}");
        assert!(text.contains("[secret]") && !text.contains("170"), "{text}");
    }
}
