//! UDP sockets and time, as the client wants them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use sedge_time::{Duration, Instant};
use tokio::net::UdpSocket;

use crate::io::{Clock, Datagram};

/// A UDP socket connected to one server.
#[derive(Debug)]
pub struct Socket(UdpSocket);

impl Socket {
    /// A socket on a port that the system chooses.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        Ok(Self(socket))
    }

    /// Where we are.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Where the server is.
    ///
    /// # Errors
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl Datagram for Socket {
    type Error = io::Error;

    async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.send(datagram).await.map(drop)
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer).await
    }
}

/// tokio's clock, whose epoch is when this was made.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    epoch: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that starts at zero.
    pub fn new() -> Self {
        Self { epoch: tokio::time::Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::EPOCH + Duration::from(self.epoch.elapsed())
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        let span = deadline.saturating_since(self.now());
        tokio::time::sleep(span.into()).await;
    }
}
