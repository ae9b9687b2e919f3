//! The names of issuers and subjects.

use core::fmt;

use crate::der::{self, Element, Reader};
use crate::error::Error;

/// A distinguished name ([RFC 5280 section 4.1.2.4](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.4)).
///
/// Two names are the same if their bytes are: what a CA writes as its subject it also writes as issuer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a> {
    der: &'a [u8],
}

impl<'a> Name<'a> {
    /// The whole name in DER.
    pub const fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// Whether it says nothing: then the subject's names are in the
    /// [`SubjectAltName`](crate::SubjectAltName) alone.
    pub const fn is_empty(&self) -> bool {
        self.der.len() <= 2
    }

    /// The most specific (in DER: the last) common name, if it is text in UTF-8.
    pub fn common_name(&self) -> Option<&'a str> {
        core::str::from_utf8(self.common_name_bytes()?).ok()
    }

    /// The same without a look at the text.
    pub(crate) fn common_name_bytes(&self) -> Option<&'a [u8]> {
        let mut found = None;
        // The name was found to be well-formed when it was parsed.
        let _ended = walk(self.der, |attribute_type, value| {
            if attribute_type == COMMON_NAME {
                let is_text = matches!(value.tag, der::UTF8_STRING | der::PRINTABLE_STRING | der::IA5_STRING);
                found = is_text.then_some(value.content);
            }
        });
        found
    }

    pub(crate) fn parse(element: Element<'a>) -> Result<Self, Error> {
        walk(element.der, |_, _| ())?;
        Ok(Self { der: element.der })
    }
}

/// The common name, or a number of bytes.
impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.common_name() {
            Some(name) => write!(f, "Name(CN={name:?})"),
            None => write!(f, "Name({} bytes)", self.der.len()),
        }
    }
}

/// id-at-commonName, 2.5.4.3.
pub(crate) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// `SEQUENCE OF SET OF SEQUENCE { type, value }`: hands over each type and value.
fn walk<'a>(name: &'a [u8], mut each: impl FnMut(&'a [u8], Element<'a>)) -> Result<(), Error> {
    let mut names = der::single(der::SEQUENCE, name)?.reader();
    while !names.is_empty() {
        let mut attributes: Reader<'a> = names.expect(der::SET)?.reader();
        // A SET is of one attribute or more.
        loop {
            let mut attribute = attributes.expect(der::SEQUENCE)?.reader();
            let attribute_type = attribute.expect(der::OBJECT_IDENTIFIER)?.content;
            let value = attribute.element()?;
            attribute.end()?;
            each(attribute_type, value);
            if attributes.is_empty() {
                break;
            }
        }
    }
    Ok(())
}
