//! Credential files: what a device needs to reach its broker, in one small file.

mod error;
mod file;

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::string::{String, ToString as _};
use std::vec::Vec;

use sedge_crypto::{PublicKey, Secret};
use sedge_dtls::Psk;
use zeroize::Zeroizing;

use crate::security::{Identity, Security, Trust};

pub use error::CredentialError;

/// Who a device is, and where its broker is. Keys are erased when this is dropped, and never printed.
///
/// A file with a pre-shared key:
/// ```toml
/// broker = "coaps://broker.example"
/// name = "boiler-7"
/// identity = "boiler-7"
/// key = "6f1c0c9e0d2b4b4f8a3f6f0d1e2c3b4a"
/// ```
/// One with public keys has a private key of P-256, the device's certificates if the key is not to be shown as it
/// is (each in DER, its own first, one behind the other), and the public key (as `SubjectPublicKeyInfo` in DER) of the
/// broker, or that of the issuer of the broker's certificate:
/// ```toml
/// broker = "coaps://broker.example"
/// name = "boiler-7"
/// private_key = "c9af...6721"
/// certificates = "3082...5d01"
/// issuer_key = "3059...8299"
/// server_name = "broker.example"
/// ```
/// It is TOML of the simplest kind, one `key = "value"` per line, bytes in hexadecimal digits. `identity` may be left
/// out if it is the name; one that is not plain text is written as `identity_hex`. `server_name` may be left out if it
/// is the host of the broker's URI.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The broker's URI, such as `coaps://broker.example` or `coaps://[2001:db8::1]:5684`.
    pub broker: String,
    /// The name that the operator calls the device by.
    pub name: String,
    /// How the two know each other.
    pub login: Login,
}

/// How a device and its broker know each other.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// By a pre-shared key.
    Psk {
        /// The PSK identity that is presented in the handshake; usually the name in UTF-8.
        identity: Vec<u8>,
        /// The key, 16 to 64 bytes.
        key: Zeroizing<Vec<u8>>,
    },
    /// By public keys.
    PublicKey {
        /// The device's private key in P-256; `None` if it shows nothing, and only the broker does.
        private_key: Option<Secret<32>>,
        /// The device's certificates in DER, its own first, one behind the other; empty if it shows its key as it is.
        certificates: Vec<u8>,
        /// Whom it takes for its broker.
        server: BrokerKey,
    },
}

/// Whom a device takes for its broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerKey {
    /// Whoever holds this key.
    Key(PublicKey),
    /// Whoever has a certificate with this name, issued by this key itself.
    Issuer {
        /// The public key of the issuer.
        key: PublicKey,
        /// The name or the IP address in the broker's certificate.
        server_name: String,
    },
}

impl Credential {
    /// A credential with a pre-shared key.
    pub fn psk(
        broker: impl Into<String>,
        name: impl Into<String>,
        identity: impl Into<Vec<u8>>,
        key: impl Into<Zeroizing<Vec<u8>>>,
    ) -> Self {
        let login = Login::Psk { identity: identity.into(), key: key.into() };
        Self { broker: broker.into(), name: name.into(), login }
    }

    /// What a client is to be told.
    ///
    /// # Errors
    /// The pre-shared key is too short or too long.
    pub fn security(&self) -> Result<Security<'_>, CredentialError> {
        Ok(match &self.login {
            Login::Psk { identity, key } => {
                let key = Psk::new(key).ok_or(CredentialError::KeyLength(key.len()))?;
                Security::Psk { identity, key }
            }
            Login::PublicKey { private_key, certificates, server } => Security::PublicKey {
                own: match private_key {
                    None => Identity::Anonymous,
                    Some(key) if certificates.is_empty() => Identity::RawPublicKey { key: key.clone() },
                    Some(key) => Identity::Certificate { chain: certificates, key: key.clone() },
                },
                server: match server {
                    BrokerKey::Key(key) => Trust::Key(*key),
                    BrokerKey::Issuer { key, server_name } => Trust::Issuer { key: *key, server_name },
                },
            },
        })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, others may read it too, or as [`Credential::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CredentialError> {
        let path = path.as_ref();
        let in_file =
            |error| CredentialError::InFile(path.display().to_string(), std::boxed::Box::new(error));
        let text = std::fs::read_to_string(path).map_err(|e| in_file(CredentialError::Io(e.kind())))?;
        let text = Zeroizing::new(text);
        refuse_if_public(path).map_err(in_file)?;
        Self::parse(&text).map_err(in_file)
    }

    /// Writes a new file at `path` that only its owner can read (mode 0600), and never over an existing one.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] if there is a file.
    pub fn write_new(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(self.to_toml().as_bytes())?;
        file.sync_all()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("broker", &self.broker)
            .field("name", &self.name)
            .field("login", &self.login)
            .finish()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = format_args!("[secret]");
        match self {
            Self::Psk { identity, key: _ } => f
                .debug_struct("Psk")
                .field("identity", &String::from_utf8_lossy(identity))
                .field("key", &secret)
                .finish(),
            Self::PublicKey { private_key, certificates, server } => f
                .debug_struct("PublicKey")
                .field("private_key", private_key)
                .field("certificates", &format_args!("{} bytes", certificates.len()))
                .field("server", server)
                .finish(),
        }
    }
}

#[cfg(unix)]
fn refuse_if_public(path: &Path) -> Result<(), CredentialError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).map_err(|error| CredentialError::Io(error.kind()))?;
    if metadata.mode() & 0o077 != 0 { Err(CredentialError::Public) } else { Ok(()) }
}

#[cfg(not(unix))]
fn refuse_if_public(_: &Path) -> Result<(), CredentialError> {
    Ok(())
}

#[cfg(test)]
mod tests;
