//! What administrators ask.
//!
//! Field numbers are never reused; a field that a later version adds is optional.

use minicbor::{Decode, Encode};
use sedge_access::{Definition, Grants};
use sedge_crypto::PublicKey;

use super::{AuditPlace, NewToken, TokenChoice};
use crate::Key;
use crate::login::public_key;

/// What an administrator asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AdminRequest {
    /// Enrols a device. Answer: [`AdminReply::Enrolled`](super::AdminReply::Enrolled).
    #[n(0)]
    DeviceAdd(#[n(0)] NewDevice),
    /// Devices in the order of their names. Answer: [`AdminReply::Devices`](super::AdminReply::Devices).
    #[n(1)]
    DeviceList(#[n(0)] After),
    /// One device. Answer: [`AdminReply::Device`](super::AdminReply::Device).
    #[n(2)]
    DeviceShow(#[n(0)] String),
    /// Removes a device and ends its sessions. Answer: [`AdminReply::Done`](super::AdminReply::Done).
    #[n(3)]
    DeviceRemove(#[n(0)] String),
    /// Creates a topic. Answer: [`AdminReply::Topic`](super::AdminReply::Topic).
    #[n(4)]
    TopicCreate(#[n(0)] TopicSettings),
    /// Topics in the order of their names. Answer: [`AdminReply::Topics`](super::AdminReply::Topics).
    #[n(5)]
    TopicList(#[n(0)] After),
    /// One topic. Answer: [`AdminReply::Topic`](super::AdminReply::Topic).
    #[n(6)]
    TopicShow(#[n(0)] String),
    /// Deletes a topic and its value, and tells its observers. Answer: [`AdminReply::Done`](super::AdminReply::Done).
    #[n(7)]
    TopicDelete(#[n(0)] String),
    /// How the broker is. Answer: [`AdminReply::Status`](super::AdminReply::Status).
    #[n(8)]
    Status,
    /// Sessions of a running broker. Answer: [`AdminReply::Sessions`](super::AdminReply::Sessions).
    #[n(9)]
    SessionList(#[n(0)] After),
    /// Changes what a device may do, while its sessions last. Answer: [`AdminReply::Device`](super::AdminReply::Device).
    #[n(10)]
    DeviceSet(#[n(0)] DeviceRights),
    /// Who may do what, and why; under other rules than those that hold if some are given. Answer:
    /// [`AdminReply::Access`](super::AdminReply::Access).
    #[n(11)]
    AccessExplain(#[n(0)] Vec<AccessQuestion>, #[n(1)] Option<Definition>),
    /// The rules that hold. Answer: [`AdminReply::AccessRules`](super::AdminReply::AccessRules).
    #[n(12)]
    AccessShow,
    /// Has a running broker read its rules again from its configuration file. Answer:
    /// [`AdminReply::AccessRules`](super::AdminReply::AccessRules).
    #[n(13)]
    AccessReload,
    /// Issues a token. Answer: [`AdminReply::TokenIssued`](super::AdminReply::TokenIssued).
    #[n(20)]
    TokenIssue(#[n(0)] NewToken),
    /// The tokens that are not over. Answer: [`AdminReply::Tokens`](super::AdminReply::Tokens).
    #[n(21)]
    TokenList(#[n(0)] After),
    /// Revokes tokens. Answer: [`AdminReply::TokensRevoked`](super::AdminReply::TokensRevoked).
    #[n(22)]
    TokenRevoke(#[n(0)] TokenChoice),
    /// Opens a token. Answer: [`AdminReply::TokenOpened`](super::AdminReply::TokenOpened).
    #[n(23)]
    TokenOpen(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Replaces the keys of tokens. Answer: [`AdminReply::Done`](super::AdminReply::Done).
    #[n(24)]
    KeysRotate,
    /// Sets up the protection of a topic in another way: its members get a new key. Answer:
    /// [`AdminReply::Done`](super::AdminReply::Done).
    #[n(14)]
    TopicProtect(#[n(0)] String, #[n(1)] Protection),
    /// The files of the audit log, each with its end. Answer: [`AdminReply::AuditFiles`](super::AdminReply::AuditFiles).
    #[n(30)]
    AuditFiles,
    /// Where the last so many records of the audit log begin; none if it has no file. Answer:
    /// [`AdminReply::AuditFiles`](super::AdminReply::AuditFiles).
    #[n(31)]
    AuditTail(#[n(0)] u64),
    /// What the audit log has from some place on, within one file. Answer:
    /// [`AdminReply::AuditPiece`](super::AdminReply::AuditPiece).
    #[n(32)]
    AuditRead(#[n(0)] AuditPlace),
}

/// Where a list goes on: after the entry with this name. The default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct After(#[n(0)] pub String);

/// A device to be enrolled. It has a pre-shared key, unless it is given a public key or the name of a certificate.
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
    /// Its public key, if it authenticates by that.
    #[cbor(n(4), with = "public_key::optional", has_nil)]
    pub public_key: Option<PublicKey>,
    /// The name in its certificate, if it authenticates by one: 1 to 128 bytes.
    #[n(5)]
    pub certificate_name: Option<String>,
    /// The roles that it has.
    #[cbor(n(6), default)]
    pub roles: Vec<String>,
    /// The segment that it is in.
    #[n(7)]
    pub segment: Option<String>,
    /// Whether it is a resource server: tokens are issued for it, under its name, and it is given the keys by which it
    /// knows them.
    #[cbor(n(8), default)]
    pub resource_server: bool,
}

/// What is to change in a device's rights. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceRights {
    /// The device's name.
    #[n(0)]
    pub name: String,
    /// What it may do itself, in place of what it may now.
    #[n(1)]
    pub grants: Option<Grants>,
    /// The roles that it has, in place of those that it has now.
    #[n(2)]
    pub roles: Option<Vec<String>>,
    /// The segment that it is to be in; an empty name for none.
    #[n(3)]
    pub segment: Option<String>,
}

/// Whether a device may do something.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AccessQuestion {
    /// The device's name.
    #[n(0)]
    pub device: String,
    /// What it wants to do: publish, read (or subscribe), delete or configure.
    #[n(1)]
    pub verb: String,
    /// The topic's name.
    #[n(2)]
    pub topic: String,
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
    /// Whether values are encrypted end to end, and how: then only Content-Format 16 may be published.
    #[n(10)]
    pub protection: Option<Protection>,
}

/// How the values of a topic are protected end to end. What is not given is as configured where the keys are given out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Protection {
    /// Whether publishers countersign.
    #[n(0)]
    pub signed: Option<bool>,
    /// The cipher, by its number in the registry of COSE.
    #[n(1)]
    pub cipher: Option<i64>,
    /// The Content-Format of the values themselves.
    #[n(2)]
    pub content_format: Option<u16>,
}
