//! A reader of DER that takes one encoding of each value and nothing else
//! ([X.690](https://www.itu.int/rec/T-REC-X.690) section 10).

use crate::error::Error;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag `[number]` of a primitive type.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` of a constructed type, or of any type that it is put in front of.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// What is left to read of a run of elements.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// There must be no more.
    pub(crate) const fn end(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Malformed) }
    }

    /// The tag of the next element; zero, which no element has, behind the last.
    pub(crate) fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    /// The next element.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Error> {
        let element = split(self.rest).ok_or(Error::Malformed)?;
        self.rest = self.rest.get(element.der.len()..).unwrap_or_default();
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Error> {
        match self.element()? {
            element if element.tag == tag => Ok(element),
            _ => Err(Error::Malformed),
        }
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Error> {
        if self.peek() == tag { self.element().map(Some) } else { Ok(None) }
    }

    /// The bytes of a BIT STRING that has a multiple of eight bits.
    pub(crate) fn octet_aligned_bits(&mut self) -> Result<&'a [u8], Error> {
        match self.expect(BIT_STRING)?.content {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(Error::Malformed),
        }
    }

    /// The content of an INTEGER that is not negative: its digits without the zero that may stand in front.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], Error> {
        unsigned(self.expect(INTEGER)?.content).ok_or(Error::Malformed)
    }

    /// An INTEGER from 0 to 255.
    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        match self.unsigned()? {
            [byte] => Ok(*byte),
            _ => Err(Error::Malformed),
        }
    }

    /// A BOOLEAN whose default is false, so that only true is ever written.
    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        match self.optional(BOOLEAN)? {
            None => Ok(false),
            Some(Element { content: [0xff], .. }) => Ok(true),
            Some(_) => Err(Error::Malformed),
        }
    }
}

/// One tag, length and content.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// All of it.
    pub(crate) der: &'a [u8],
}

impl<'a> Element<'a> {
    /// What it consists of.
    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// Exactly one element of this tag.
pub(crate) fn single(tag: u8, der: &[u8]) -> Result<Element<'_>, Error> {
    let mut reader = Reader::new(der);
    let element = reader.expect(tag)?;
    reader.end()?;
    Ok(element)
}

fn split(bytes: &[u8]) -> Option<Element<'_>> {
    // Tag numbers above 30, lengths of more than two bytes and indefinite lengths do not occur in a certificate.
    let (head, len) = match *bytes {
        [_, len @ 0..=0x7f, ..] => (2, usize::from(len)),
        [_, 0x81, len @ 0x80..=0xff, ..] => (3, usize::from(len)),
        [_, 0x82, high @ 1..=0xff, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    let der = bytes.get(..head + len)?;
    let tag = *der.first()?;
    (tag & 0x1f != 0x1f).then_some(Element { tag, content: der.get(head..)?, der })
}

fn unsigned(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, digits @ ..] if matches!(digits, [0x80..=0xff, ..]) => Some(digits),
        [0] | [1..0x80, ..] => Some(content),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn element(der: &[u8]) -> Option<&[u8]> {
        single(OCTET_STRING, der).ok().map(|element| element.content)
    }

    #[test]
    fn a_length_has_one_encoding() {
        for len in [0, 1, 127, 128, 255, 256, 65_535] {
            let minimal = match len {
                0..128 => vec![4, len as u8],
                128..256 => vec![4, 0x81, len as u8],
                _ => vec![4, 0x82, (len >> 8) as u8, len as u8],
            };
            let content = vec![7; len];
            let der = [&minimal[..], &content].concat();
            assert_eq!(element(&der), Some(&content[..]), "{len}");
            assert_eq!(element(&[&der[..], &[0]].concat()), None, "a byte behind it");
            assert_eq!(element(&der[..der.len() - 1]), None, "a byte missing");
            let longer: Vec<Vec<u8>> = match len {
                0..128 => vec![vec![4, 0x81, len as u8], vec![4, 0x82, 0, len as u8]],
                128..256 => vec![vec![4, 0x82, 0, len as u8], vec![4, 0x83, 0, 0, len as u8]],
                _ => vec![vec![4, 0x83, 0, (len >> 8) as u8, len as u8]],
            };
            for head in longer {
                assert_eq!(element(&[&head[..], &content].concat()), None, "{head:02x?}");
            }
        }
        assert_eq!(element(&[0x24, 0x80, 4, 1, 7, 0, 0]), None, "indefinite");
        assert_eq!(element(&[4, 0x80]), None);
        assert_eq!(element(&[4, 0xff]), None);
        assert!(single(0x1f, &[0x1f, 0x04, 0]).is_err(), "a long tag");
        for short in [&[][..], &[4], &[4, 0x81], &[4, 0x82, 1]] {
            assert_eq!(element(short), None);
        }
    }

    #[test]
    fn integers_have_no_more_bytes_than_they_need() {
        let read = |content: &[u8]| unsigned(content).map(<[u8]>::to_vec);
        assert_eq!(read(&[0]), Some(vec![0]));
        assert_eq!(read(&[0x7f]), Some(vec![0x7f]));
        assert_eq!(read(&[0, 0x80]), Some(vec![0x80]));
        assert_eq!(read(&[1, 0]), Some(vec![1, 0]));
        for refused in [&[][..], &[0x80], &[0xff], &[0, 0x7f], &[0, 0], &[0, 0, 0x80]] {
            assert_eq!(read(refused), None, "{refused:02x?}");
        }
    }

    #[test]
    fn a_flag_is_true_or_absent() {
        let flag = |der| Reader::new(der).flag();
        assert_eq!(flag(&[]), Ok(false));
        assert_eq!(flag(&[1, 1, 0xff]), Ok(true));
        for refused in [&[1, 1, 0][..], &[1, 1, 1], &[1, 0], &[1, 2, 0xff, 0xff]] {
            assert_eq!(flag(refused), Err(Error::Malformed));
        }
    }
}
