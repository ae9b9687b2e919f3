//! A UDP socket of an embassy-net stack.

use core::fmt;

use embassy_net::udp::{BindError, PacketMetadata, RecvError, SendError, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use sedge_client::Datagram;

/// All memory of a socket: so many datagrams, of so many bytes together, each way.
#[derive(Debug)]
pub struct Memory<const DATAGRAMS: usize = 2, const BYTES: usize = 1280> {
    received: ([PacketMetadata; DATAGRAMS], [u8; BYTES]),
    sent: ([PacketMetadata; DATAGRAMS], [u8; BYTES]),
}

impl<const DATAGRAMS: usize, const BYTES: usize> Memory<DATAGRAMS, BYTES> {
    /// Nothing has arrived yet.
    pub const EMPTY: Self = Self {
        received: ([PacketMetadata::EMPTY; DATAGRAMS], [0; BYTES]),
        sent: ([PacketMetadata::EMPTY; DATAGRAMS], [0; BYTES]),
    };
}

/// A socket that knows nobody but the server. The [`Clock`](super::Clock) that goes with it is behind the feature
/// `embassy-time`.
pub struct Socket<'a> {
    socket: UdpSocket<'a>,
    server: IpEndpoint,
    strangers: u32,
}

impl<'a> Socket<'a> {
    /// On a port that the stack chooses. The stack needs no address yet.
    ///
    /// # Errors
    /// [`Refused::NotBound`]: the stack has no socket left.
    pub fn new<const DATAGRAMS: usize, const BYTES: usize>(
        stack: Stack<'a>,
        server: impl Into<IpEndpoint>,
        memory: &'a mut Memory<DATAGRAMS, BYTES>,
    ) -> Result<Self, Refused> {
        let Memory { received, sent } = memory;
        let mut socket = UdpSocket::new(stack, &mut received.0, &mut received.1, &mut sent.0, &mut sent.1);
        socket.bind(0).map_err(|_: BindError| Refused::NotBound)?;
        Ok(Self { socket, server: server.into(), strangers: 0 })
    }

    /// How many datagrams came from others than the server, or were too long, and were dropped.
    pub const fn strangers(&self) -> u32 {
        self.strangers
    }
}

impl Datagram for Socket<'_> {
    type Error = Refused;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), Refused> {
        self.socket.send_to(datagram, self.server).await.map_err(|error| match error {
            SendError::NoRoute => Refused::NoRoute,
            SendError::SocketNotBound => Refused::NotBound,
            SendError::PacketTooLarge => Refused::TooLong,
        })
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Refused> {
        loop {
            match self.socket.recv_from(buffer).await {
                Ok((len, from)) if from.endpoint == self.server => return Ok(len),
                Ok(_) | Err(RecvError::Truncated) => self.strangers = self.strangers.wrapping_add(1),
            }
        }
    }
}

/// Why the stack did not take a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no way to the server: no address yet, or none of its kind, or no router.
    NoRoute,
    /// The socket has no port.
    NotBound,
    /// The datagram is longer than the socket's [`Memory`].
    TooLong,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no way to the server: the stack has no address, or no router",
            Self::NotBound => "the socket has no port",
            Self::TooLong => "the datagram is longer than the socket's memory",
        })
    }
}

impl core::error::Error for Refused {}
