//! Why a credential file was refused.

use std::fmt;
use std::io;
use std::string::String;

/// Why a credential file was refused, in one line.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file with this name cannot be used.
    InFile(String, std::boxed::Box<CredentialError>),
    /// The file cannot be read.
    Io(io::ErrorKind),
    /// Users other than the owner can read the file, so that its key is no secret.
    Public,
    /// A line is not understood.
    Line {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// This key is missing.
    Missing(&'static str),
    /// These two say different things about the same.
    Both(&'static str, &'static str),
    /// The key has this many bytes, and not 16 to 64.
    KeyLength(usize),
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFile(name, error) => match **error {
                Self::Public => write!(f, "{name} can be read by others: run `chmod 600 {name}`"),
                Self::Io(io::ErrorKind::NotFound) => {
                    write!(f, "there is no credential file {name}: `sedge device add` writes one")
                }
                _ => write!(f, "{name}: {error}"),
            },
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Public => f.write_str("can be read by others"),
            Self::Line { number, what } => write!(f, "line {number} {what}"),
            Self::Missing(key) => write!(f, "no `{key} = \"...\"` in it"),
            Self::Both(one, other) => write!(f, "has both `{one}` and `{other}`"),
            Self::KeyLength(bytes) => write!(f, "the key has {bytes} bytes instead of 16 to 64"),
        }
    }
}

impl std::error::Error for CredentialError {}
