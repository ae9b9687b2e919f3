//! The Unix socket of a running broker: one request and one reply after the other, each a length and CBOR.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::service::Service;
use super::{AdminReply, AdminRequest};
use crate::audit::Actor;

/// A message is not longer than this.
const MAX_LEN: usize = 1 << 20;
/// Connections served at once; one more waits.
const MAX_CONNECTIONS: usize = 16;

/// Listens at `path`. Whoever calls this holds the folder's lock, so that a socket found there is a dead one.
pub(crate) fn listen(path: &Path) -> io::Result<net::UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    // Nobody gets in before this: the folder is closed to others.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until cancelled, which also ends the conversations under way.
pub(crate) async fn serve(listener: net::UnixListener, service: Arc<Service>) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "administration socket"),
    };
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        if conversations.len() >= MAX_CONNECTIONS {
            drop(conversations.join_next().await);
        }
        match listener.accept().await {
            Ok((stream, _)) => match whose(&stream) {
                Some(by) => {
                    let service = service.clone();
                    // A client that leaves early has what it wanted.
                    let conversation = async move { drop(converse(stream, &service, &by).await) };
                    drop(conversations.spawn(conversation));
                }
                None => {
                    tracing::warn!("another user connected to the administration socket and was refused");
                }
            },
            Err(error) => {
                tracing::warn!(%error, "administration socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Who is at the other end, unless it is somebody else's process. The mode of the socket keeps others out already; this
/// holds where file modes do not.
fn whose(stream: &UnixStream) -> Option<Actor> {
    let own = nix::unistd::geteuid().as_raw();
    let peer = stream.peer_cred().ok()?.uid();
    (peer == own || peer == 0).then(|| Actor::user(peer))
}

async fn converse(mut stream: UnixStream, service: &Service, by: &Actor) -> io::Result<()> {
    while let Some(bytes) = receive(&mut stream).await? {
        let reply = match AdminRequest::from_cbor(&bytes) {
            Ok(request) => service.execute(request, by).await,
            Err(refusal) => AdminReply::Refused(refusal),
        };
        send(&mut stream, &reply.to_cbor()).await?;
    }
    Ok(())
}

pub(super) async fn send(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let len = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&len.to_be_bytes()).await?;
    stream.write_all(message).await
}

/// The next message, or `None` if the other side has closed between messages.
pub(super) async fn receive(stream: &mut UnixStream) -> io::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    let mut len = [0; 4];
    match stream.read_exact(&mut len).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        outcome => drop(outcome?),
    }
    let len = u32::from_be_bytes(len) as usize;
    if len > MAX_LEN {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = zeroize::Zeroizing::new(vec![0; len]);
    let _ = stream.read_exact(&mut message).await?;
    Ok(Some(message))
}
