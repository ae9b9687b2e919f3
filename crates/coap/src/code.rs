//! Message types and codes ([RFC 7252 section 3](https://www.rfc-editor.org/rfc/rfc7252#section-3),
//! [section 12.1](https://www.rfc-editor.org/rfc/rfc7252#section-12.1)).

use core::fmt;

/// The type of a message, two bits of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// Confirmable: wants an acknowledgement or a Reset.
    Con = 0,
    /// Non-confirmable.
    Non = 1,
    /// Acknowledgement: empty, or with the response piggybacked.
    Ack = 2,
    /// Reset: the message was received, but its context is missing.
    Rst = 3,
}

impl Type {
    /// The type that the two low bits of `bits` stand for.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Con,
            1 => Self::Non,
            2 => Self::Ack,
            _ => Self::Rst,
        }
    }
}

/// A request method or response code: three bits of class, five of detail, written `c.dd`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $class:literal . $detail:literal, $name:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $constant: Self = Self::new($class, $detail);)*

            /// The registered name, such as `Not Found`; an empty string for a code without one.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$constant => $name,)*
                    _ => "",
                }
            }
        }
    };
}

codes! {
    /// Neither request nor response: a ping, a bare acknowledgement or a Reset.
    EMPTY = 0 . 0, "Empty";
    /// Retrieve a representation.
    GET = 0 . 1, "GET";
    /// Process the enclosed representation.
    POST = 0 . 2, "POST";
    /// Create or replace the resource.
    PUT = 0 . 3, "PUT";
    /// Delete the resource.
    DELETE = 0 . 4, "DELETE";
    /// Retrieve parts that the payload selects ([RFC 8132](https://www.rfc-editor.org/rfc/rfc8132)).
    FETCH = 0 . 5, "FETCH";
    /// Change parts, not idempotent ([RFC 8132](https://www.rfc-editor.org/rfc/rfc8132)).
    PATCH = 0 . 6, "PATCH";
    /// Change parts, idempotent ([RFC 8132](https://www.rfc-editor.org/rfc/rfc8132)).
    IPATCH = 0 . 7, "iPATCH";
    /// A resource was created.
    CREATED = 2 . 1, "Created";
    /// The resource is gone (or was not there).
    DELETED = 2 . 2, "Deleted";
    /// The representation named by the ETag is still current.
    VALID = 2 . 3, "Valid";
    /// The resource was changed.
    CHANGED = 2 . 4, "Changed";
    /// The representation follows.
    CONTENT = 2 . 5, "Content";
    /// The block was received, the next may come
    /// ([RFC 7959 section 2.9.1](https://www.rfc-editor.org/rfc/rfc7959#section-2.9.1)).
    CONTINUE = 2 . 31, "Continue";
    /// The request could not be understood.
    BAD_REQUEST = 4 . 0, "Bad Request";
    /// The client must authenticate, or repeat the request with the Echo option.
    UNAUTHORIZED = 4 . 1, "Unauthorized";
    /// A critical option was not understood.
    BAD_OPTION = 4 . 2, "Bad Option";
    /// Refused, whoever asks.
    FORBIDDEN = 4 . 3, "Forbidden";
    /// No such resource.
    NOT_FOUND = 4 . 4, "Not Found";
    /// The resource does not know the method.
    METHOD_NOT_ALLOWED = 4 . 5, "Method Not Allowed";
    /// No representation in the format that Accept asks for.
    NOT_ACCEPTABLE = 4 . 6, "Not Acceptable";
    /// Blocks are missing ([RFC 7959 section 2.9.2](https://www.rfc-editor.org/rfc/rfc7959#section-2.9.2)).
    REQUEST_ENTITY_INCOMPLETE = 4 . 8, "Request Entity Incomplete";
    /// The request conflicts with the resource's state
    /// ([RFC 8132 section 3.4](https://www.rfc-editor.org/rfc/rfc8132#section-3.4)).
    CONFLICT = 4 . 9, "Conflict";
    /// An If-Match or If-None-Match condition does not hold.
    PRECONDITION_FAILED = 4 . 12, "Precondition Failed";
    /// The body is larger than the server takes.
    REQUEST_ENTITY_TOO_LARGE = 4 . 13, "Request Entity Too Large";
    /// The Content-Format of the request is not taken.
    UNSUPPORTED_CONTENT_FORMAT = 4 . 15, "Unsupported Content-Format";
    /// Well-formed, but its content cannot be processed
    /// ([RFC 8132 section 3.4](https://www.rfc-editor.org/rfc/rfc8132#section-3.4)).
    UNPROCESSABLE_ENTITY = 4 . 22, "Unprocessable Entity";
    /// Too fast: Max-Age says when to try again ([RFC 8516](https://www.rfc-editor.org/rfc/rfc8516)).
    TOO_MANY_REQUESTS = 4 . 29, "Too Many Requests";
    /// The server met a condition it did not expect.
    INTERNAL_SERVER_ERROR = 5 . 0, "Internal Server Error";
    /// The server cannot do this.
    NOT_IMPLEMENTED = 5 . 1, "Not Implemented";
    /// The server behind this proxy answered wrongly.
    BAD_GATEWAY = 5 . 2, "Bad Gateway";
    /// Not now: Max-Age says when to try again.
    SERVICE_UNAVAILABLE = 5 . 3, "Service Unavailable";
    /// The server behind this proxy did not answer in time.
    GATEWAY_TIMEOUT = 5 . 4, "Gateway Timeout";
    /// This server is no proxy for that URI.
    PROXYING_NOT_SUPPORTED = 5 . 5, "Proxying Not Supported";
    /// The hop limit is used up ([RFC 8768](https://www.rfc-editor.org/rfc/rfc8768)).
    HOP_LIMIT_REACHED = 5 . 8, "Hop Limit Reached";
}

impl Code {
    /// The code `class.detail`; bits that do not fit (three and five) are cut off.
    pub const fn new(class: u8, detail: u8) -> Self {
        Self(class << 5 | detail & 0x1f)
    }

    /// The part before the dot: 0 for requests, 2 success, 4 client error, 5 server error.
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The part after the dot.
    pub const fn detail(self) -> u8 {
        self.0 & 0x1f
    }

    /// Whether this is a method, known or not.
    pub const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// Whether this is a response of a class that exists: 2, 3 (unassigned), 4 or 5.
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2..=5)
    }

    /// Whether this is a 2.xx response.
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// Whether this is a 4.xx or 5.xx response.
    pub const fn is_error(self) -> bool {
        matches!(self.class(), 4 | 5)
    }

    /// Whether the class is reserved (1, 6 or 7): such a message is rejected.
    pub const fn is_reserved(self) -> bool {
        matches!(self.class(), 1 | 6 | 7)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.name().is_empty() { "" } else { " " };
        write!(f, "{self}{separator}{}", self.name())
    }
}
