//! Option numbers and what the RFCs define for each
//! ([RFC 7252 section 5.4](https://www.rfc-editor.org/rfc/rfc7252#section-5.4),
//! [section 5.10](https://www.rfc-editor.org/rfc/rfc7252#section-5.10)).

use core::fmt;

/// The number of an option. Its low bits say how someone who does not know it must treat it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

/// How the value of an option reads ([RFC 7252 section 3.2](https://www.rfc-editor.org/rfc/rfc7252#section-3.2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No bytes: the presence of the option is the information.
    Empty,
    /// Opaque bytes.
    Opaque,
    /// An unsigned integer in network byte order, without leading zeros.
    Uint,
    /// UTF-8 text.
    String,
}

/// What the RFCs define for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The registered name, such as `Uri-Path`.
    pub name: &'static str,
    /// How the value reads.
    pub format: Format,
    /// The fewest bytes the value may have.
    pub min_len: u16,
    /// The most bytes the value may have.
    pub max_len: u16,
    /// Whether the option may occur more than once.
    pub repeatable: bool,
}

macro_rules! options {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal, $format:ident, $min:literal..=$max:literal $(, $repeat:ident)?;)*) => {
        impl OptionNumber {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// What the RFCs define for this number, if this crate knows it.
            pub const fn definition(self) -> Option<Definition> {
                Some(match self {
                    $(Self::$constant => Definition {
                        name: $name,
                        format: Format::$format,
                        min_len: $min,
                        max_len: $max,
                        repeatable: options!(@$($repeat)?),
                    },)*
                    _ => return None,
                })
            }

            /// Whether a value of `len` bytes has a length the option allows; true for an unknown option.
            ///
            /// An option with another length is treated as one that is not recognised
            /// ([RFC 7252 section 5.4.3](https://www.rfc-editor.org/rfc/rfc7252#section-5.4.3)).
            pub const fn allows_len(self, len: usize) -> bool {
                match self {
                    $(Self::$constant => matches!(len, $min..=$max),)*
                    _ => true,
                }
            }

            /// The lengths that a value may have; any, for an unknown option.
            #[inline(always)]
            pub(crate) const fn lengths(self) -> Lengths {
                // Apart from the definition: the getters want nothing else of it, and know the number, so that a device
                // that uses a few of them has no table of all options.
                match self {
                    $(Self::$constant => Lengths { min: $min, max: $max },)*
                    _ => Lengths { min: 0, max: usize::MAX },
                }
            }
        }
    };
    (@repeatable) => { true };
    (@) => { false };
}

options! {
    /// The request holds only if the representation has this ETag (or, if empty, exists).
    IF_MATCH = 1, "If-Match", Opaque, 0..=8, repeatable;
    /// The host part of the URI.
    URI_HOST = 3, "Uri-Host", String, 1..=255;
    /// Names one representation of the resource.
    ETAG = 4, "ETag", Opaque, 1..=8, repeatable;
    /// The request holds only if the resource does not exist.
    IF_NONE_MATCH = 5, "If-None-Match", Empty, 0..=0;
    /// Register (0), deregister (1), or the sequence number of a notification
    /// ([RFC 7641](https://www.rfc-editor.org/rfc/rfc7641)).
    OBSERVE = 6, "Observe", Uint, 0..=3;
    /// The port part of the URI.
    URI_PORT = 7, "Uri-Port", Uint, 0..=2;
    /// One path segment of where the created resource is.
    LOCATION_PATH = 8, "Location-Path", String, 0..=255, repeatable;
    /// The message is protected ([RFC 8613](https://www.rfc-editor.org/rfc/rfc8613)).
    OSCORE = 9, "OSCORE", Opaque, 0..=255;
    /// One path segment of the URI.
    URI_PATH = 11, "Uri-Path", String, 0..=255, repeatable;
    /// The format of the payload.
    CONTENT_FORMAT = 12, "Content-Format", Uint, 0..=2;
    /// How many seconds the response stays fresh; 60 if absent.
    MAX_AGE = 14, "Max-Age", Uint, 0..=4;
    /// One argument of the URI's query.
    URI_QUERY = 15, "Uri-Query", String, 0..=255, repeatable;
    /// How many proxies may still pass it on ([RFC 8768](https://www.rfc-editor.org/rfc/rfc8768)).
    HOP_LIMIT = 16, "Hop-Limit", Uint, 1..=1;
    /// The one format the client takes.
    ACCEPT = 17, "Accept", Uint, 0..=2;
    /// Block1 for lossy paths with many blocks in flight ([RFC 9177](https://www.rfc-editor.org/rfc/rfc9177)).
    Q_BLOCK1 = 19, "Q-Block1", Uint, 0..=3;
    /// One query argument of where the created resource is.
    LOCATION_QUERY = 20, "Location-Query", String, 0..=255, repeatable;
    /// The payload starts with EDHOC message_3 ([RFC 9668](https://www.rfc-editor.org/rfc/rfc9668)).
    EDHOC = 21, "EDHOC", Empty, 0..=0;
    /// Which block of the response ([RFC 7959](https://www.rfc-editor.org/rfc/rfc7959)).
    BLOCK2 = 23, "Block2", Uint, 0..=3;
    /// Which block of the request ([RFC 7959](https://www.rfc-editor.org/rfc/rfc7959)).
    BLOCK1 = 27, "Block1", Uint, 0..=3;
    /// The size of the response's whole body in bytes.
    SIZE2 = 28, "Size2", Uint, 0..=4;
    /// Block2 for lossy paths with many blocks in flight ([RFC 9177](https://www.rfc-editor.org/rfc/rfc9177)).
    Q_BLOCK2 = 31, "Q-Block2", Uint, 0..=3, repeatable;
    /// The whole URI, for a proxy.
    PROXY_URI = 35, "Proxy-Uri", String, 1..=1034;
    /// The scheme of the URI, for a proxy.
    PROXY_SCHEME = 39, "Proxy-Scheme", String, 1..=255;
    /// The size of the request's whole body in bytes; in a 4.13 the most the server takes.
    SIZE1 = 60, "Size1", Uint, 0..=4;
    /// Proves that a request is fresh ([RFC 9175](https://www.rfc-editor.org/rfc/rfc9175)).
    ECHO = 252, "Echo", Opaque, 1..=40;
    /// Which classes of response the client does not want ([RFC 7967](https://www.rfc-editor.org/rfc/rfc7967)).
    NO_RESPONSE = 258, "No-Response", Uint, 0..=1;
    /// Tells block-wise bodies apart ([RFC 9175](https://www.rfc-editor.org/rfc/rfc9175)).
    REQUEST_TAG = 292, "Request-Tag", Opaque, 0..=8, repeatable;
}

/// How long a value may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    min: usize,
    max: usize,
}

impl Lengths {
    pub(crate) const fn allow(self, len: usize) -> bool {
        self.min <= len && len <= self.max
    }
}

impl OptionNumber {
    /// Whether a recipient that does not understand the option must reject the message.
    pub const fn is_critical(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether a recipient that does not understand the option may ignore it.
    pub const fn is_elective(self) -> bool {
        !self.is_critical()
    }

    /// Whether a proxy that does not understand the option must not forward the message.
    pub const fn is_unsafe(self) -> bool {
        self.0 & 2 == 2
    }

    /// Whether the option is safe to forward and no part of the key under which a response is cached.
    pub const fn is_no_cache_key(self) -> bool {
        self.0 & 0x1e == 0x1c
    }

    /// Whether the option may occur more than once; true for an unknown option.
    pub const fn is_repeatable(self) -> bool {
        match self.definition() {
            Some(definition) => definition.repeatable,
            None => true,
        }
    }
}

impl fmt::Display for OptionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.definition() {
            Some(definition) => f.write_str(definition.name),
            None => write!(f, "option {}", self.0),
        }
    }
}

impl fmt::Debug for OptionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
