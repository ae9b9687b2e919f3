//! The subject's names that are not a distinguished name.

use core::fmt;
use core::net::IpAddr;

use crate::der::{self, Element, Reader};
use crate::error::Error;

/// The names of a certificate's subject
/// ([RFC 5280 section 4.2.1.6](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubjectAltName<'a> {
    /// One name or more.
    names: &'a [u8],
}

impl<'a> SubjectAltName<'a> {
    /// The names, in their order.
    pub fn iter(&self) -> impl Iterator<Item = GeneralName<'a>> + use<'a> {
        elements(self.names).map(GeneralName::of)
    }

    /// Whether one of the names has this tag and content.
    pub(crate) fn contains(&self, tag: u8, mut is: impl FnMut(&[u8]) -> bool) -> bool {
        elements(self.names).any(|name| name.tag == tag && is(name.content))
    }

    pub(crate) fn parse(element: Element<'a>) -> Result<Self, Error> {
        let mut names = element.reader();
        loop {
            let name = names.element()?;
            let is_right = match name.tag {
                DNS_NAME | URI => !name.content.is_empty() && name.content.iter().all(u8::is_ascii_graphic),
                IP_ADDRESS => matches!(name.content.len(), 4 | 16),
                // otherName, x400Address, directoryName and ediPartyName are constructed, the rest is not.
                0xa0 | 0xa3..=0xa5 | 0x81 | 0x88 => true,
                _ => false,
            };
            if !is_right {
                return Err(Error::Malformed);
            }
            if names.is_empty() {
                return Ok(Self { names: element.content });
            }
        }
    }
}

impl fmt::Debug for SubjectAltName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One name of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeneralName<'a> {
    /// A dNSName: a host's name, perhaps with `*` for its first label, or a device's.
    Dns(&'a str),
    /// A uniformResourceIdentifier.
    Uri(&'a str),
    /// An iPAddress.
    Ip(IpAddr),
    /// A name of another kind, with the number of its tag.
    Other(u8),
}

impl<'a> GeneralName<'a> {
    fn of(element: Element<'a>) -> Self {
        // Both were found to be ASCII when they were parsed.
        let text = || core::str::from_utf8(element.content).unwrap_or_default();
        match element.tag {
            DNS_NAME => Self::Dns(text()),
            URI => Self::Uri(text()),
            IP_ADDRESS => match address(element.content) {
                Some(address) => Self::Ip(address),
                None => Self::Other(7),
            },
            tag => Self::Other(tag & 0x1f),
        }
    }
}

pub(crate) const DNS_NAME: u8 = der::context(2);
pub(crate) const URI: u8 = der::context(6);
pub(crate) const IP_ADDRESS: u8 = der::context(7);

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or(v6).ok()
}

fn elements(names: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut reader = Reader::new(names);
    core::iter::from_fn(move || reader.element().ok())
}
