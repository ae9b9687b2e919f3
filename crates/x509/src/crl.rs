//! Lists of revoked certificates, and what to do without.

use std::path::Path;

use pki_types::CertificateRevocationListDer;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use crate::der::{self, Reader};
use crate::error::Error;
use crate::pem::{self, FileError};
use crate::time::time;

/// A list of revoked certificates
/// ([RFC 5280 section 5](https://www.rfc-editor.org/rfc/rfc5280#section-5)).
///
/// Only its form is known to be right. That it is its issuer's, and up to date, is checked whenever it is used.
#[derive(Debug)]
pub struct CertificateRevocationList {
    pub(crate) list: CertRevocationList<'static>,
    next_update: Option<u64>,
}

impl CertificateRevocationList {
    /// The lists in a file of PEM, or the one in a file of DER.
    pub fn read(path: impl AsRef<Path>) -> Result<Vec<Self>, FileError> {
        let path = path.as_ref();
        Self::parse(&pem::read(path)?).map_err(|error| FileError::certificate(path, error))
    }

    /// The lists in PEM, or the one in DER.
    pub fn parse(file: &[u8]) -> Result<Vec<Self>, Error> {
        let found = pem::objects::<CertificateRevocationListDer<'static>>(file)
            .map_err(|error| if error == Error::NoCertificate { Error::BadCrl } else { error })?;
        let one = |der: &CertificateRevocationListDer<'_>| {
            let list = OwnedCertRevocationList::from_der(der).map_err(|_| Error::BadCrl)?;
            Ok(Self { list: list.into(), next_update: next_update(der) })
        };
        found.iter().map(one).collect()
    }

    /// Until when it counts, in seconds since 1970: there has to be another one by then.
    pub const fn next_update(&self) -> Option<u64> {
        self.next_update
    }
}

/// The nextUpdate of a list in DER, of any length.
fn next_update(der: &[u8]) -> Option<u64> {
    // CertificateList ::= SEQUENCE { tbsCertList, .. }
    // TBSCertList ::= SEQUENCE { version OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL, .. }
    let (_, list, _) = element(der)?;
    let (_, mut fields, _) = element(list)?;
    if let (der::INTEGER, _, rest) = element(fields)? {
        fields = rest;
    }
    let (_, _, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    time(&mut Reader::new(fields)).ok()
}

/// The first element: its tag, its content and what stands behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// What to think of a certificate of whose issuer there is no list.
///
/// Either way a list that is there decides, and a list that has expired decides against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// It counts as not revoked.
    #[default]
    IfListed,
    /// It is refused. This goes for every certificate of a chain.
    Required,
}
