//! The options of a message by name.

use super::wire::decode_uint;
use crate::block::Block;
use crate::option::Lengths;
use crate::{ContentFormat, Message, OptionNumber, Values};

/// Getters of single options. A value whose length the option does not allow counts as absent, and of an
/// option that may occur once only the first counts
/// ([RFC 7252 section 5.4.5](https://www.rfc-editor.org/rfc/rfc7252#section-5.4.5)); whether that is a
/// reason to refuse the message is what [`Message::check`] finds out.
impl<'a> Message<'a> {
    // Inlined, so that the compiler knows the number and with it the lengths.

    /// The values of `number`, in order, those of a wrong length left out.
    #[inline(always)]
    pub fn values(&self, number: OptionNumber) -> Values<'a> {
        Values { options: self.options(), number, lengths: number.lengths() }
    }

    /// The first value of `number`.
    #[inline(always)]
    pub fn value(&self, number: OptionNumber) -> Option<&'a [u8]> {
        self.options().value_of(number, number.lengths())
    }

    /// The first value of `number`, read as an unsigned integer.
    #[inline(always)]
    pub fn uint(&self, number: OptionNumber) -> Option<u32> {
        self.uint_of(number, number.lengths())
    }

    fn uint_of(&self, number: OptionNumber, lengths: Lengths) -> Option<u32> {
        decode_uint(self.options().value_of(number, lengths)?)
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
