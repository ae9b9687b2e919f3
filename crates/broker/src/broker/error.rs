//! Why a broker cannot be started.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sedge_access::PatternError;

use crate::config::ConfigError;
use crate::first_start::FirstStartError;
use crate::store::{DataDir, StoreError};

/// Why a broker could not be started, as one line that says what to do.
#[derive(Debug)]
pub enum StartError {
    /// The configuration.
    Config(ConfigError),
    /// A pattern in the configuration's `[insecure]`.
    Pattern(String, PatternError),
    /// A file that the configuration names, or the broker's key.
    Security(String),
    /// The folder, or a file in it.
    Dir(PathBuf, io::Error),
    /// Another process works on the folder.
    Busy(PathBuf),
    /// The store.
    Store(PathBuf, StoreError),
    /// The administrator's credential of a first start that was cut short.
    Credential(String),
    /// An address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// A thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::Pattern(pattern, error) => write!(f, "configuration: [insecure] `{pattern}`: {error}"),
            Self::Security(error) => f.write_str(error),
            Self::Dir(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Busy(dir) => {
                write!(f, "another broker runs on {}: stop it first, or use another folder", dir.display())
            }
            Self::Store(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Credential(error) => f.write_str(error),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is in use: stop what listens there, or choose another with --listen")
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    pub(super) fn in_first_start(dir: &DataDir, error: FirstStartError) -> Self {
        match error {
            FirstStartError::Io(error) => Self::Dir(dir.admin_credential(), error),
            FirstStartError::Store(error) => Self::Store(dir.store(), error),
            FirstStartError::Credential(error) => Self::Credential(error.to_string()),
        }
    }
}
