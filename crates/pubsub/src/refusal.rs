//! Why a request is refused, and what the client is told.

use core::fmt;

use sedge_access::NameError;
use sedge_coap::{Code, OptionNumber};

use crate::Property;
use crate::cbor::CborError;

/// The reason for a 4.xx or 5.xx response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The path or `topic-name` cannot name a topic.
    Name(NameError),
    /// The body is not the CBOR that it should be.
    Cbor(CborError),
    /// A property that the request needs is not there.
    Missing(Property),
    /// A property has a value that it cannot have.
    Invalid(Property),
    /// A property that cannot change was to change.
    Immutable(Property),
    /// There is a topic of this name already.
    NameInUse,
    /// The resource takes no such query.
    Query,
    /// A critical option that is not understood, or that came in a wrong form.
    Option(OptionNumber, Code),
    /// The caller may not do this with this topic.
    Forbidden,
    /// The caller's rights have ended.
    Unauthorized,
    /// The caller's token is for this topic, but not for this.
    NotPermitted,
    /// There is no such resource, or nothing has been published to it.
    NotFound,
    /// The resource does not have this method.
    MethodNotAllowed,
    /// There is no representation in the format that the client accepts.
    NotAcceptable,
    /// If-Match or If-None-Match does not hold.
    PreconditionFailed,
    /// The value is larger than this broker keeps; so many bytes are not.
    TooLarge(u32),
    /// The body has a format that the resource, or the topic, does not take.
    UnsupportedFormat,
    /// The topic was published to too fast; it may be again after this many seconds.
    TooFast(u32),
    /// The broker keeps no more topics.
    TooManyTopics,
    /// This broker is no proxy.
    Proxy,
}

impl Refusal {
    /// How many kinds there are, for counters.
    pub const KINDS: usize = 20;

    /// The names of the kinds, in the order of [`kind`](Self::kind).
    pub const KIND_NAMES: [&'static str; Self::KINDS] = [
        "name",
        "cbor",
        "missing",
        "invalid",
        "immutable",
        "name-in-use",
        "query",
        "option",
        "forbidden",
        "not-found",
        "method",
        "not-acceptable",
        "precondition",
        "too-large",
        "format",
        "too-fast",
        "too-many-topics",
        "proxy",
        "unauthorized",
        "not-permitted",
    ];

    /// The number of its kind, below [`KINDS`](Self::KINDS).
    pub const fn kind(self) -> usize {
        match self {
            Self::Name(_) => 0,
            Self::Cbor(_) => 1,
            Self::Missing(_) => 2,
            Self::Invalid(_) => 3,
            Self::Immutable(_) => 4,
            Self::NameInUse => 5,
            Self::Query => 6,
            Self::Option(..) => 7,
            Self::Forbidden => 8,
            Self::NotFound => 9,
            Self::MethodNotAllowed => 10,
            Self::NotAcceptable => 11,
            Self::PreconditionFailed => 12,
            Self::TooLarge(_) => 13,
            Self::UnsupportedFormat => 14,
            Self::TooFast(_) => 15,
            Self::TooManyTopics => 16,
            Self::Proxy => 17,
            Self::Unauthorized => 18,
            Self::NotPermitted => 19,
        }
    }

    /// The response's code.
    pub const fn code(self) -> Code {
        match self {
            Self::Name(_)
            | Self::Cbor(_)
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::Immutable(_)
            | Self::NameInUse
            | Self::Query => Code::BAD_REQUEST,
            Self::Option(_, code) => code,
            Self::Forbidden => Code::FORBIDDEN,
            Self::NotFound => Code::NOT_FOUND,
            Self::Unauthorized => Code::UNAUTHORIZED,
            Self::MethodNotAllowed | Self::NotPermitted => Code::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => Code::NOT_ACCEPTABLE,
            Self::PreconditionFailed => Code::PRECONDITION_FAILED,
            Self::TooLarge(_) => Code::REQUEST_ENTITY_TOO_LARGE,
            Self::UnsupportedFormat => Code::UNSUPPORTED_CONTENT_FORMAT,
            Self::TooFast(_) => Code::TOO_MANY_REQUESTS,
            Self::TooManyTopics => Code::SERVICE_UNAVAILABLE,
            Self::Proxy => Code::PROXYING_NOT_SUPPORTED,
        }
    }

    /// The response's Max-Age, in seconds: when to try again.
    pub const fn max_age(self) -> Option<u32> {
        match self {
            Self::TooFast(seconds) => Some(seconds),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Cbor(error) => error.fmt(f),
            Self::Missing(property) => write!(f, "{property} is missing"),
            Self::Invalid(property) => write!(f, "{property} is not valid"),
            Self::Immutable(property) => write!(f, "{property} cannot change"),
            Self::NameInUse => f.write_str("topic-name is in use"),
            Self::Query => f.write_str("the resource takes no such query"),
            Self::Option(number, _) => write!(f, "{number} not acceptable"),
            Self::Forbidden => f.write_str("not permitted on this topic"),
            Self::Unauthorized => f.write_str("its rights have ended: show a new token"),
            Self::NotPermitted => f.write_str("the token does not permit this on this topic"),
            Self::NotFound => f.write_str("no such resource, or nothing published yet"),
            Self::MethodNotAllowed => f.write_str("the resource does not have this method"),
            Self::NotAcceptable => f.write_str("no representation in this format"),
            Self::PreconditionFailed => f.write_str("the condition does not hold"),
            Self::TooLarge(limit) => write!(f, "larger than {limit} bytes"),
            Self::UnsupportedFormat => f.write_str("not the format that the resource takes"),
            Self::TooFast(seconds) => write!(f, "too fast, try again in {seconds} s"),
            Self::TooManyTopics => f.write_str("no room for another topic"),
            Self::Proxy => f.write_str("not a proxy"),
        }
    }
}

impl core::error::Error for Refusal {}
