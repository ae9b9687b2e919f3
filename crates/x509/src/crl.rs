//! Lists of revoked certificates, and what to do without.

use std::path::Path;

use pki_types::CertificateRevocationListDer;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use crate::error::Error;
use crate::pem::{self, FileError};

/// A list of revoked certificates
/// ([RFC 5280 section 5](https://www.rfc-editor.org/rfc/rfc5280#section-5)).
///
/// Only its form is known to be right. That it is its issuer's, and up to date, is checked whenever it is used.
#[derive(Debug)]
pub struct CertificateRevocationList(pub(crate) CertRevocationList<'static>);

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
        let lists = found.iter().map(|list| OwnedCertRevocationList::from_der(list));
        lists.map(|list| list.map(|list| Self(list.into())).map_err(|_| Error::BadCrl)).collect()
    }
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
