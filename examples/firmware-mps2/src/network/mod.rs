//! Datagrams to and from the broker, over smoltcp.

mod gate;
mod lan9118;

use core::convert::Infallible;
use core::future::poll_fn;
use core::net::SocketAddrV4;
use core::task::Poll;

use sedge_client::Datagram;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, IpEndpoint, Ipv4Address};

use crate::board::Ticks;
use gate::Gate;
use lan9118::Lan9118;

/// What QEMU's user-mode network gives its first guest, and how it is to reach others.
const OWN: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// Any will do: nothing but the broker's answers comes in.
const PORT: u16 = 49_152;

const PACKETS: usize = 4;
const BYTES: usize = 2_048;

/// All memory of the network stack.
struct Memory {
    sockets: [SocketStorage<'static>; 1],
    received: ([udp::PacketMetadata; PACKETS], [u8; BYTES]),
    sent: ([udp::PacketMetadata; PACKETS], [u8; BYTES]),
}

/// A socket that knows nobody but the broker.
pub struct Network {
    device: Gate,
    clock: Ticks,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    broker: IpEndpoint,
}

impl Network {
    /// Starts the network; to be called once.
    pub fn start(broker: SocketAddrV4, clock: Ticks) -> Option<Self> {
        let memory = cortex_m::singleton!(: Memory = Memory {
            sockets: [SocketStorage::EMPTY],
            received: ([udp::PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
            sent: ([udp::PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
        })?;
        let mut device = Gate::new(Lan9118::start(HARDWARE)?, broker, PORT);
        let config = Config::new(EthernetAddress(HARDWARE).into());
        let mut interface = Interface::new(config, &mut device, now(&clock));
        interface.update_ip_addrs(|addresses| {
            let _room = addresses.push(IpCidr::new(OWN.into(), 24));
        });
        interface.routes_mut().add_default_ipv4_route(ROUTER).ok()?;
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut memory.received.0[..], &mut memory.received.1[..]),
            udp::PacketBuffer::new(&mut memory.sent.0[..], &mut memory.sent.1[..]),
        );
        socket.bind(PORT).ok()?;
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let socket = sockets.add(socket);
        Some(Self { device, clock, interface, sockets, socket, broker: broker.into() })
    }

    /// How many frames came from others than the broker. Nobody has seen them.
    pub const fn dropped(&self) -> u32 {
        self.device.dropped()
    }

    fn poll(&mut self) -> &mut udp::Socket<'static> {
        let _changed = self.interface.poll(now(&self.clock), &mut self.device, &mut self.sockets);
        self.sockets.get_mut(self.socket)
    }
}

fn now(clock: &Ticks) -> Instant {
    Instant::from_micros(i64::try_from(clock.time().as_micros()).unwrap_or(i64::MAX))
}

impl Datagram for Network {
    type Error = Infallible;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), Infallible> {
        poll_fn(|_| {
            let broker = self.broker;
            let sent = match self.poll().send_slice(datagram, broker) {
                Err(udp::SendError::BufferFull) => Poll::Pending,
                // What cannot be sent is as good as lost.
                Ok(()) | Err(udp::SendError::Unaddressable) => Poll::Ready(Ok(())),
            };
            let _flushed = self.poll();
            sent
        })
        .await
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let socket = self.poll();
            while let Ok((datagram, _)) = socket.recv() {
                if let Some(place) = buffer.get_mut(..datagram.len()) {
                    place.copy_from_slice(datagram);
                    return Poll::Ready(Ok(datagram.len()));
                }
            }
            Poll::Pending
        })
        .await
    }
}
