//! Datagrams to and from the broker: UDP and IPv6, compressed by 6LoWPAN, over smoltcp.

use core::convert::Infallible;

use embassy_futures::select::select;
use embassy_time::{Instant, Timer};
use sedge_client::Datagram;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::udp;
use smoltcp::wire::{Ieee802154Address, Ieee802154Pan, IpCidr, IpEndpoint, Ipv6Address};

use crate::radio::Frames;

/// What this network is: set to yours. The channel is one of 11 to 26.
pub const CHANNEL: u8 = 15;
pub const PAN: Ieee802154Pan = Ieee802154Pan(0x5ed9);
const PREFIX: [u16; 4] = [0xfd5e, 0xd9e0, 0, 1];
const ROUTER: Ipv6Address = Ipv6Address::new(0xfd5e, 0xd9e0, 0, 1, 0, 0, 0, 1);
/// RFC 4944 and RFC 6282 have short forms for these ports. Any will do: nothing but the broker's answers comes in.
const PORT: u16 = 0xf0b1;

const PACKETS: usize = 2;
const BYTES: usize = 1_280;

/// All memory of the network stack.
pub struct Memory {
    sockets: [SocketStorage<'static>; 1],
    received: ([udp::PacketMetadata; PACKETS], [u8; BYTES]),
    sent: ([udp::PacketMetadata; PACKETS], [u8; BYTES]),
}

impl Memory {
    pub const EMPTY: Self = Self {
        sockets: [SocketStorage::EMPTY],
        received: ([udp::PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
        sent: ([udp::PacketMetadata::EMPTY; PACKETS], [0; BYTES]),
    };
}

/// A socket that knows nobody but the broker. The radio listens only while somebody waits for a datagram.
pub struct Network<'d> {
    frames: Frames<'d>,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    broker: IpEndpoint,
}

impl<'d> Network<'d> {
    pub fn new(
        mut frames: Frames<'d>,
        address: [u8; 8],
        broker: IpEndpoint,
        seed: u64,
        memory: &'static mut Memory,
    ) -> Option<Self> {
        let hardware = Ieee802154Address::Extended(address);
        let mut config = Config::new(hardware.into());
        config.pan_id = Some(PAN);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut frames, now());
        let [a, b, c, d] = PREFIX;
        // RFC 4944 section 6: the hardware address with its second bit turned.
        let [first, rest @ ..] = address;
        let [e, f, g, h, i, j, k] = rest;
        let word = |high, low| u16::from_be_bytes([high, low]);
        let own =
            |a, b, c, d| Ipv6Address::new(a, b, c, d, word(first ^ 2, e), word(f, g), word(h, i), word(j, k));
        interface.update_ip_addrs(|addresses| {
            let _room = addresses.push(IpCidr::new(own(0xfe80, 0, 0, 0).into(), 64));
            let _room = addresses.push(IpCidr::new(own(a, b, c, d).into(), 64));
        });
        interface.routes_mut().add_default_ipv6_route(ROUTER).ok()?;
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut memory.received.0[..], &mut memory.received.1[..]),
            udp::PacketBuffer::new(&mut memory.sent.0[..], &mut memory.sent.1[..]),
        );
        socket.bind(PORT).ok()?;
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let socket = sockets.add(socket);
        Some(Self { frames, interface, sockets, socket, broker })
    }

    /// How many frames were nothing for this device.
    pub const fn dropped(&self) -> u32 {
        self.frames.dropped()
    }

    /// Does all that needs no frame to come first.
    async fn work(&mut self) {
        loop {
            let _changed = self.interface.poll(now(), &mut self.frames, &mut self.sockets);
            if !self.frames.send().await {
                return;
            }
        }
    }

    fn socket(&mut self) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(self.socket)
    }
}

fn now() -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(Instant::now().as_micros()).unwrap_or(i64::MAX))
}

impl Datagram for Network<'_> {
    type Error = Infallible;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), Infallible> {
        let broker = self.broker;
        // What has no room is as good as lost, and sent again in its time.
        let _sent = self.socket().send_slice(datagram, broker);
        self.work().await;
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        loop {
            self.work().await;
            let broker = self.broker;
            while let Ok((datagram, from)) = self.socket().recv() {
                if from.endpoint == broker
                    && let Some(place) = buffer.get_mut(..datagram.len())
                {
                    place.copy_from_slice(datagram);
                    return Ok(datagram.len());
                }
            }
            // Until a frame comes, or smoltcp has something to do: to ask for a neighbour again, say.
            match self.interface.poll_at(now(), &self.sockets) {
                Some(next) => {
                    let next = Instant::from_micros(u64::try_from(next.total_micros()).unwrap_or(0));
                    let _first = select(self.frames.listen(), Timer::at(next)).await;
                }
                None => self.frames.listen().await,
            }
        }
    }
}
