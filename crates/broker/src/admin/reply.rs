//! What administrators are answered.
//!
//! Field numbers are never reused; a field that a later version adds is optional.

use minicbor::{Decode, Encode};
use sedge_access::{Definition, Grants};
use sedge_crypto::PublicKey;

use super::{After, AuditPlace, TokenInfo, TokenIssued, TokenOpened, TopicSettings};
use crate::login::public_key;
use crate::{Key, Login};

/// What an administrator is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AdminReply {
    /// It is done.
    #[n(0)]
    Done,
    /// A new device, with its pre-shared key, if it has one, which nobody is shown again.
    #[n(1)]
    Enrolled(#[n(0)] DeviceInfo, #[n(1)] Option<Key>),
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
    /// The answers to questions about access, in their order.
    #[n(10)]
    Access(#[n(0)] Vec<AccessAnswer>),
    /// The rules that hold.
    #[n(11)]
    AccessRules(#[n(0)] Definition),
    /// A new token, with the key that it is bound to, which nobody is shown again.
    #[n(20)]
    TokenIssued(#[n(0)] Box<TokenIssued>),
    /// Some tokens.
    #[n(21)]
    Tokens(#[n(0)] Page<TokenInfo>),
    /// So many tokens were revoked.
    #[n(22)]
    TokensRevoked(#[n(0)] u64),
    /// A token that was opened.
    #[n(23)]
    TokenOpened(#[n(0)] TokenOpened),
    /// Places in the audit log.
    #[n(30)]
    AuditFiles(#[n(0)] Vec<AuditPlace>),
    /// A piece of a file of the audit log; empty behind its end.
    #[n(31)]
    AuditPiece(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// Whether a device may do something, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AccessAnswer {
    /// Whether it may.
    #[n(0)]
    pub allowed: bool,
    /// Why not: `no-grant`, `lacks-verb`, `other-segment`, `not-a-topic`; `no-device` if nobody has the name.
    #[n(1)]
    pub cause: Option<String>,
    /// Every rule that spoke.
    #[n(2)]
    pub rules: Vec<AccessRule>,
}

/// A rule that spoke for or against.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AccessRule {
    /// Whether it speaks for.
    #[n(0)]
    pub allows: bool,
    /// Its kind: `grant`, `bridge`, `same-segment` and so on.
    #[n(1)]
    pub kind: String,
    /// What it says, in words.
    #[n(2)]
    pub text: String,
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
    /// What it shows when it connects.
    #[n(4)]
    pub login: Login,
    /// What it may do.
    #[n(2)]
    pub grants: Grants,
    /// When it was enrolled, in seconds since 1970.
    #[n(3)]
    pub created: u64,
    /// The roles that it has.
    #[cbor(n(5), default)]
    pub roles: Vec<String>,
    /// The segment that it is in.
    #[n(6)]
    pub segment: Option<String>,
    /// Whether it is a resource server, for which there are tokens.
    #[cbor(n(7), default)]
    pub resource_server: bool,
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
    /// The broker's own public key, by which devices without certificates know it.
    #[cbor(n(9), with = "public_key::optional", has_nil)]
    pub public_key: Option<PublicKey>,
    /// The ways to authenticate that are open to devices, if a broker is running: `psk`, `rpk`, `cert`.
    #[cbor(n(10), default)]
    pub auth: Vec<String>,
    /// What somebody should do something about, each in a sentence.
    #[cbor(n(11), default)]
    pub warnings: Vec<String>,
    /// Whether there are no topics, because this is an authorisation server alone.
    #[cbor(n(12), default)]
    pub has_no_topics: bool,
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
