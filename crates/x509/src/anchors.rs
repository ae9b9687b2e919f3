//! The CAs that are trusted to begin with.

use std::path::Path;

use pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::Certificate;
use crate::error::Error;
use crate::extension::NameConstraints;
use crate::pem::{self, FileError};

/// The certificates of the CAs that are trusted to begin with.
///
/// As [RFC 5280 section 6.1.1](https://www.rfc-editor.org/rfc/rfc5280#section-6.1.1) has it, a trust anchor is a name
/// and a key, with the constraints that its certificate puts on names and on the length of paths; its dates and its
/// signature do not count. To trust it no longer is to take it out.
#[derive(Clone, Debug, Default)]
pub struct TrustAnchors {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    /// In the same order.
    pub(crate) path_lens: Vec<Option<u8>>,
}

impl TrustAnchors {
    /// Those in a file of PEM or DER.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let mut anchors = Self::default();
        match anchors.add(&pem::read(path)?) {
            Ok(()) => Ok(anchors),
            Err(error) => Err(FileError::certificate(path, error)),
        }
    }

    /// Adds all the certificates of a file of PEM, or the one of a file of DER; or none, if one is not that of a CA.
    pub fn add(&mut self, file: &[u8]) -> Result<(), Error> {
        let mut added = Self::default();
        for certificate in pem::objects::<CertificateDer<'static>>(file)? {
            added.add_one(&certificate)?;
        }
        self.anchors.append(&mut added.anchors);
        self.path_lens.append(&mut added.path_lens);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    fn add_one(&mut self, der: &CertificateDer<'_>) -> Result<(), Error> {
        let certificate = Certificate::parse_with(der, NameConstraints::CheckedElsewhere)?;
        let constraints = certificate.basic_constraints();
        if !constraints.ca {
            return Err(Error::IssuerNotCa);
        }
        let anchor = webpki::anchor_from_trusted_cert(der).map_err(|_| Error::Malformed)?;
        self.anchors.push(anchor.to_owned());
        self.path_lens.push(constraints.path_len);
        Ok(())
    }
}
