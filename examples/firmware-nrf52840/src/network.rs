//! UDP and IPv6 in frames of 802.15.4, compressed by 6LoWPAN, over smoltcp.

use core::net::SocketAddrV6;

use sedge_board::embassy::Clock;
use sedge_board::smoltcp::{Socket, Wire};
use smoltcp::iface::{Config, Interface};
use smoltcp::time::Instant;
use smoltcp::wire::{Ieee802154Address, Ieee802154Pan, IpCidr, Ipv6Address};

use crate::radio::Frames;

/// What this network is: set to yours. The channel is one of 11 to 26.
pub const CHANNEL: u8 = 15;
pub const PAN: Ieee802154Pan = Ieee802154Pan(0x5ed9);
const PREFIX: [u16; 4] = [0xfd5e, 0xd9e0, 0, 1];
const ROUTER: Ipv6Address = Ipv6Address::new(0xfd5e, 0xd9e0, 0, 1, 0, 0, 0, 1);
/// RFC 4944 and RFC 6282 have short forms for these ports. Any will do: nothing but the broker's answers comes in.
const PORT: u16 = 0xf0b1;

/// The radio listens only while somebody waits for a datagram.
pub type Network<'d> = Socket<'static, Frames<'d>, Clock>;
pub type Memory = sedge_board::smoltcp::Memory<'static>;

/// Datagrams to and from the broker.
pub fn start<'d>(
    mut frames: Frames<'d>,
    address: [u8; 8],
    broker: SocketAddrV6,
    seed: u64,
    memory: &'static mut Memory,
) -> Option<Network<'d>> {
    let hardware = Ieee802154Address::Extended(address);
    let mut config = Config::new(hardware.into());
    config.pan_id = Some(PAN);
    config.random_seed = seed;
    let mut interface = Interface::new(config, &mut frames, Instant::ZERO);
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
    Socket::new(frames, interface, memory, Clock, PORT, broker).ok()
}

impl Wire for Frames<'_> {
    async fn ready(&mut self) {
        self.listen().await;
    }

    async fn flush(&mut self) -> bool {
        self.send().await
    }
}
