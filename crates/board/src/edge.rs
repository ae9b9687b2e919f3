//! Datagrams over whatever implements [edge-nal](https://docs.rs/edge-nal)'s traits: `edge-nal-embassy`, `edge-nal-std`,
//! ESP-IDF and others.

use core::net::SocketAddr;

use edge_nal::{UdpReceive, UdpSend};
use sedge_client::Datagram;

/// A socket that knows nobody but the server.
///
/// ```ignore
/// let socket = stack.connect(any, server).await?; // or bind(any)
/// let socket = sedge_board::edge::Socket::new(socket, server);
/// ```
///
/// Dropping the future of the socket's own `receive` must not lose a datagram, as it does with none of the
/// implementations that wait for readiness first.
#[derive(Debug)]
pub struct Socket<S> {
    socket: S,
    server: SocketAddr,
    strangers: u32,
}

impl<S: UdpReceive + UdpSend> Socket<S> {
    /// Over a socket that is bound, or connected to `server`.
    pub const fn new(socket: S, server: SocketAddr) -> Self {
        Self { socket, server, strangers: 0 }
    }

    /// How many datagrams came from others than the server, or were too long, and were dropped.
    pub const fn strangers(&self) -> u32 {
        self.strangers
    }
}

impl<S: UdpReceive + UdpSend> Datagram for Socket<S> {
    type Error = S::Error;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), S::Error> {
        self.socket.send(self.server, datagram).await
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        loop {
            let (len, from) = self.socket.receive(buffer).await?;
            // The flow label and scope of an IPv6 address are the stack's own business.
            let is_server = (from.ip(), from.port()) == (self.server.ip(), self.server.port());
            if is_server && len <= buffer.len() {
                return Ok(len);
            }
            self.strangers = self.strangers.wrapping_add(1);
        }
    }
}
