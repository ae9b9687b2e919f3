//! Concise problem details, the body that explains an error
//! ([RFC 9290](https://www.rfc-editor.org/rfc/rfc9290)), a CBOR map.

use core::fmt;

use crate::{Code, ContentFormat, OptionNumber, Writer};

/// What went wrong, in words. All parts are optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Problem<'a> {
    /// A short summary, which does not change from one occurrence to the next.
    pub title: Option<&'a str>,
    /// What is particular about this occurrence, and what helps.
    pub detail: Option<&'a str>,
    /// A URI reference that identifies the occurrence.
    pub instance: Option<&'a str>,
    /// The response code, for when the body travels without its message.
    pub response_code: Option<Code>,
}

const TITLE: i64 = -1;
const DETAIL: i64 = -2;
const INSTANCE: i64 = -3;
const RESPONSE_CODE: i64 = -4;
/// The CBOR tag of a text with its language: an array of the language tag, the text and maybe a direction.
const LANGUAGE_TAGGED: u64 = 38;
/// How deep what is not known may nest.
const MAX_DEPTH: u8 = 8;

impl<'a> Problem<'a> {
    /// A problem with a title.
    pub const fn new(title: &'a str) -> Self {
        Self { title: Some(title), detail: None, instance: None, response_code: None }
    }

    /// The same with a detail.
    pub const fn detail(self, detail: &'a str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Writes Content-Format and payload of an error response, whose other options have been written. If the
    /// text does not fit, the response goes out without it: the code says enough.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let format = ContentFormat::PROBLEM_DETAILS.0.to_be_bytes();
        // The option takes a head and two bytes; the payload marker is counted already.
        if self.encoded_len() + 3 <= writer.remaining() {
            writer.insert_option(OptionNumber::CONTENT_FORMAT, &format);
            self.encode(|bytes| {
                writer.payload(bytes);
            });
        }
    }

    /// How many bytes the body has.
    pub fn encoded_len(&self) -> usize {
        let mut len = 0;
        self.encode(|bytes| len += bytes.len());
        len
    }

    /// Encodes the body, piece by piece.
    pub fn encode(&self, mut push: impl FnMut(&[u8])) {
        let texts = [(TITLE, self.title), (DETAIL, self.detail), (INSTANCE, self.instance)];
        let entries = texts.iter().filter(|(_, text)| text.is_some()).count()
            + usize::from(self.response_code.is_some());
        push(&[MAP << 5 | entries as u8]);
        for (key, text) in texts {
            let Some(text) = text else { continue };
            push(&[negative(key)]);
            let len = text.len();
            match len {
                ..24 => push(&[TEXT << 5 | len as u8]),
                24..0x100 => push(&[TEXT << 5 | 24, len as u8]),
                0x100..0x1_0000 => push(&[TEXT << 5 | 25, (len >> 8) as u8, len as u8]),
                _ => {
                    push(&[TEXT << 5 | 27]);
                    push(&(len as u64).to_be_bytes());
                }
            }
            push(text.as_bytes());
        }
        if let Some(code) = self.response_code {
            push(&[negative(RESPONSE_CODE), UNSIGNED << 5 | 24, code.0]);
        }
    }

    /// Decodes a body. Entries that are not known are passed over, as the RFC wants it.
    ///
    /// # Errors
    /// The body is no CBOR map, is followed by more, or holds a known entry of another type.
    pub fn decode(body: &'a [u8]) -> Result<Self, NotProblemDetails> {
        let mut cbor = Cbor { rest: body };
        let mut problem = Self::default();
        let (MAP, entries) = cbor.head()? else { return Err(NotProblemDetails) };
        let mut left = entries;
        while left != Some(0) {
            if left.is_none() && cbor.is_break() {
                break;
            }
            left = left.map(|left| left - 1);
            match cbor.key()? {
                Some(TITLE) => problem.title = Some(cbor.text()?),
                Some(DETAIL) => problem.detail = Some(cbor.text()?),
                Some(INSTANCE) => problem.instance = Some(cbor.text()?),
                Some(RESPONSE_CODE) => match cbor.head()? {
                    (UNSIGNED, Some(code @ 0..=255)) => problem.response_code = Some(Code(code as u8)),
                    _ => return Err(NotProblemDetails),
                },
                _ => cbor.skip(MAX_DEPTH)?,
            }
        }
        if cbor.rest.is_empty() { Ok(problem) } else { Err(NotProblemDetails) }
    }
}

/// For a person: title and detail.
impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.title, self.detail) {
            (Some(title), Some(detail)) => write!(f, "{title}: {detail}"),
            (Some(text), None) | (None, Some(text)) => f.write_str(text),
            (None, None) => Ok(()),
        }
    }
}

/// The body is not what the Content-Format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProblemDetails;

impl fmt::Display for NotProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a concise problem details body")
    }
}

impl core::error::Error for NotProblemDetails {}

// Major types of CBOR (RFC 8949 section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// The encoding of a small negative number.
const fn negative(value: i64) -> u8 {
    NEGATIVE << 5 | (-1 - value) as u8
}

struct Cbor<'a> {
    rest: &'a [u8],
}

impl<'a> Cbor<'a> {
    /// The major type and argument of the next item; no argument if its length is indefinite.
    fn head(&mut self) -> Result<(u8, Option<u64>), NotProblemDetails> {
        let &[first] = self.take(1)? else { return Err(NotProblemDetails) };
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = match info {
            ..24 => Some(u64::from(info)),
            24..28 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
            }
            31 if matches!(major, BYTES..=MAP) => None,
            _ => return Err(NotProblemDetails),
        };
        Ok((major, argument))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], NotProblemDetails> {
        let len = usize::try_from(len).map_err(|_| NotProblemDetails)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(NotProblemDetails)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Whether an item of indefinite length ends here; if so, it has ended.
    fn is_break(&mut self) -> bool {
        let rest = self.rest.strip_prefix(&[0xff]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A key of a map: a number, or `None` for anything else.
    fn key(&mut self) -> Result<Option<i64>, NotProblemDetails> {
        let start = self.rest;
        match self.head()? {
            (NEGATIVE, Some(value)) => Ok(i64::try_from(value).ok().map(|value| -1 - value)),
            (UNSIGNED, _) => Ok(None),
            _ => {
                self.rest = start;
                self.skip(MAX_DEPTH).map(|()| None)
            }
        }
    }

    /// A text, or the text in an array tagged with its language.
    fn text(&mut self) -> Result<&'a str, NotProblemDetails> {
        match self.head()? {
            (TEXT, Some(len)) => core::str::from_utf8(self.take(len)?).map_err(|_| NotProblemDetails),
            (TAG, Some(LANGUAGE_TAGGED)) => {
                let (ARRAY, Some(len @ 2..=3)) = self.head()? else { return Err(NotProblemDetails) };
                self.skip(0)?;
                let (TEXT, Some(text_len)) = self.head()? else { return Err(NotProblemDetails) };
                let text = core::str::from_utf8(self.take(text_len)?).map_err(|_| NotProblemDetails)?;
                if len == 3 {
                    self.skip(0)?;
                }
                Ok(text)
            }
            _ => Err(NotProblemDetails),
        }
    }

    /// Passes over one item, which nests at most `depth` deep.
    fn skip(&mut self, depth: u8) -> Result<(), NotProblemDetails> {
        let (major, argument) = self.head()?;
        let mut items = match (major, argument) {
            (BYTES | TEXT, Some(len)) => return self.take(len).map(drop),
            (ARRAY, items) => items,
            (MAP, items) => match items {
                Some(pairs) => Some(pairs.checked_mul(2).ok_or(NotProblemDetails)?),
                None => None,
            },
            (TAG, Some(_)) => Some(1),
            (BYTES | TEXT, None) => None,
            _ => return Ok(()),
        };
        let depth = depth.checked_sub(1).ok_or(NotProblemDetails)?;
        while items != Some(0) {
            if items.is_none() && self.is_break() {
                break;
            }
            self.skip(depth)?;
            items = items.map(|items| items - 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::{Message, Token, Type};

    fn encode(problem: &Problem<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        problem.encode(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// By hand from RFC 9290 section 2.
    #[test]
    fn encodes_as_the_rfc_says() {
        let problem = Problem { response_code: Some(Code::NOT_FOUND), ..Problem::new("no").detail("x") };
        assert_eq!(encode(&problem), b"\xa3\x20\x62no\x21\x61x\x23\x18\x84");
        assert_eq!(encode(&Problem::default()), b"\xa0");
        assert_eq!(Problem::decode(&encode(&problem)), Ok(problem));
        assert_eq!(problem.to_string(), "no: x");
        for len in [23, 24, 255, 256, 65_535, 65_536] {
            let title = "t".repeat(len);
            assert_eq!(Problem::decode(&encode(&Problem::new(&title))), Ok(Problem::new(&title)));
        }
    }

    #[test]
    fn passes_over_what_is_not_known() {
        for body in [
            // Base language and direction, a number and a text as key, an array of a tag, bytes and a float.
            &b"\xa5\x25\x62en\x26\xf5\x20\x61t\x07\x83\xc1\x00\x42ab\xfa\x00\x00\x00\x00\x61k\xa1\x01\x02"[..],
            // Indefinite lengths.
            b"\xbf\x20\x61t\x07\x9f\x01\xff\x08\x7f\x61a\x61b\xff\xff",
            // A title with its language.
            b"\xa1\x20\xd8\x26\x82\x62en\x61t",
            b"\xa1\x20\xd8\x26\x83\x62en\x61t\xf4",
        ] {
            assert_eq!(Problem::decode(body), Ok(Problem::new("t")), "{body:02x?}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for body in [
            &b""[..],
            b"\x80",
            b"\xa1",
            b"\xa1\x20",
            b"\xa1\x20\x01",
            b"\xa1\x20\x62a",
            b"\xa1\x20\x61\xff",
            b"\xa0\x00",
            b"\xbf\x20\x61t",
            b"\xa1\x23\x19\x01\x00",
            b"\xa1\x01\x1c",
            b"\xa1\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02",
            b"\xa1\x01\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(Problem::decode(body), Err(NotProblemDetails), "{body:02x?}");
        }
        // Nested too deeply.
        let deep = [&b"\xa1\x01"[..], &[0x81; 100], b"\x00"].concat();
        assert_eq!(Problem::decode(&deep), Err(NotProblemDetails));
    }

    #[test]
    fn a_response_goes_out_even_if_the_text_does_not_fit() {
        let problem = Problem::new("Topic not found");
        for size in 7..40 {
            let mut buffer = std::vec![0; size];
            let mut writer = Writer::new(&mut buffer, Type::Ack, Code::NOT_FOUND, 1, Token::EMPTY);
            writer.option(OptionNumber::MAX_AGE, &[5]);
            problem.write(&mut writer);
            let len = writer.finish().unwrap();
            let message = Message::parse(&buffer[..len]).unwrap();
            if size < 7 + 3 + 1 + problem.encoded_len() {
                assert_eq!((message.content_format(), message.payload()), (None, &b""[..]));
            } else {
                assert_eq!(message.content_format(), Some(ContentFormat::PROBLEM_DETAILS));
                assert_eq!(message.max_age(), 5);
                assert_eq!(Problem::decode(message.payload()), Ok(problem));
            }
        }
    }
}
