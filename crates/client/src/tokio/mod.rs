//! The client on a host, over [tokio](https://docs.rs/tokio)'s sockets and timers.

mod address;
mod socket;

use std::string::{String, ToString};
use std::time::SystemTime;
use std::{fmt, io};

use rand_core::UnwrapErr;
use sedge_crypto::RustCrypto;
use sedge_dtls::Retransmission;
use sedge_endpoint::memory::Hosted;
use sedge_time::Duration;

use crate::config::{Backoff, Config};
use crate::credential::{Credential, CredentialError};
use crate::error::Error;
use crate::memory::Growing;
use crate::security::Security;

pub use address::{Address, AddressError};
pub use socket::{Socket, TokioClock};

/// The memory of a client on a host.
pub type HostMemory = Growing<Hosted<RustCrypto>, UnwrapErr<getrandom::SysRng>>;

/// A client on a host.
pub type Client = crate::Client<HostMemory, Socket, TokioClock>;

/// Settings for a host on a wired or wireless network: shorter waits than a device on a slow radio has.
pub fn config() -> Config {
    let mut config = Config {
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(30) },
        topic_poll: Duration::from_millis(500),
        ..Config::default()
    };
    // Gives up an attempt to connect after 7 s.
    config.endpoint.dtls.retransmission = Retransmission { attempts: 2, ..Retransmission::default() };
    config
}

/// Connects to the broker that a credential names.
///
/// # Errors
/// [`ConnectError`], in one line.
pub async fn connect(credential: &Credential) -> Result<Client, ConnectError> {
    let address = Address::parse(&credential.broker)?;
    connect_to(&address, credential.security()?, config()).await
}

/// Connects to a server: to the first of its addresses that does not refuse at once.
///
/// # Errors
/// [`ConnectError`], in one line.
pub async fn connect_to(
    address: &Address,
    security: Security<'_>,
    config: Config,
) -> Result<Client, ConnectError> {
    let failed = |reason| ConnectError::Connect { address: address.to_string(), reason };
    let mut refusal = None;
    for candidate in address.resolve().await? {
        let socket = Socket::connect(candidate).await.map_err(|error| failed(Error::Network(error)))?;
        let mut client = client(socket, security.clone(), config.clone()).map_err(failed)?;
        match client.connect().await {
            Ok(()) => return Ok(client),
            Err(Error::Network(error)) => refusal = Some(failed(Error::Network(error))),
            Err(error) => return Err(failed(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| ConnectError::NoAddress(address.to_string())))
}

/// A client over a socket of the caller's, not connected yet.
///
/// # Errors
/// [`Error::Security`].
pub fn client(socket: Socket, security: Security<'_>, config: Config) -> Result<Client, Error<io::Error>> {
    let rng = UnwrapErr(getrandom::SysRng);
    let mut client = Client::new(config, security, socket, TokioClock::new(), RustCrypto, rng)?;
    if let Ok(since_1970) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        client.set_unix_time(since_1970.as_secs());
    }
    Ok(client)
}

/// Why there is no connection, in one line.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address makes no sense.
    Address(AddressError),
    /// The name has no address; what the system says.
    Resolve(String, io::Error),
    /// The name has no address.
    NoAddress(String),
    /// The credential is unusable.
    Credential(CredentialError),
    /// The handshake failed.
    Connect {
        /// With whom.
        address: String,
        /// Why.
        reason: Error<io::Error>,
    },
}

impl From<AddressError> for ConnectError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<CredentialError> for ConnectError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Resolve(name, error) => write!(f, "{name} has no address: {error}"),
            Self::NoAddress(name) => write!(f, "{name} has no address"),
            Self::Credential(error) => error.fmt(f),
            Self::Connect { address, reason: Error::Network(error) }
                if error.kind() == io::ErrorKind::ConnectionRefused =>
            {
                write!(f, "nothing listens at {address}")
            }
            Self::Connect { address, reason } => write!(f, "{address}: {reason}"),
        }
    }
}

impl std::error::Error for ConnectError {}
