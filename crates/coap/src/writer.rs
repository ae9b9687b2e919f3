//! Writing a message into memory that the caller lends.

use core::fmt;

use crate::block::Block;
use crate::message::{OptionHead, options_at};
use crate::{Code, ContentFormat, OptionNumber, Token, Type};

/// The message of nothing but a header: a ping, a bare acknowledgement or a Reset
/// ([RFC 7252 section 4.1](https://www.rfc-editor.org/rfc/rfc7252#section-4.1)).
pub const fn empty_message(kind: Type, message_id: u16) -> [u8; 4] {
    let [high, low] = message_id.to_be_bytes();
    [0x40 | (kind as u8) << 4, Code::EMPTY.0, high, low]
}

/// Writes one message into a buffer, front to back. As a [`fmt::Write`] it appends to the payload.
///
/// Errors are kept and told once, by [`finish`](Self::finish): calls can be chained without looking at
/// each.
///
/// ```
/// # use sedge_coap::{Code, ContentFormat, OptionNumber, Token, Type, Writer};
/// let mut buffer = [0; 64];
/// let mut writer = Writer::new(&mut buffer, Type::Con, Code::PUT, 0x1234, Token::new(b"t1").unwrap());
/// writer.path(["d", "site", "temp"]).content_format(ContentFormat::TEXT).payload(b"21.5");
/// let len = writer.finish().unwrap();
/// assert_eq!(&buffer[..len], b"\x42\x03\x12\x34t1\xb1d\x04site\x04temp\x10\xff21.5");
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    last_option: u16,
    has_payload: bool,
    error: Option<WriteError>,
}

impl<'b> Writer<'b> {
    /// Starts a message at the front of `buffer`.
    pub fn new(buffer: &'b mut [u8], kind: Type, code: Code, message_id: u16, token: Token) -> Self {
        let mut writer = Self { buffer, len: 0, last_option: 0, has_payload: false, error: None };
        let [first, _, high, low] = empty_message(kind, message_id);
        writer.push_array([first | token.len() as u8, code.0, high, low]);
        writer.push(token.as_bytes());
        writer
    }

    /// Adds an option. Numbers must not descend.
    pub fn option(&mut self, number: OptionNumber, value: &[u8]) -> &mut Self {
        if self.has_payload {
            return self.fail(WriteError::OptionAfterPayload);
        }
        let Some(delta) = number.0.checked_sub(self.last_option) else {
            return self.fail(WriteError::OptionOrder);
        };
        let Ok(len) = u16::try_from(value.len()) else {
            return self.fail(WriteError::OptionLength);
        };
        self.push_head(delta, len);
        self.push(value);
        self.last_option = number.0;
        self
    }

    /// Adds an option where its number belongs, behind those of the same number. Slower than
    /// [`option`](Self::option), for what follows has to move; meant for the layer that adds to a message
    /// which another has written.
    pub fn insert_option(&mut self, number: OptionNumber, value: &[u8]) -> &mut Self {
        let last = self.last_option;
        if number.0 >= last || self.has_payload || self.error.is_some() {
            return self.option(number, value);
        }
        let mut previous = 0;
        let mut at = self.buffer.first_chunk().map_or(0, |header| options_at(*header));
        while let Some(&first) = self.buffer.get(at) {
            let Ok(Some(next)) = OptionHead::read(previous, first, self.buffer, at) else { break };
            if next.number <= usize::from(number.0) {
                (previous, at) = (next.number, next.value_at + next.value_len);
                continue;
            }
            // The head of the next option is written anew, for its delta shrinks.
            let delta = (next.number as u16).wrapping_sub(number.0);
            let head = |delta: u16, len: usize| 1 + extension_len(delta) + extension_len(len as u16);
            let grown = head(number.0.wrapping_sub(previous as u16), value.len())
                + value.len()
                + head(delta, next.value_len);
            let end = self.len + grown - (next.value_at - at);
            if end > self.buffer.len() {
                return self.fail(WriteError::BufferTooSmall);
            }
            move_within(self.buffer, next.value_at, self.len, at + grown);
            (self.len, self.last_option) = (at, previous as u16);
            self.option(number, value).push_head(delta, next.value_len as u16);
            (self.len, self.last_option) = (end, last);
            break;
        }
        self
    }

    /// Adds an option whose value is an unsigned integer, in the fewest bytes.
    pub fn option_uint(&mut self, number: OptionNumber, value: u32) -> &mut Self {
        let bytes = value.to_be_bytes();
        let leading = (value.leading_zeros() / 8) as usize;
        self.option(number, bytes.get(leading..).unwrap_or(&[]))
    }

    /// Adds one Uri-Path option for each segment.
    pub fn path<S: AsRef<[u8]>>(&mut self, segments: impl IntoIterator<Item = S>) -> &mut Self {
        for segment in segments {
            self.option(OptionNumber::URI_PATH, segment.as_ref());
        }
        self
    }

    /// Adds Content-Format.
    pub fn content_format(&mut self, format: ContentFormat) -> &mut Self {
        self.option_uint(OptionNumber::CONTENT_FORMAT, format.0.into())
    }

    /// Adds Block1 or Block2.
    pub fn block(&mut self, number: OptionNumber, block: Block) -> &mut Self {
        self.option_uint(number, block.value())
    }

    /// Appends to the payload.
    pub fn payload(&mut self, bytes: &[u8]) -> &mut Self {
        if !bytes.is_empty() {
            self.mark_payload();
            self.push(bytes);
        }
        self
    }

    /// How many more bytes of payload fit.
    pub const fn remaining(&self) -> usize {
        let free = self.buffer.len().saturating_sub(self.len);
        if self.has_payload { free } else { free.saturating_sub(1) }
    }

    /// The memory where the payload goes on, to be written in place and then
    /// [committed](Self::commit_payload).
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let start = if self.has_payload { self.len } else { self.len.saturating_add(1) };
        self.buffer.get_mut(start..).unwrap_or(&mut [])
    }

    /// Takes the first `len` bytes of [`payload_mut`](Self::payload_mut) into the message.
    pub fn commit_payload(&mut self, len: usize) -> &mut Self {
        if len > self.remaining() {
            return self.fail(WriteError::BufferTooSmall);
        }
        if len > 0 {
            self.mark_payload();
            self.len += len;
        }
        self
    }

    /// Ends the message and says how many bytes it takes at the front of the buffer.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn finish(self) -> Result<usize, WriteError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.len),
        }
    }

    fn mark_payload(&mut self) {
        if !self.has_payload {
            self.push_array([0xff]);
            self.has_payload = true;
        }
    }

    fn push_head(&mut self, delta: u16, len: u16) {
        if delta.max(len) < 13 {
            return self.push_array([(delta << 4 | len) as u8]);
        }
        self.push_array([nibble(delta) << 4 | nibble(len)]);
        self.push_extension(delta);
        self.push_extension(len);
    }

    /// What is left to write of a delta or length after its nibble.
    fn push_extension(&mut self, value: u16) {
        match value {
            ..13 => {}
            13..269 => self.push_array([(value - 13) as u8]),
            269.. => self.push_array((value - 269).to_be_bytes()),
        }
    }

    /// A few bytes, known in number, which need no call to copy them.
    fn push_array<const N: usize>(&mut self, bytes: [u8; N]) {
        match self.buffer.get_mut(self.len..).and_then(|free| free.first_chunk_mut()) {
            Some(place) => {
                *place = bytes;
                self.len += N;
            }
            None => {
                self.fail(WriteError::BufferTooSmall);
            }
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn push(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.len..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => {
                self.fail(WriteError::BufferTooSmall);
            }
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn fail(&mut self, error: WriteError) -> &mut Self {
        self.error.get_or_insert(error);
        self
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.payload(text.as_bytes());
        if self.error.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Moves `from..end` to `to`, byte by byte: in firmware this would be the only reason to link `memmove`, which is long.
fn move_within(buffer: &mut [u8], from: usize, end: usize, to: usize) {
    let cells = core::cell::Cell::from_mut(buffer).as_slice_of_cells();
    let move_one = |at: usize| {
        if let (Some(source), Some(target)) = (cells.get(from + at), cells.get(to + at)) {
            target.set(source.get());
        }
    };
    let len = end.saturating_sub(from);
    if to < from { (0..len).for_each(move_one) } else { (0..len).rev().for_each(move_one) }
}

/// The nibble for a delta or length.
const fn nibble(value: u16) -> u8 {
    match value {
        ..13 => value as u8,
        13..269 => 13,
        269.. => 14,
    }
}

const fn extension_len(value: u16) -> usize {
    match value {
        ..13 => 0,
        13..269 => 1,
        269.. => 2,
    }
}

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The message does not fit the buffer.
    BufferTooSmall,
    /// An option came after one with a higher number.
    OptionOrder,
    /// An option came after the payload.
    OptionAfterPayload,
    /// The value of an option is longer than 65535 bytes.
    OptionLength,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the message does not fit the buffer",
            Self::OptionOrder => "an option came after one with a higher number",
            Self::OptionAfterPayload => "an option came after the payload",
            Self::OptionLength => "the value of an option is longer than 65535 bytes",
        })
    }
}

impl core::error::Error for WriteError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn write(
        buffer: &mut [u8],
        fill: impl for<'a, 'b> FnOnce(&'a mut Writer<'b>) -> &'a mut Writer<'b>,
    ) -> Result<usize, WriteError> {
        let mut writer = Writer::new(buffer, Type::Non, Code::POST, 0x0102, Token::EMPTY);
        let _ = fill(&mut writer);
        writer.finish()
    }

    /// RFC 7252 section 3.1: the steps of the extended delta and length.
    #[test]
    fn writes_every_width_of_delta_and_length() {
        for (number, head) in [
            (12, &b"\xc0"[..]),
            (13, b"\xd0\x00"),
            (268, b"\xd0\xff"),
            (269, b"\xe0\x00\x00"),
            (65535, b"\xe0\xfe\xf2"),
        ] {
            let mut buffer = [0; 8];
            let len = write(&mut buffer, |w| w.option(OptionNumber(number), b"")).unwrap();
            assert_eq!(&buffer[4..len], head);
        }
        for (value_len, head) in [
            (12, &b"\x1c"[..]),
            (13, b"\x1d\x00"),
            (268, b"\x1d\xff"),
            (269, b"\x1e\x00\x00"),
            (1034, b"\x1e\x02\xfd"),
        ] {
            let mut buffer = [0; 1100];
            let value = [7; 1034];
            let len = write(&mut buffer, |w| w.option(OptionNumber(1), &value[..value_len])).unwrap();
            assert_eq!(&buffer[4..4 + head.len()], head);
            assert_eq!(&buffer[4 + head.len()..len], &value[..value_len]);
        }
    }

    #[test]
    fn writes_integers_in_the_fewest_bytes() {
        for (value, bytes) in [
            (0, &b"\x60"[..]),
            (1, b"\x61\x01"),
            (256, b"\x62\x01\x00"),
            (0xff_ffff, b"\x63\xff\xff\xff"),
            (u32::MAX, b"\x64\xff\xff\xff\xff"),
        ] {
            let mut buffer = [0; 16];
            let len = write(&mut buffer, |w| w.option_uint(OptionNumber(6), value)).unwrap();
            assert_eq!(&buffer[4..len], bytes);
        }
    }

    #[test]
    fn payload_can_be_written_in_place() {
        let mut buffer = [0; 10];
        let len = write(&mut buffer, |writer| {
            assert_eq!(writer.remaining(), 5);
            writer.payload_mut()[..2].copy_from_slice(b"ab");
            writer.commit_payload(2).payload(b"c");
            assert_eq!(writer.remaining(), 2);
            writer.payload_mut().copy_from_slice(b"de");
            writer.commit_payload(2)
        })
        .unwrap();
        assert_eq!(Message::parse(&buffer[..len]).unwrap().payload(), b"abcde");
        let len = write(&mut buffer, |writer| writer.commit_payload(0).payload(b"")).unwrap();
        assert_eq!(len, 4);
    }

    /// Any order of insertion makes the same message as ascending numbers do.
    #[test]
    fn options_are_inserted_where_they_belong() {
        let numbers = [1, 6, 6, 13, 20, 292, 300, 2000, 65_535];
        let value = [7; 300];
        for (step, value_len) in [(2, 0), (4, 1), (5, 13), (7, 300), (8, 12)] {
            let mut ascending = [0; 4096];
            let mut inserted = [0; 4096];
            let len = write(&mut ascending, |writer| {
                for number in numbers {
                    writer.option(OptionNumber(number), &value[..value_len]);
                }
                writer.payload(b"end")
            })
            .unwrap();
            let inserted_len = write(&mut inserted, |writer| {
                for index in 0..numbers.len() {
                    let number = numbers[(index * step + 3) % numbers.len()];
                    writer.insert_option(OptionNumber(number), &value[..value_len]);
                }
                writer.payload(b"end")
            })
            .unwrap();
            assert_eq!(ascending[..len], inserted[..inserted_len]);
            // A byte too few is told, not lost.
            let short = write(&mut inserted[..len - 5], |writer| {
                for &number in numbers.iter().rev() {
                    writer.insert_option(OptionNumber(number), &value[..value_len]);
                }
                writer
            });
            assert_eq!(short, Err(WriteError::BufferTooSmall));
        }
        // Equal numbers keep their order.
        let mut buffer = [0; 32];
        let len = write(&mut buffer, |writer| {
            let number = OptionNumber(11);
            writer.option(number, b"a").option(OptionNumber(12), b"").insert_option(number, b"b")
        })
        .unwrap();
        assert_eq!(&buffer[4..len], b"\xb1a\x01b\x10");
    }

    #[test]
    fn the_first_error_is_told() {
        let mut buffer = [0; 8];
        assert_eq!(write(&mut [], |w| w), Err(WriteError::BufferTooSmall));
        assert_eq!(
            write(&mut buffer, |w| w.option(OptionNumber(2), b"").option(OptionNumber(1), b"12345")),
            Err(WriteError::OptionOrder)
        );
        assert_eq!(write(&mut buffer, |w| w.payload(b"1234")), Err(WriteError::BufferTooSmall));
        assert_eq!(write(&mut buffer, |w| w.commit_payload(4)), Err(WriteError::BufferTooSmall));
        assert_eq!(
            write(&mut buffer, |w| w.payload(b"1").option(OptionNumber(1), b"")),
            Err(WriteError::OptionAfterPayload)
        );
        // A message that did not fit stays refused, even if what comes later would.
        assert_eq!(
            write(&mut buffer, |w| w.option(OptionNumber(1), b"12345").option(OptionNumber(1), b"")),
            Err(WriteError::BufferTooSmall)
        );
    }
}
