//! A received message ([RFC 7252 section 3](https://www.rfc-editor.org/rfc/rfc7252#section-3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver| T |  TKL  |      Code     |          Message ID           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Token (TKL bytes) ...  | Options ...  | 0xff | Payload ...    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use core::fmt;

use crate::block::Block;
use crate::{Code, ContentFormat, Format, OptionNumber, Token, Type};

/// A validated view over the bytes of a message. Nothing is copied; getters walk the options anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    header: [u8; 4],
    datagram: &'a [u8],
    // Behind the payload marker, or at the end if there is none.
    payload_at: usize,
}

impl<'a> Message<'a> {
    /// Views `datagram` as a message, after one pass over it.
    ///
    /// # Errors
    /// The datagram is no well-formed message; [`ParseError::reaction`] says what the sender is owed.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some(&header) = datagram.first_chunk::<4>() else {
            return Err(ParseError { malformed: Malformed::Truncated, header: [0; 4] });
        };
        match find_payload(header, datagram) {
            Ok(payload_at) => Ok(Self { header, datagram, payload_at }),
            Err(malformed) => Err(ParseError { malformed, header }),
        }
    }

    /// Confirmable, Non-confirmable, Acknowledgement or Reset.
    pub const fn kind(&self) -> Type {
        Type::from_bits(self.header[0] >> 4)
    }

    /// The method or response code; [`Code::EMPTY`] for an empty message.
    pub const fn code(&self) -> Code {
        Code(self.header[1])
    }

    /// The Message ID, which matches acknowledgements and Resets to messages and finds duplicates.
    pub const fn message_id(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// The token, which matches responses to requests.
    pub fn token(&self) -> Token {
        self.datagram.get(4..options_at(self.header)).and_then(Token::new).unwrap_or_default()
    }

    /// The options in ascending order of their numbers.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.datagram.get(options_at(self.header)..).unwrap_or(&[]), number: 0 }
    }

    /// The payload; empty if there is none, for a payload of no bytes cannot be sent.
    pub fn payload(&self) -> &'a [u8] {
        self.datagram.get(self.payload_at..).unwrap_or(&[])
    }
}

/// Getters of single options. A value whose length the option does not allow counts as absent, and of an
/// option that may occur once only the first counts
/// ([RFC 7252 section 5.4.5](https://www.rfc-editor.org/rfc/rfc7252#section-5.4.5)); whether that is a
/// reason to refuse the message is what [`Message::check`] finds out.
impl<'a> Message<'a> {
    /// The values of `number`, in order, those of a wrong length left out.
    pub fn values(&self, number: OptionNumber) -> Values<'a> {
        Values { options: self.options(), number }
    }

    /// The first value of `number`.
    pub fn value(&self, number: OptionNumber) -> Option<&'a [u8]> {
        self.values(number).next()
    }

    /// The first value of `number`, read as an unsigned integer.
    pub fn uint(&self, number: OptionNumber) -> Option<u32> {
        decode_uint(self.value(number)?)
    }

    /// The first value of `number`, read as text; `None` too if it is not UTF-8.
    pub fn text(&self, number: OptionNumber) -> Option<&'a str> {
        core::str::from_utf8(self.value(number)?).ok()
    }

    /// If-Match: the ETags of which the current one must be; an empty value means "if it exists".
    pub fn if_match(&self) -> Values<'a> {
        self.values(OptionNumber::IF_MATCH)
    }

    /// If-None-Match: only if the resource does not exist.
    pub fn if_none_match(&self) -> bool {
        self.value(OptionNumber::IF_NONE_MATCH).is_some()
    }

    /// Uri-Host.
    pub fn uri_host(&self) -> Option<&'a str> {
        self.text(OptionNumber::URI_HOST)
    }

    /// Uri-Port.
    pub fn uri_port(&self) -> Option<u16> {
        self.uint(OptionNumber::URI_PORT).map(|port| port as u16)
    }

    /// The segments of the Uri-Path.
    pub fn uri_path(&self) -> Values<'a> {
        self.values(OptionNumber::URI_PATH)
    }

    /// The arguments of the Uri-Query.
    pub fn uri_query(&self) -> Values<'a> {
        self.values(OptionNumber::URI_QUERY)
    }

    /// The segments of the Location-Path.
    pub fn location_path(&self) -> Values<'a> {
        self.values(OptionNumber::LOCATION_PATH)
    }

    /// The arguments of the Location-Query.
    pub fn location_query(&self) -> Values<'a> {
        self.values(OptionNumber::LOCATION_QUERY)
    }

    /// The ETags: in a response the one of its representation, in a request those the client holds.
    pub fn etags(&self) -> Values<'a> {
        self.values(OptionNumber::ETAG)
    }

    /// Observe: 0 and 1 in a request register and deregister; a sequence number in a notification.
    pub fn observe(&self) -> Option<u32> {
        self.uint(OptionNumber::OBSERVE)
    }

    /// The format of the payload.
    pub fn content_format(&self) -> Option<ContentFormat> {
        self.uint(OptionNumber::CONTENT_FORMAT).map(|format| ContentFormat(format as u16))
    }

    /// The one format the client takes.
    pub fn accept(&self) -> Option<ContentFormat> {
        self.uint(OptionNumber::ACCEPT).map(|format| ContentFormat(format as u16))
    }

    /// Max-Age in seconds, 60 if absent
    /// ([RFC 7252 section 5.10.5](https://www.rfc-editor.org/rfc/rfc7252#section-5.10.5)).
    pub fn max_age(&self) -> u32 {
        self.uint(OptionNumber::MAX_AGE).unwrap_or(60)
    }

    /// Hop-Limit, 1 to 255; the forbidden 0 counts as absent.
    pub fn hop_limit(&self) -> Option<u8> {
        self.uint(OptionNumber::HOP_LIMIT).map(|hops| hops as u8).filter(|&hops| hops != 0)
    }

    /// Block1: which block of the request's body this is.
    pub fn block1(&self) -> Option<Block> {
        self.uint(OptionNumber::BLOCK1).and_then(Block::from_value)
    }

    /// Block2: which block of the response's body this is, or is asked for.
    pub fn block2(&self) -> Option<Block> {
        self.uint(OptionNumber::BLOCK2).and_then(Block::from_value)
    }

    /// Size1: the size of the request's body in bytes; in a 4.13 the most the server takes.
    pub fn size1(&self) -> Option<u32> {
        self.uint(OptionNumber::SIZE1)
    }

    /// Size2: the size of the response's body in bytes; 0 in a request asks for it.
    pub fn size2(&self) -> Option<u32> {
        self.uint(OptionNumber::SIZE2)
    }

    /// Echo.
    pub fn echo(&self) -> Option<&'a [u8]> {
        self.value(OptionNumber::ECHO)
    }

    /// The Request-Tags, which together name the body that a block belongs to.
    pub fn request_tags(&self) -> Values<'a> {
        self.values(OptionNumber::REQUEST_TAG)
    }

    /// No-Response: bit `n` set means that a response of class `n + 1` is not wanted.
    pub fn no_response(&self) -> Option<u8> {
        self.uint(OptionNumber::NO_RESPONSE).map(|classes| classes as u8)
    }

    /// Proxy-Uri.
    pub fn proxy_uri(&self) -> Option<&'a str> {
        self.text(OptionNumber::PROXY_URI)
    }

    /// Proxy-Scheme.
    pub fn proxy_scheme(&self) -> Option<&'a str> {
        self.text(OptionNumber::PROXY_SCHEME)
    }
}

impl Message<'_> {
    /// Checks the options against their definitions, given which of the critical ones the recipient acts on.
    ///
    /// Elective options that are unknown, of a wrong length or repeated wrongly are passed over in silence,
    /// as the RFC wants it; the getters do the same.
    ///
    /// # Errors
    /// The first option because of which the message is refused
    /// ([RFC 7252 section 5.4.1](https://www.rfc-editor.org/rfc/rfc7252#section-5.4.1)).
    pub fn check(&self, understands: impl Fn(OptionNumber) -> bool) -> Result<(), Rejected> {
        let mut previous = None;
        for (number, value) in self.options() {
            let repeated = previous == Some(number);
            previous = Some(number);
            let refused = |code| Err(Rejected { option: number, reaction: self.refusal(code) });
            let Some(definition) = number.definition() else {
                if number.is_critical() && !understands(number) {
                    return refused(Code::BAD_OPTION);
                }
                continue;
            };
            let recognised = number.allows_len(value.len()) && (definition.repeatable || !repeated);
            if number.is_critical() && !(recognised && understands(number)) {
                return refused(Code::BAD_OPTION);
            }
            if !recognised {
                continue;
            }
            let meaningless = match number {
                // RFC 7959 section 2.2: the reserved size exponent is a 4.00.
                OptionNumber::BLOCK1 | OptionNumber::BLOCK2 => {
                    decode_uint(value).and_then(Block::from_value).is_none()
                }
                // RFC 7252 section 5.10.1: a server's resource cannot have these segments.
                OptionNumber::URI_PATH if matches!(value, b"." | b"..") => true,
                // RFC 8768 section 3: a Hop-Limit of 0 is a 4.00.
                OptionNumber::HOP_LIMIT => value == [0],
                _ => definition.format == Format::String && core::str::from_utf8(value).is_err(),
            };
            if meaningless {
                return refused(Code::BAD_REQUEST);
            }
        }
        Ok(())
    }

    /// What to do with a message that is well formed but cannot be taken: requests get `code`, in so far
    /// as the RFC has them answered at all.
    fn refusal(&self, code: Code) -> Reaction {
        match self.kind() {
            Type::Con if self.code().is_request() => Reaction::Respond(code),
            Type::Con => Reaction::Reset,
            // RFC 7252 section 5.4.1: a critical option in a Non-confirmable message has it rejected, which
            // never means a 4.02.
            Type::Non if self.code().is_request() && code != Code::BAD_OPTION => Reaction::Respond(code),
            Type::Non => Reaction::Reset,
            Type::Ack | Type::Rst => Reaction::Ignore,
        }
    }
}

/// Digests, to compare messages with those that came before. They are no protection against someone who looks
/// for a collision, so they only ever compare messages of one peer.
impl Message<'_> {
    /// A digest of the code and token, which a retransmission shares with the original. Together with the
    /// Message ID it tells duplicates from messages that use an ID again.
    pub fn fingerprint(&self) -> u32 {
        let digest = digest(digest(DIGEST_SEED, &[self.code().0]), self.token().as_bytes());
        (digest >> 32) as u32 ^ digest as u32
    }

    /// A digest of what all block requests of one transfer share: the method and the options that belong to
    /// the cache key, Request-Tag among them, but not Block1, Block2 and Observe
    /// ([RFC 7959 section 2.5](https://www.rfc-editor.org/rfc/rfc7959#section-2.5)).
    pub fn request_key(&self) -> u64 {
        let mut key = digest(DIGEST_SEED, &[self.code().0]);
        for (number, value) in self.options() {
            let per_block =
                matches!(number, OptionNumber::BLOCK1 | OptionNumber::BLOCK2 | OptionNumber::OBSERVE);
            if !per_block && !number.is_no_cache_key() {
                key = digest(digest(key, &number.0.to_be_bytes()), &(value.len() as u16).to_be_bytes());
                key = digest(key, value);
            }
        }
        key
    }

    /// A digest of what all block responses of one representation share: the ETag, or its absence
    /// ([RFC 7959 section 2.4](https://www.rfc-editor.org/rfc/rfc7959#section-2.4)).
    pub fn response_key(&self) -> u64 {
        self.value(OptionNumber::ETAG).map_or(0, |etag| digest(DIGEST_SEED, etag))
    }
}

// FNV-1a.
const DIGEST_SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn digest(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} mid {:#06x} {:?}", self.kind(), self.code(), self.message_id(), self.token())?;
        for (number, value) in self.options() {
            write!(f, ", {number} ")?;
            match number.definition().map(|definition| definition.format) {
                Some(Format::String) if core::str::from_utf8(value).is_ok() => {
                    write!(f, "{:?}", core::str::from_utf8(value).unwrap_or_default())?;
                }
                Some(Format::Uint) if value.len() <= 4 => {
                    write!(f, "{}", decode_uint(value).unwrap_or_default())?;
                }
                _ => {
                    for byte in value {
                        write!(f, "{byte:02x}")?;
                    }
                }
            }
        }
        write!(f, ", payload of {} B", self.payload().len())
    }
}

/// The options of a message, as (number, value).
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> Iterator for Options<'a> {
    type Item = (OptionNumber, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let &first = self.rest.first()?;
        // `Message::parse` has passed here before, so there is no error to lose.
        let head = OptionHead::read(self.number.into(), first, self.rest, 0).ok()??;
        let (value, rest) = self.rest.get(head.value_at..)?.split_at_checked(head.value_len)?;
        self.rest = rest;
        self.number = head.number as u16;
        Some((OptionNumber(self.number), value))
    }
}

impl core::iter::FusedIterator for Options<'_> {}

/// The values of one option, those of a length it does not allow left out.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    options: Options<'a>,
    number: OptionNumber,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, value) = self.options.next()?;
            if number == self.number && number.allows_len(value.len()) {
                return Some(value);
            }
            if number > self.number {
                self.options.rest = &[];
                return None;
            }
        }
    }
}

impl core::iter::FusedIterator for Values<'_> {}

/// The one pass: whether the message is well-formed, and where its payload starts.
fn find_payload(header: [u8; 4], datagram: &[u8]) -> Result<usize, Malformed> {
    let [first, code, ..] = header;
    let classes = CLASSES.get(usize::from(first >> 4)).copied().unwrap_or(0);
    if code == 0 || classes >> Code(code).class() & 1 == 0 {
        check_unusual(header, datagram.len() > 4)?;
    }
    let mut at = options_at(header);
    if at > 4 + Token::MAX_LEN {
        return Err(Malformed::TokenLength);
    }
    let mut number = 0;
    while let Some(&first) = datagram.get(at) {
        let Some(head) = OptionHead::read(number, first, datagram, at)? else {
            let payload_at = at + 1;
            let is_there = payload_at < datagram.len();
            check_number(number)?;
            return if is_there { Ok(payload_at) } else { Err(Malformed::MarkerWithoutPayload) };
        };
        (number, at) = (head.number, head.value_at + head.value_len);
    }
    // The token, or the value of the last option, ends where the message does.
    if at == datagram.len() { check_number(number).map(|_| at) } else { Err(Malformed::Truncated) }
}

/// Where the options start, behind a token of a length that may not be allowed.
const fn options_at(header: [u8; 4]) -> usize {
    4 + (header[0] & 0xf) as usize
}

/// By version and type, the upper half of the first byte: a set of bits, of which bit `n` says that such a
/// message may have a code of class `n`.
const CLASSES: [u8; 16] = [0, 0, 0, 0, 0b11_1101, 0b11_1101, 0b11_1100, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Tells the empty messages that may be from those that may not be, and what is wrong with a code that does
/// not go with its type ([RFC 7252 section 4.1](https://www.rfc-editor.org/rfc/rfc7252#section-4.1) to
/// [4.3](https://www.rfc-editor.org/rfc/rfc7252#section-4.3)).
fn check_unusual(header: [u8; 4], is_longer: bool) -> Result<(), Malformed> {
    let [first, code, ..] = header;
    let code = Code(code);
    match Type::from_bits(first >> 4) {
        _ if first >> 6 != 1 => Err(Malformed::UnknownVersion),
        _ if code.is_reserved() => Err(Malformed::ReservedClass),
        Type::Rst if code != Code::EMPTY => Err(Malformed::ResetWithContent),
        Type::Ack if code.is_request() => Err(Malformed::RequestInAck),
        _ if is_longer || first & 0xf != 0 => Err(Malformed::EmptyWithContent),
        Type::Non => Err(Malformed::EmptyNon),
        Type::Con | Type::Ack | Type::Rst => Ok(()),
    }
}

/// What stands before the value of an option
/// ([RFC 7252 section 3.1](https://www.rfc-editor.org/rfc/rfc7252#section-3.1)).
pub(crate) struct OptionHead {
    pub(crate) number: usize,
    pub(crate) value_at: usize,
    pub(crate) value_len: usize,
}

impl OptionHead {
    /// Reads the head of the option whose first byte is `first`, which stands in `bytes` at `at`; `None`
    /// if it is the payload marker. Whether the value is all there remains to be seen.
    #[inline(always)]
    pub(crate) fn read(
        previous: usize,
        first: u8,
        bytes: &[u8],
        at: usize,
    ) -> Result<Option<Self>, Malformed> {
        let nibbles = usize::from(first);
        // One test finds most options: a nibble without bits 3 and 2 together is below 12.
        if nibbles & nibbles << 1 & 0x88 == 0 {
            let number = previous.wrapping_add(nibbles >> 4);
            return Ok(Some(Self { number, value_at: at + 1, value_len: nibbles & 0xf }));
        }
        if first == 0xff { Ok(None) } else { Self::read_long(previous, first, bytes, at).map(Some) }
    }

    fn read_long(previous: usize, first: u8, bytes: &[u8], at: usize) -> Result<Self, Malformed> {
        let (delta, at) = extended(first >> 4, bytes, at + 1)?;
        let (value_len, value_at) = extended(first & 0xf, bytes, at)?;
        let number = check_number(previous.wrapping_add(delta as usize))?;
        Ok(Self { number, value_at, value_len: value_len as usize })
    }
}

fn check_number(number: usize) -> Result<usize, Malformed> {
    if number <= 0xffff { Ok(number) } else { Err(Malformed::OptionNumber) }
}

/// The delta or length that `nibble` stands for, with the bytes at `at` if it needs any, and where they end.
fn extended(nibble: u8, bytes: &[u8], at: usize) -> Result<(u32, usize), Malformed> {
    let more = bytes.get(at..).unwrap_or(&[]);
    match (nibble, more) {
        (..=12, _) => Ok((u32::from(nibble), at)),
        (13, &[byte, ..]) => Ok((u32::from(byte) + 13, at + 1)),
        (14, &[high, low, ..]) => Ok((u32::from(u16::from_be_bytes([high, low])) + 269, at + 2)),
        (15.., _) => Err(Malformed::ReservedNibble),
        _ => Err(Malformed::Truncated),
    }
}

/// An unsigned integer of at most four bytes, leading zeros allowed.
pub(crate) fn decode_uint(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
}

/// Why a datagram is no well-formed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends before its header, token or an option does.
    Truncated,
    /// Its version is not 1.
    UnknownVersion,
    /// Its token length is 9 to 15.
    TokenLength,
    /// Its code is 0.00, but there is more than a header.
    EmptyWithContent,
    /// It is Non-confirmable and empty.
    EmptyNon,
    /// It is an Acknowledgement with a request in it.
    RequestInAck,
    /// It is a Reset that is not empty.
    ResetWithContent,
    /// Its code is of class 1, 6 or 7.
    ReservedClass,
    /// An option's delta or length nibble is 15, but the byte is not the payload marker.
    ReservedNibble,
    /// An option number passes 65535.
    OptionNumber,
    /// A payload marker is followed by no payload.
    MarkerWithoutPayload,
}

impl Malformed {
    /// A few words for a log or a counter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnknownVersion => "unknown version",
            Self::TokenLength => "token length above 8",
            Self::EmptyWithContent => "empty message with content",
            Self::EmptyNon => "empty non-confirmable message",
            Self::RequestInAck => "request in an acknowledgement",
            Self::ResetWithContent => "reset with content",
            Self::ReservedClass => "reserved code class",
            Self::ReservedNibble => "reserved option nibble",
            Self::OptionNumber => "option number above 65535",
            Self::MarkerWithoutPayload => "payload marker without payload",
        }
    }
}

/// A datagram that is no well-formed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    malformed: Malformed,
    header: [u8; 4],
}

impl ParseError {
    /// What is wrong.
    pub const fn malformed(&self) -> Malformed {
        self.malformed
    }

    /// The Message ID that a Reset must carry; 0 if the datagram was too short to have one.
    pub const fn message_id(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// What the sender is owed: a Reset for a Confirmable message, nothing for any other
    /// ([RFC 7252 section 4.2](https://www.rfc-editor.org/rfc/rfc7252#section-4.2),
    /// [section 4.3](https://www.rfc-editor.org/rfc/rfc7252#section-4.3)).
    ///
    /// A Non-confirmable message may be answered with a Reset or ignored; here it is ignored.
    pub const fn reaction(&self) -> Reaction {
        // Section 3: a version that is not known is ignored. A datagram without a header has version 0.
        if self.header[0] >> 6 == 1 && matches!(Type::from_bits(self.header[0] >> 4), Type::Con) {
            Reaction::Reset
        } else {
            Reaction::Ignore
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.malformed.as_str())
    }
}

impl core::error::Error for ParseError {}

/// What the RFC wants done about a message that cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing: drop it.
    Ignore,
    /// Send a Reset with its Message ID.
    Reset,
    /// Answer the request with this code.
    Respond(Code),
}

/// An option because of which a well-formed message cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The option.
    pub option: OptionNumber,
    /// What the sender is owed.
    pub reaction: Reaction,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not acceptable", self.option)
    }
}

impl core::error::Error for Rejected {}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
