//! IPv4 and IPv6 sockets: what differs in their addresses and control messages. Everywhere else IPv4 addresses are
//! mapped into IPv6. An IPv6 socket serves IPv4 too, but a datagram costs a twentieth less on a socket of its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrIn, SockaddrIn6, SockaddrLike};

use super::path::Local;

/// An address family, by the type of its addresses.
pub(super) trait Family: SockaddrLike + Copy {
    /// The control message that names our end of a datagram's path.
    type Source;

    /// Room for one such message.
    fn space() -> Vec<u8>;
    /// The address mapped into IPv6.
    fn to_mapped(self) -> SocketAddrV6;
    /// The inverse of [`Family::to_mapped`]; an address of another family becomes one that cannot be reached.
    fn from_mapped(address: SocketAddrV6) -> Self;
    /// Our end, if the message names it.
    fn local(message: ControlMessageOwned) -> Option<Local>;
    /// The message that names our end.
    fn source(local: Local) -> Self::Source;
    /// The same for the system call.
    fn control(source: &Self::Source) -> ControlMessage<'_>;
}

impl Family for SockaddrIn6 {
    type Source = in6_pktinfo;

    fn space() -> Vec<u8> {
        nix::cmsg_space!(in6_pktinfo)
    }

    fn to_mapped(self) -> SocketAddrV6 {
        self.into()
    }

    fn from_mapped(address: SocketAddrV6) -> Self {
        address.into()
    }

    fn local(message: ControlMessageOwned) -> Option<Local> {
        match message {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Some(Local { ip: Ipv6Addr::from(info.ipi6_addr.s6_addr), interface: info.ipi6_ifindex })
            }
            _ => None,
        }
    }

    fn source(local: Local) -> in6_pktinfo {
        in6_pktinfo {
            ipi6_addr: in6_addr { s6_addr: local.ip.octets() },
            // Routing chooses the interface, except where addresses mean nothing beyond one.
            ipi6_ifindex: if local.ip.is_unicast_link_local() { local.interface } else { 0 },
        }
    }

    fn control(source: &in6_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv6PacketInfo(source)
    }
}

impl Family for SockaddrIn {
    type Source = in_pktinfo;

    fn space() -> Vec<u8> {
        nix::cmsg_space!(in_pktinfo)
    }

    fn to_mapped(self) -> SocketAddrV6 {
        SocketAddrV6::new(self.ip().to_ipv6_mapped(), self.port(), 0, 0)
    }

    fn from_mapped(address: SocketAddrV6) -> Self {
        let ip = address.ip().to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let port = if ip.is_unspecified() { 0 } else { address.port() };
        SocketAddrV4::new(ip, port).into()
    }

    fn local(message: ControlMessageOwned) -> Option<Local> {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                Some(Local { ip: ip.to_ipv6_mapped(), interface: info.ipi_ifindex.cast_unsigned() })
            }
            _ => None,
        }
    }

    fn source(local: Local) -> in_pktinfo {
        let ip = local.ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
        in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr { s_addr: u32::from(ip).to_be() },
            ipi_addr: in_addr { s_addr: 0 },
        }
    }

    fn control(source: &in_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv4PacketInfo(source)
    }
}
