//! Nobody but the broker is let in.

use core::net::SocketAddrV4;

use smoltcp::phy::{Device, DeviceCapabilities};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, UdpPacket};

use super::lan9118::{Frame, Lan9118, Sender};

/// The Ethernet controller behind a door that opens for two kinds of frames: those that ask for the device's hardware
/// address, and datagrams from the broker to the one port that the device sends from. Everything else is counted and
/// gets no answer, not even that there is nobody: no echo, no "port unreachable".
pub struct Gate {
    device: Lan9118,
    broker: SocketAddrV4,
    port: u16,
    dropped: u32,
}

impl Gate {
    pub fn new(device: Lan9118, broker: SocketAddrV4, port: u16) -> Self {
        Self { device, broker, port, dropped: 0 }
    }

    /// How many frames were turned away.
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    fn admits(&self, frame: &[u8]) -> bool {
        let Ok(frame) = EthernetFrame::new_checked(frame) else { return false };
        match frame.ethertype() {
            EthernetProtocol::Arp => true,
            EthernetProtocol::Ipv4 => self.admits_packet(frame.payload()),
            _ => false,
        }
    }

    fn admits_packet(&self, packet: &[u8]) -> bool {
        let Ok(packet) = Ipv4Packet::new_checked(packet) else { return false };
        // The broker is told never to send what has to be fragmented.
        if packet.next_header() != IpProtocol::Udp || packet.more_frags() || packet.frag_offset() > 0 {
            return false;
        }
        let Ok(datagram) = UdpPacket::new_checked(packet.payload()) else { return false };
        packet.src_addr() == *self.broker.ip()
            && datagram.src_port() == self.broker.port()
            && datagram.dst_port() == self.port
    }
}

impl Device for Gate {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Sender;

    fn receive(&mut self, now: Instant) -> Option<(Frame, Sender)> {
        loop {
            let (frame, sender) = self.device.receive(now)?;
            if self.admits(frame.bytes()) {
                return Some((frame, sender));
            }
            self.dropped += 1;
        }
    }

    fn transmit(&mut self, now: Instant) -> Option<Sender> {
        self.device.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}
