//! Administration on the machine itself, by whichever way is open.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use super::service::Service;
use super::{AdminReply, AdminRequest, Refusal, socket};
use crate::audit::Actor;
use crate::config::Config;
use crate::state::State;
use crate::store::{DataDir, Lock, StoreError};

/// How long a broker that is starting or stopping, or another administrator, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to a broker on this machine, or to its store.
pub struct LocalAdmin(Way);

enum Way {
    /// No broker runs and none can start meanwhile.
    Store { service: Service, _lock: Lock },
    /// The broker that has the lock answers.
    Socket(UnixStream),
}

/// Why administration failed, as one line that says what to do.
#[derive(Debug)]
pub enum AdminError {
    /// No broker was ever started on this folder.
    NotSetUp(PathBuf),
    /// Another process has the folder's lock and does not answer.
    Busy(PathBuf),
    /// The folder or the socket cannot be used.
    Io(PathBuf, io::Error),
    /// The store cannot be opened.
    Store(StoreError),
    /// The broker ended before it answered.
    Disconnected,
    /// It was understood and not done.
    Refused(Refusal),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSetUp(dir) => {
                write!(f, "{0} holds no broker yet: start one with `sedge broker --data {0}`", dir.display())
            }
            Self::Busy(dir) => {
                write!(
                    f,
                    "another process works on {} and does not answer: try again when it has ended",
                    dir.display()
                )
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Store(error) => error.fmt(f),
            Self::Disconnected => f.write_str("the broker ended before it answered: try again"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for AdminError {}

/// Finds the way to the broker of folder `dir`: its socket if it is running, else the store itself, which is then
/// locked until the returned value is dropped.
///
/// # Errors
/// There is no broker in the folder, or neither way is open.
pub async fn connect_local(dir: &DataDir) -> Result<LocalAdmin, AdminError> {
    if !dir.is_set_up() {
        return Err(AdminError::NotSetUp(dir.path().to_owned()));
    }
    let since = Instant::now();
    loop {
        // The lock decides. Whoever has it is a broker with a socket, or about to open one, or about to end.
        if let Some(lock) = dir.try_lock().map_err(|error| AdminError::Io(dir.path().to_owned(), error))? {
            // The broker's own limits are in its configuration, which is not here; whoever owns the folder may.
            let mut config = Config::default();
            config.topics.max = usize::MAX;
            config.limits.body_bytes = usize::MAX;
            let state = State::open(dir, &config).await.map_err(AdminError::Store)?;
            return Ok(LocalAdmin(Way::Store { service: Service::new(Arc::new(state), None), _lock: lock }));
        }
        match UnixStream::connect(dir.admin_socket()).await {
            Ok(stream) => return Ok(LocalAdmin(Way::Socket(stream))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(AdminError::Io(dir.admin_socket(), error));
            }
            Err(_) if since.elapsed() > PATIENCE => return Err(AdminError::Busy(dir.path().to_owned())),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

impl LocalAdmin {
    /// Whether a running broker is at the other end.
    pub fn is_running(&self) -> bool {
        matches!(self.0, Way::Socket(_))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// A refusal, or the way is closed.
    pub async fn call(&mut self, request: AdminRequest) -> Result<AdminReply, AdminError> {
        let reply = match &mut self.0 {
            Way::Store { service, .. } => service.execute(request, &Actor::user(uid())).await,
            Way::Socket(stream) => {
                let lost = |_| AdminError::Disconnected;
                socket::send(stream, &zeroize::Zeroizing::new(request.to_cbor())).await.map_err(lost)?;
                let bytes = socket::receive(stream).await.map_err(lost)?.ok_or(AdminError::Disconnected)?;
                AdminReply::from_cbor(&bytes).map_err(AdminError::Refused)?
            }
        };
        match reply {
            AdminReply::Refused(refusal) => Err(AdminError::Refused(refusal)),
            reply => Ok(reply),
        }
    }
}
