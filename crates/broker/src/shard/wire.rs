//! A shard's sockets, and what its endpoint finds there.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use sedge_dtls::Credentials;
use sedge_endpoint::{Host, SessionId};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Shared;
use crate::net::{Inbox, Listener, Outbox, OutboxCounters, Path, Vias};
use crate::security::{Gate, Provider};

/// The sockets, with what is on its way out.
pub(super) struct Wire {
    /// Watched for reading only: a socket that is watched for writing too wakes its thread after every datagram
    /// that it has sent.
    sockets: Vec<AsyncFd<UdpSocket>>,
    /// Watched while the system has no room for what is to be sent.
    full: Option<AsyncFd<UdpSocket>>,
    /// Whether CoAP is spoken without DTLS on the socket of the same number.
    plain: Vec<bool>,
    is_v4: Vec<bool>,
    pub(super) vias: Vias,
    outbox: Outbox,
    shared: Arc<Shared>,
}

impl Wire {
    pub(super) fn new(
        listeners: Vec<Listener>,
        datagram_bytes: usize,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let plain = listeners.iter().map(|listener| listener.plain).collect();
        let is_v4: Vec<bool> = listeners.iter().map(Listener::is_v4).collect();
        let vias = Vias::for_listeners(listeners.len());
        let outbox = Outbox::new(datagram_bytes, is_v4.clone());
        let sockets = listeners.into_iter().map(|listener| watch(listener.socket, Interest::READABLE));
        let sockets = sockets.collect::<Result<_, _>>()?;
        Ok(Self { sockets, full: None, plain, is_v4, vias, outbox, shared })
    }

    pub(super) fn listeners(&self) -> usize {
        self.sockets.len()
    }

    pub(super) fn is_plain(&self, listener: usize) -> bool {
        self.plain.get(listener).copied().unwrap_or(false)
    }

    /// Receives a batch from one socket; zero if nothing waits.
    pub(super) fn receive(&self, listener: usize, inbox: &mut Inbox) -> io::Result<usize> {
        let Some(socket) = self.sockets.get(listener) else { return Ok(0) };
        let is_v4 = self.is_v4.get(listener) == Some(&true);
        let mut count = 0;
        let outcome = socket.try_io(Interest::READABLE, |socket| {
            count = inbox.receive(socket.as_raw_fd(), is_v4)?;
            // A batch that is not full has emptied the socket: saying so now saves asking once more.
            if inbox.is_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what there is, as far as the system takes it.
    pub(super) fn flush(&mut self) {
        self.outbox.flush(&self.sockets);
    }

    /// Whether the system has no room for more at present.
    pub(super) const fn is_blocked(&self) -> bool {
        self.outbox.is_blocked()
    }

    pub(super) const fn counters(&self) -> &OutboxCounters {
        self.outbox.counters()
    }

    /// Ready when a socket has something to read; while the system has no room for what waits here, when it has room
    /// again, because what is read then could not be answered.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.outbox.is_blocked() {
            return self.poll_room(cx).map(|()| self.try_again());
        }
        let mut ready = false;
        for socket in &self.sockets {
            ready |= socket.poll_read_ready(cx).is_ready();
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Assumes that the system has room again.
    pub(super) fn try_again(&mut self) {
        self.full = None;
        self.outbox.unblock();
    }

    /// Ready when the socket that something waits for has room.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(socket) = self.outbox.waits_for().and_then(|listener| self.sockets.get(listener)) else {
            return Poll::Ready(());
        };
        if self.full.is_none() {
            let clone = socket.get_ref().try_clone();
            self.full = clone.and_then(|socket| watch(socket, Interest::WRITABLE)).ok();
        }
        match &self.full {
            Some(full) => full.poll_write_ready(cx).map(drop),
            // Out of file descriptors: trying again at the next turn is all that is left.
            None => Poll::Ready(()),
        }
    }
}

#[expect(
    deprecated,
    reason = "its replacement is unsafe for types that lie about their descriptor; sockets do not"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

impl Host<Provider> for Wire {
    type Path = Path;

    fn transmit(&mut self, path: &Path, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        self.outbox.push(&self.sockets, &self.vias, path, fill)
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<Provider> {
        Gate::new(&self.shared.state, &self.shared.security)
    }

    /// Whether there is a log is known only at run time.
    const DANGEROUS_KEY_LOG: bool = true;

    fn dangerous_log_keys(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        self.shared.security.dangerous_log_keys(label, client_random, secret);
    }
}
