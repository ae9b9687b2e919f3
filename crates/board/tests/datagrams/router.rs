//! The other end of a wire: a router that carries UDP between the device's packets and the broker's socket on loopback.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use sedge_board::smoltcp::Wire;
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{IpProtocol, Ipv6Packet, Ipv6Repr, UdpPacket, UdpRepr};
use tokio::net::UdpSocket;

/// The broker as the device sees it, and the device.
pub(crate) const SERVER: SocketAddrV6 = SocketAddrV6::new(address(1), 5684, 0, 0);
pub(crate) const DEVICE: Ipv6Addr = address(2);
/// As many datagrams from others are put before the broker's first.
pub(crate) const STRANGERS: u32 = 2;

const fn address(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd5e, 0xd9e0, 0, 7, 0, 0, 0, host)
}

pub(crate) struct Router {
    broker: UdpSocket,
    /// Where the device sends from.
    port: Cell<u16>,
    strangers: Cell<u32>,
}

impl Router {
    pub(crate) async fn towards(broker: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(broker).await.unwrap();
        Self { broker: socket, port: Cell::new(0), strangers: Cell::new(STRANGERS) }
    }

    /// Takes a packet from the device.
    pub(crate) async fn forward(&self, packet: &[u8]) {
        let packet = Ipv6Packet::new_checked(packet).unwrap();
        if packet.next_header() != IpProtocol::Udp {
            // What IPv6 has to say about itself.
            return;
        }
        assert_eq!((packet.src_addr(), packet.dst_addr()), (DEVICE, *SERVER.ip()));
        let datagram = UdpPacket::new_checked(packet.payload()).unwrap();
        assert!(datagram.verify_checksum(&DEVICE.into(), &(*SERVER.ip()).into()));
        assert_eq!(datagram.dst_port(), SERVER.port());
        self.port.set(datagram.src_port());
        self.broker.send(datagram.payload()).await.unwrap();
    }

    /// Waits for a packet to the device. May be dropped at any point.
    pub(crate) async fn next(&self) -> Vec<u8> {
        let mut datagram = [0; 1500];
        self.broker.readable().await.unwrap();
        let left = self.strangers.get();
        if left > 0 && self.port.get() != 0 {
            self.strangers.set(left - 1);
            // One from elsewhere, and one from the broker's host but not from the broker.
            let (host, port) = if left == 1 { (*SERVER.ip(), 9) } else { (address(9), 5684) };
            return self.packet(SocketAddrV6::new(host, port, 0, 0), b"let me in");
        }
        let len = self.broker.recv(&mut datagram).await.unwrap();
        self.packet(SERVER, &datagram[..len])
    }

    fn packet(&self, from: SocketAddrV6, payload: &[u8]) -> Vec<u8> {
        let checks = ChecksumCapabilities::default();
        let udp = UdpRepr { src_port: from.port(), dst_port: self.port.get() };
        let ip = Ipv6Repr {
            src_addr: *from.ip(),
            dst_addr: DEVICE,
            next_header: IpProtocol::Udp,
            payload_len: udp.header_len() + payload.len(),
            hop_limit: 64,
        };
        let mut bytes = vec![0; ip.buffer_len() + ip.payload_len];
        let mut packet = Ipv6Packet::new_unchecked(&mut bytes);
        ip.emit(&mut packet);
        let (source, destination) = (ip.src_addr.into(), ip.dst_addr.into());
        udp.emit(
            &mut UdpPacket::new_unchecked(packet.payload_mut()),
            &source,
            &destination,
            payload.len(),
            |room| room.copy_from_slice(payload),
            &checks,
        );
        bytes
    }
}

/// The router as a device of smoltcp's, with room for one packet each way.
pub(crate) struct Packets {
    router: Router,
    received: VecDeque<Vec<u8>>,
    to_send: Option<Vec<u8>>,
}

impl Packets {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, received: VecDeque::new(), to_send: None }
    }
}

impl Wire for Packets {
    async fn ready(&mut self) {
        if self.received.is_empty() {
            self.received.push_back(self.router.next().await);
        }
    }

    async fn flush(&mut self) -> bool {
        let Some(packet) = &self.to_send else { return false };
        self.router.forward(packet).await;
        self.to_send = None;
        true
    }
}

impl Device for Packets {
    type RxToken<'a> = Received;
    type TxToken<'a> = Free<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Free<'_>)> {
        let packet = if self.to_send.is_none() { self.received.pop_front() } else { None };
        Some((Received(packet?), Free(&mut self.to_send)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Free<'_>> {
        self.to_send.is_none().then_some(Free(&mut self.to_send))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(crate) struct Free<'a>(&'a mut Option<Vec<u8>>);

impl TxToken for Free<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut packet = vec![0; len];
        let outcome = fill(&mut packet);
        *self.0 = Some(packet);
        outcome
    }
}
