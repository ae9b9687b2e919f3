//! A host's IPv6 and UDP: smoltcp on the virtual clock, with one socket.

use std::collections::VecDeque;
use std::net::{Ipv6Addr, SocketAddrV6};

use sedge_time::Instant;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::udp;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint};

/// The longest IPv6 packet of a constrained network ([RFC 4944 section 4](https://www.rfc-editor.org/rfc/rfc4944#section-4)).
pub(crate) const MTU: usize = 1280;
/// What of it a UDP datagram may carry.
pub(crate) const MAX_DATAGRAM: usize = MTU - 48;

/// One host's stack. Packets go in and come out as IPv6; [`Stack::receive`] and [`Stack::send`] are the socket.
pub(crate) struct Stack {
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    /// Datagrams that have arrived: as long as they are, where the socket's buffers would be as long as they may be.
    received: VecDeque<(SocketAddrV6, Box<[u8]>)>,
    room: usize,
}

/// Packets between the stack and the network below.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Stack {
    /// A host at `address` whose socket has `port`, with room for so many datagrams that have arrived.
    pub(crate) fn new(address: Ipv6Addr, port: u16, room: usize, seed: u64) -> Self {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut wire, smoltcp::time::Instant::ZERO);
        // The whole network is one prefix: everyone is on the link, and routes are the network's business.
        interface.update_ip_addrs(|addresses| {
            let _room = addresses.push(IpCidr::new(IpAddress::Ipv6(address), 64));
        });
        // What is sent leaves at once, and what arrives is taken out at once.
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY], vec![0; MAX_DATAGRAM]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        // Fails for port 0 only.
        let _bound = socket.bind(port);
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let socket = sockets.add(socket);
        Self { wire, interface, sockets, socket, received: VecDeque::new(), room }
    }

    /// Takes in a packet from the network.
    pub(crate) fn packet_in(&mut self, now: Instant, packet: Vec<u8>) {
        self.wire.incoming.push_back(packet);
        self.poll(now);
    }

    /// The next packet for the network.
    pub(crate) fn packet_out(&mut self) -> Option<Vec<u8>> {
        self.wire.outgoing.pop_front()
    }

    /// Sends a datagram; `false` if there is no room for it.
    pub(crate) fn send(&mut self, now: Instant, to: SocketAddrV6, datagram: &[u8]) -> bool {
        let to = IpEndpoint::new(IpAddress::Ipv6(*to.ip()), to.port());
        let sent = self.sockets.get_mut::<udp::Socket<'_>>(self.socket).send_slice(datagram, to);
        self.poll(now);
        sent.is_ok()
    }

    /// The next datagram, its length and its sender. What does not fit `buffer` is dropped.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddrV6)> {
        while let Some((from, datagram)) = self.received.pop_front() {
            if let Some(buffer) = buffer.get_mut(..datagram.len()) {
                buffer.copy_from_slice(&datagram);
                return Some((datagram.len(), from));
            }
        }
        None
    }

    fn poll(&mut self, now: Instant) {
        let now = smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
        while self.interface.poll(now, &mut self.wire, &mut self.sockets) == PollResult::SocketStateChanged {}
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        while let Ok((datagram, from)) = socket.recv() {
            let IpAddress::Ipv6(address) = from.endpoint.addr;
            if self.received.len() < self.room {
                let from = SocketAddrV6::new(address, from.endpoint.port, 0, 0);
                self.received.push_back((from, datagram.into()));
            }
        }
    }
}

impl Device for Wire {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities.medium = Medium::Ip;
        capabilities
    }
}

struct Incoming(Vec<u8>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Outgoing<'w>(&'w mut VecDeque<Vec<u8>>);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_goes_from_host_to_host() {
        let address = |last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
        let mut one = Stack::new(address(1), 1000, 4, 1);
        let mut two = Stack::new(address(2), 2000, 4, 2);
        let now = Instant::from_micros(5);
        assert!(one.send(now, SocketAddrV6::new(address(2), 2000, 0, 0), b"hello"));
        let packet = one.packet_out().unwrap();
        assert_eq!((packet.len(), one.packet_out()), (48 + 5, None));
        two.packet_in(now, packet.clone());
        let mut buffer = [0; 64];
        let from = SocketAddrV6::new(address(1), 1000, 0, 0);
        assert_eq!(two.receive(&mut buffer), Some((5, from)));
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(two.receive(&mut buffer), None);
        // A packet that was damaged on the way is no datagram.
        let mut damaged = packet;
        damaged[50] ^= 1;
        two.packet_in(now, damaged);
        assert_eq!(two.receive(&mut buffer), None);
    }
}
