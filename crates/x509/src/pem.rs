//! Files of certificates, in PEM or DER.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use pkcs8::der::pem::{LineEnding, encode_string};
use pki_types::CertificateDer;
use pki_types::pem::{Error as PemError, PemObject};

use crate::error::Error;

/// The certificates in a file of PEM, in their order, or the one in a file of DER; each in DER.
///
/// Other things in PEM, and text between them, are passed over. That there is a certificate is certain; what it says
/// is not looked at.
pub fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let found = objects::<CertificateDer<'static>>(file)?;
    Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect())
}

/// Everything of one kind in a file of PEM; or all of the file, if it is in DER. At least one.
pub(crate) fn objects<T: PemObject + From<Vec<u8>>>(file: &[u8]) -> Result<Vec<T>, Error> {
    // DER begins with a SEQUENCE, which is the character 0: text might, too.
    let has_pem = file.windows(BEGIN.len()).any(|part| part == BEGIN);
    if !has_pem && file.first() == Some(&crate::der::SEQUENCE) {
        return Ok(vec![T::from(file.to_vec())]);
    }
    let found: Result<Vec<T>, PemError> = T::pem_slice_iter(file).collect();
    match found {
        Ok(found) if found.is_empty() => Err(Error::NoCertificate),
        Ok(found) => Ok(found),
        Err(_) => Err(Error::Malformed),
    }
}

/// A certificate in PEM.
pub fn to_pem(certificate: &[u8]) -> String {
    encode("CERTIFICATE", certificate)
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// One object in PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)), with a line's end at its end.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    // Fails only for labels that are none, and for more bytes than there is memory.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

/// All of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|error| FileError::io(path, error))
}

/// A file that cannot be used, and why.
#[derive(Debug)]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What is the matter with it.
    pub reason: FileErrorReason,
}

/// Why a file cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileErrorReason {
    /// It cannot be read or written.
    Io(io::Error),
    /// What is in it is not what it should be.
    Certificate(Error),
}

impl FileError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), reason: FileErrorReason::Io(error) }
    }

    pub(crate) fn certificate(path: &Path, error: Error) -> Self {
        Self { path: path.to_owned(), reason: FileErrorReason::Certificate(error) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.reason {
            FileErrorReason::Io(error) => error.fmt(f),
            FileErrorReason::Certificate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {}
