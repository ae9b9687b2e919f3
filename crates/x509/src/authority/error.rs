//! What can be wrong with a CA's folder, or with what it is asked for.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sedge_crypto::KeyError;

use super::key::PrivateKeyError;
use crate::error::Error;
use crate::pem::FileError;

/// Why a CA cannot do what it is asked to.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file cannot be read or written, or is no certificate.
    File(FileError),
    /// There is something in the folder already.
    NotEmpty(PathBuf),
    /// There is no CA in the folder.
    NoAuthority(PathBuf),
    /// The index of what was issued cannot be understood, and why.
    Index(PathBuf, String),
    /// The CA's private key cannot be used.
    PrivateKey(PathBuf, PrivateKeyError),
    /// The CA's private key is not that of its certificate.
    OtherKey(PathBuf),
    /// The certificate would be valid for longer than the CA's own, which ends at this time.
    OutlivesIssuer(u64),
    /// The certificate would not be what certificates have to be.
    Unfit(Error),
    /// A common name is empty or longer than 64 characters, or has characters that are none.
    BadName(String),
    /// Nothing with this serial number or name was issued.
    NotIssued(String),
    /// Everything with this serial number or name is revoked already.
    AlreadyRevoked(String),
    /// The provider of cryptography failed.
    Crypto(KeyError),
}

impl AuthorityError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::File(FileError::io(path, error))
    }
}

impl From<FileError> for AuthorityError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<KeyError> for AuthorityError {
    fn from(error: KeyError) -> Self {
        Self::Crypto(error)
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::NotEmpty(path) => write!(f, "{} is not empty", path.display()),
            Self::NoAuthority(path) => write!(f, "there is no CA in {}", path.display()),
            Self::Index(path, why) => write!(f, "{}: {why}", path.display()),
            Self::PrivateKey(path, error) => write!(f, "{}: {error}", path.display()),
            Self::OtherKey(path) => write!(f, "{} is not the key of the CA's certificate", path.display()),
            Self::OutlivesIssuer(_) => {
                f.write_str("the certificate would be valid for longer than the CA's own")
            }
            Self::Unfit(error) => write!(f, "that would be no certificate to use: {error}"),
            Self::BadName(name) => write!(f, "`{}` is not a name of 1 to 64 characters", name.escape_debug()),
            Self::NotIssued(which) => write!(f, "nothing was issued to `{}`", which.escape_debug()),
            Self::AlreadyRevoked(which) => write!(f, "`{}` is revoked already", which.escape_debug()),
            Self::Crypto(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AuthorityError {}
