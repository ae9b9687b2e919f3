//! Sockets: one per listen address and shard. An IPv6 socket on all addresses serves IPv4 as well.

use std::io;
#[cfg(test)]
use std::net::SocketAddrV6;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

/// A socket on which peers are served.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UdpSocket,
    /// Where it listens, with the port that port 0 became.
    pub(crate) address: SocketAddr,
    /// Whether CoAP is spoken on it without DTLS.
    pub(crate) plain: bool,
}

/// What the kernel is asked to hold for us while a shard is busy, in bytes; it may give less.
const KERNEL_BUFFER: usize = 4 << 20;

/// Opens the sockets of one address, one for each of `shards`.
pub(crate) fn open(address: SocketAddr, plain: bool, shards: usize) -> io::Result<Vec<Listener>> {
    if address.port() != 0 && shards > 1 {
        // Sockets that share a port share it with whoever else asks: make sure that there is nobody yet.
        drop(open_one(address, plain, false)?);
    }
    let mut listeners = vec![open_one(address, plain, shards > 1)?];
    let bound = SocketAddr::new(address.ip(), listeners[0].address.port());
    for _ in 1..shards {
        listeners.push(open_one(bound, plain, true)?);
    }
    Ok(listeners)
}

fn open_one(address: SocketAddr, plain: bool, shared: bool) -> io::Result<Listener> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Datagram, flags, None)?;
    setsockopt(&fd, sockopt::ReusePort, &shared)?;
    // On a socket of several addresses: which one a datagram came to, so that the answer comes from there.
    let wildcard = address.ip().is_unspecified();
    if address.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4PacketInfo, &wildcard)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
        setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &wildcard)?;
    }
    // More than the system's limit takes a privilege; less is no reason not to start.
    if setsockopt(&fd, sockopt::RcvBufForce, &KERNEL_BUFFER).is_err() {
        let _less = setsockopt(&fd, sockopt::RcvBuf, &KERNEL_BUFFER);
    }
    if setsockopt(&fd, sockopt::SndBufForce, &KERNEL_BUFFER).is_err() {
        let _less = setsockopt(&fd, sockopt::SndBuf, &KERNEL_BUFFER);
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    let socket = UdpSocket::from(fd);
    let port = socket.local_addr()?.port();
    Ok(Listener { socket, address: SocketAddr::new(address.ip(), port), plain })
}

impl Listener {
    /// Whether this is an IPv4 socket.
    pub(crate) const fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }
}

/// The address mapped into IPv6.
#[cfg(test)]
pub(crate) fn mapped(address: SocketAddr) -> SocketAddrV6 {
    match address {
        SocketAddr::V6(address) => address,
        SocketAddr::V4(address) => SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_a_port_that_nobody_else_can_have() {
        let listeners = open("[::1]:0".parse().unwrap(), false, 3).unwrap();
        let address = listeners[0].address;
        assert!(address.port() != 0 && listeners.iter().all(|listener| listener.address == address));
        let error = open(address, false, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(open(address, false, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn ipv4_is_served_by_itself_too() {
        let listener = &open("127.0.0.1:0".parse().unwrap(), false, 1).unwrap()[0];
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _sent = client.send_to(b"x", listener.address).unwrap();
        let mut buf = [0; 8];
        listener.socket.set_nonblocking(false).unwrap();
        let (len, from) = listener.socket.recv_from(&mut buf).unwrap();
        assert_eq!((len, from), (1, client.local_addr().unwrap()));
    }
}
