//! The extensions of a certificate, and what they allow.

use core::fmt;
use core::ops::BitOr;

use crate::der::{self, Element};
use crate::error::Error;
use crate::general_name::SubjectAltName;

/// Whether the subject is a CA
/// ([RFC 5280 section 4.2.1.9](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.9)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BasicConstraints {
    /// Whether its key may sign certificates.
    pub ca: bool,
    /// How many further CAs may stand between it and a peer; without, any number.
    pub path_len: Option<u8>,
}

impl BasicConstraints {
    fn parse(element: Element<'_>) -> Result<Self, Error> {
        let mut reader = element.reader();
        let ca = reader.flag()?;
        let path_len = if reader.is_empty() { None } else { Some(reader.byte()?) };
        reader.end()?;
        // Only a CA has a path behind it.
        if path_len.is_some() && !ca { Err(Error::Malformed) } else { Ok(Self { ca, path_len }) }
    }
}

/// What a key may be used for
/// ([RFC 5280 section 4.2.1.3](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3)).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// To sign what is not a certificate or a list: handshakes, for one.
    pub const DIGITAL_SIGNATURE: Self = Self(0x8000);
    /// To agree on a secret.
    pub const KEY_AGREEMENT: Self = Self(0x0800);
    /// To sign certificates.
    pub const KEY_CERT_SIGN: Self = Self(0x0400);
    /// To sign lists of revoked certificates.
    pub const CRL_SIGN: Self = Self(0x0200);

    /// Whether it includes all of `other`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bit string, bit 0 first.
    #[cfg(feature = "std")]
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    fn parse(element: Element<'_>) -> Result<Self, Error> {
        // Nine bits are defined. Those at the end that are zero should be left out, but are often written.
        let (unused, last, bits) = match *element.content {
            [unused @ 0..=7, high] => (unused, high, [high, 0]),
            [unused @ 0..=7, high, low] => (unused, low, [high, low]),
            _ => return Err(Error::Malformed),
        };
        if last.trailing_zeros() < u32::from(unused) {
            return Err(Error::Malformed);
        }
        Ok(Self(u16::from_be_bytes(bits)))
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUsage({:#018b})", self.0)
    }
}

/// What a peer may use its key for
/// ([RFC 5280 section 4.2.1.12](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12)).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ExtendedKeyUsage(u8);

impl ExtendedKeyUsage {
    /// id-kp-serverAuth: to be the server of a handshake.
    pub const SERVER_AUTH: Self = Self(1);
    /// id-kp-clientAuth: to be the client of a handshake.
    pub const CLIENT_AUTH: Self = Self(2);
    /// anyExtendedKeyUsage: whatever it likes.
    pub const ANY: Self = Self(4);
    /// Something that handshakes have no use for.
    pub const OTHER: Self = Self(8);

    /// Whether it includes all of `other`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn parse(element: Element<'_>) -> Result<Self, Error> {
        let mut purposes = element.reader();
        let mut found = Self(0);
        loop {
            found.0 |= match purposes.expect(der::OBJECT_IDENTIFIER)?.content {
                SERVER_AUTH => Self::SERVER_AUTH.0,
                CLIENT_AUTH => Self::CLIENT_AUTH.0,
                ANY_EXTENDED_KEY_USAGE => Self::ANY.0,
                _ => Self::OTHER.0,
            };
            if purposes.is_empty() {
                return Ok(found);
            }
        }
    }
}

impl BitOr for ExtendedKeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for ExtendedKeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::SERVER_AUTH, "serverAuth"),
            (Self::CLIENT_AUTH, "clientAuth"),
            (Self::ANY, "any"),
            (Self::OTHER, "other"),
        ];
        let names = names.iter().filter(|(usage, _)| self.contains(*usage)).map(|(_, name)| name);
        f.debug_list().entries(names).finish()
    }
}

/// The extensions that are known here. Each occurs once at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) extended_key_usage: Option<ExtendedKeyUsage>,
    pub(crate) subject_alt_name: Option<SubjectAltName<'a>>,
    pub(crate) authority_key_identifier: Option<&'a [u8]>,
    pub(crate) subject_key_identifier: Option<&'a [u8]>,
    pub(crate) has_name_constraints: bool,
}

/// Object identifiers: the numbers of [RFC 5280 appendix A.2](https://www.rfc-editor.org/rfc/rfc5280#appendix-A.2).
pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];
pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Who takes care of the constraints that a CA puts on the names below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameConstraints {
    /// Nobody: critical ones are refused.
    Refused,
    /// The caller.
    #[cfg(feature = "std")]
    CheckedElsewhere,
}

impl<'a> Extensions<'a> {
    /// Reads `SEQUENCE SIZE (1..MAX) OF Extension`.
    pub(crate) fn parse(list: Element<'a>, name_constraints: NameConstraints) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut list = list.reader();
        loop {
            let mut extension = list.expect(der::SEQUENCE)?.reader();
            let id = extension.expect(der::OBJECT_IDENTIFIER)?.content;
            let critical = extension.flag()?;
            let value = extension.expect(der::OCTET_STRING)?.content;
            extension.end()?;
            let known = found.remember(id, value)?;
            found.has_name_constraints |= id == NAME_CONSTRAINTS;
            let checked = id == NAME_CONSTRAINTS && name_constraints != NameConstraints::Refused;
            if critical && !known && !checked {
                return Err(Error::UnknownCriticalExtension);
            }
            if list.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Whether it is one of those that are known here.
    fn remember(&mut self, id: &[u8], value: &'a [u8]) -> Result<bool, Error> {
        let sequence = || der::single(der::SEQUENCE, value);
        match id {
            BASIC_CONSTRAINTS => once(&mut self.basic_constraints, BasicConstraints::parse(sequence()?)?),
            KEY_USAGE => once(&mut self.key_usage, KeyUsage::parse(der::single(der::BIT_STRING, value)?)?),
            EXTENDED_KEY_USAGE => once(&mut self.extended_key_usage, ExtendedKeyUsage::parse(sequence()?)?),
            SUBJECT_ALT_NAME => once(&mut self.subject_alt_name, SubjectAltName::parse(sequence()?)?),
            SUBJECT_KEY_IDENTIFIER => {
                once(&mut self.subject_key_identifier, der::single(der::OCTET_STRING, value)?.content)
            }
            AUTHORITY_KEY_IDENTIFIER => match authority_key_identifier(sequence()?)? {
                Some(identifier) => once(&mut self.authority_key_identifier, identifier),
                None => Ok(true),
            },
            _ => Ok(false),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<bool, Error> {
    if slot.replace(value).is_some() { Err(Error::Malformed) } else { Ok(true) }
}

/// The keyIdentifier, if there is one
/// ([RFC 5280 section 4.2.1.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.1)).
fn authority_key_identifier(element: Element<'_>) -> Result<Option<&[u8]>, Error> {
    let mut reader = element.reader();
    let identifier = reader.optional(der::context(0))?;
    // The issuer's name and serial number, which identify its certificate instead.
    reader.optional(der::context_constructed(1))?;
    reader.optional(der::context(2))?;
    reader.end()?;
    Ok(identifier.map(|element| element.content))
}
