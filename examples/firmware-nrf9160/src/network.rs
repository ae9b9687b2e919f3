//! Datagrams to and from the broker, over embassy-net.

use embassy_net::udp::{PacketMetadata, RecvError, SendError, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use sedge_client::Datagram;

/// Any will do: nothing but the broker's answers comes in.
const PORT: u16 = 49_152;
const PACKETS: usize = 2;
const BYTES: usize = 1_280;

/// All memory of the socket.
pub struct Memory {
    received: ([PacketMetadata; PACKETS], [u8; BYTES]),
    sent: ([PacketMetadata; PACKETS], [u8; BYTES]),
}

impl Memory {
    pub const EMPTY: Self = Self {
        received: ([PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
        sent: ([PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
    };
}

/// A socket that knows nobody but the broker.
pub struct Network<'a> {
    socket: UdpSocket<'a>,
    broker: IpEndpoint,
    dropped: u32,
}

impl<'a> Network<'a> {
    pub fn new(stack: Stack<'a>, broker: IpEndpoint, memory: &'a mut Memory) -> Option<Self> {
        let Memory { received, sent } = memory;
        let mut socket = UdpSocket::new(stack, &mut received.0, &mut received.1, &mut sent.0, &mut sent.1);
        socket.bind(PORT).ok()?;
        Some(Self { socket, broker, dropped: 0 })
    }

    /// How many datagrams came from others than the broker.
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl Datagram for Network<'_> {
    type Error = SendError;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), SendError> {
        self.socket.send_to(datagram, self.broker).await
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, SendError> {
        loop {
            match self.socket.recv_from(buffer).await {
                Ok((len, from)) if from.endpoint == self.broker => return Ok(len),
                Ok(_) | Err(RecvError::Truncated) => self.dropped = self.dropped.wrapping_add(1),
            }
        }
    }
}
