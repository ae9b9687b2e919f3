//! The grammar of a message
//! ([RFC 7252 section 3](https://www.rfc-editor.org/rfc/rfc7252#section-3)).

use super::Malformed;
use crate::{Code, Token, Type};

/// The one pass: whether the message is well-formed, and where its payload starts.
pub(super) fn find_payload(header: [u8; 4], datagram: &[u8]) -> Result<usize, Malformed> {
    let [first, code, ..] = header;
    let classes = CLASSES.get(usize::from(first >> 4)).copied().unwrap_or(0);
    if code == 0 || classes >> Code(code).class() & 1 == 0 {
        // Empty messages are a header, and not Non-confirmable.
        let may_be_empty = matches!(first, 0x40 | 0x60 | 0x70);
        return if code == 0 && may_be_empty && datagram.len() == 4 {
            Ok(4)
        } else {
            Err(what_is_wrong(header, datagram.len() > 4))
        };
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
pub(crate) const fn options_at(header: [u8; 4]) -> usize {
    4 + (header[0] & 0xf) as usize
}

/// By version and type, the upper half of the first byte: a set of bits, of which bit `n` says that such a
/// message may have a code of class `n`.
const CLASSES: [u8; 16] = [0, 0, 0, 0, 0b11_1101, 0b11_1101, 0b11_1100, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What is wrong with a code that does not go with its type, or an empty message that may not be
/// ([RFC 7252 section 4.1](https://www.rfc-editor.org/rfc/rfc7252#section-4.1) to
/// [4.3](https://www.rfc-editor.org/rfc/rfc7252#section-4.3)).
fn what_is_wrong(header: [u8; 4], is_longer: bool) -> Malformed {
    let [first, code, ..] = header;
    let code = Code(code);
    match Type::from_bits(first >> 4) {
        _ if first >> 6 != 1 => Malformed::UnknownVersion,
        _ if code.is_reserved() => Malformed::ReservedClass,
        Type::Rst if code != Code::EMPTY => Malformed::ResetWithContent,
        Type::Ack if code.is_request() => Malformed::RequestInAck,
        Type::Non if !is_longer && first & 0xf == 0 => Malformed::EmptyNon,
        _ => Malformed::EmptyWithContent,
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
        // One test finds most options: a nibble without its bits 3 and 2 together is below 12.
        if first & first << 1 & 0x88 == 0 {
            let number = previous + usize::from(first >> 4);
            return Ok(Some(Self { number, value_at: at + 1, value_len: usize::from(first & 0xf) }));
        }
        if first == 0xff { Ok(None) } else { Self::read_long(previous, first, bytes, at).map(Some) }
    }

    fn read_long(previous: usize, first: u8, bytes: &[u8], at: usize) -> Result<Self, Malformed> {
        let (delta, at) = extended(first >> 4, bytes, at + 1)?;
        let (value_len, value_at) = extended(first & 0xf, bytes, at)?;
        let number = check_number(previous + delta as usize)?;
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
pub(super) fn decode_uint(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
}
