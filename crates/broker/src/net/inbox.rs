//! Receiving many datagrams with one system call, into buffers that are made once.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::RawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, recvmmsg};

use super::BATCH;
use super::family::Family;
use super::path::Local;

/// The datagrams of one batch.
pub(crate) struct Inbox {
    v4: MultiHeaders<SockaddrIn>,
    v6: MultiHeaders<SockaddrIn6>,
    buffers: Buffers,
    heads: Vec<Head>,
}

type Buffers = Box<[[u8; Inbox::ROOM]; BATCH]>;

/// What is known of a datagram besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    len: usize,
    pub(crate) from: SocketAddrV6,
    /// Which of our addresses it came to, where there are several.
    pub(crate) local: Option<Local>,
    /// Whether it was longer than any datagram we take, and so was cut off.
    pub(crate) truncated: bool,
}

impl Inbox {
    /// The longest datagram that is received whole: more than any path without fragmentation carries to us.
    const ROOM: usize = 2048;

    pub(crate) fn new() -> Self {
        Self {
            v4: MultiHeaders::preallocate(BATCH, Some(SockaddrIn::space())),
            v6: MultiHeaders::preallocate(BATCH, Some(SockaddrIn6::space())),
            buffers: Box::new([[0; Self::ROOM]; BATCH]),
            heads: Vec::with_capacity(BATCH),
        }
    }

    /// Replaces the batch by what waits in the socket, which is an IPv4 or an IPv6 one, and says how much that is.
    pub(crate) fn receive(&mut self, socket: RawFd, is_v4: bool) -> io::Result<usize> {
        self.heads.clear();
        let Self { v4, v6, buffers, heads } = self;
        if is_v4 {
            receive(socket, v4, buffers, heads)?
        } else {
            receive(socket, v6, buffers, heads)?
        }
        Ok(self.heads.len())
    }

    /// Whether the batch was full, so that more is likely to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.heads.len() == BATCH
    }

    /// The datagrams of the batch.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (Head, &mut [u8])> {
        self.heads.iter().zip(self.buffers.iter_mut()).map(|(head, buffer)| (*head, &mut buffer[..head.len]))
    }
}

fn receive<S: Family>(
    socket: RawFd,
    headers: &mut MultiHeaders<S>,
    buffers: &mut Buffers,
    heads: &mut Vec<Head>,
) -> io::Result<()> {
    let mut buffers = buffers.iter_mut();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
        array::from_fn(|_| [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| &mut buffer[..]))]);
    for result in recvmmsg(socket, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)? {
        let unknown = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
        heads.push(Head {
            len: result.bytes.min(Inbox::ROOM),
            from: result.address.map_or(unknown, S::to_mapped),
            local: result.cmsgs().ok().and_then(|mut messages| messages.find_map(S::local)),
            truncated: result.flags.contains(MsgFlags::MSG_TRUNC),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_batch_comes_in_order_with_its_senders() {
        let listener = &super::super::open("[::]:0".parse().unwrap(), false, 1).unwrap()[0];
        let v6 = UdpSocket::bind("[::1]:0").unwrap();
        let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = listener.address.port();
        let mut inbox = Inbox::new();
        // Twice, because the kernel leaves marks in the headers.
        for round in 0..2 {
            let _ = v6.send_to(b"six", ("::1", port)).unwrap();
            let _ = v4.send_to(b"four!", ("127.0.0.1", port)).unwrap();
            let _ = v6.send_to(&[7; 3000], ("::1", port)).unwrap();
            assert_eq!(inbox.receive(listener.socket.as_raw_fd(), false).unwrap(), 3, "round {round}");
            let seen: Vec<_> = inbox.datagrams().map(|(head, bytes)| (head, bytes.to_vec())).collect();
            assert_eq!(seen[0].1, b"six");
            assert_eq!(seen[0].0.from, v6.local_addr().map(super::super::socket::mapped).unwrap());
            assert_eq!(seen[0].0.local.unwrap().ip, Ipv6Addr::LOCALHOST);
            assert_eq!(seen[1].1, b"four!");
            assert_eq!(seen[1].0.local.unwrap().ip.to_ipv4_mapped(), Some([127, 0, 0, 1].into()));
            assert!(seen[2].0.truncated && !seen[0].0.truncated);
            assert!(!inbox.is_full());
        }
        let error = inbox.receive(listener.socket.as_raw_fd(), false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_ipv4_socket_tells_both_ends_too() {
        let listener = &super::super::open("0.0.0.0:0".parse().unwrap(), false, 1).unwrap()[0];
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut inbox = Inbox::new();
        for _ in 0..2 {
            let _ = client.send_to(b"four", ("127.0.0.2", listener.address.port())).unwrap();
            assert_eq!(inbox.receive(listener.socket.as_raw_fd(), true).unwrap(), 1);
            let (head, bytes) = inbox.datagrams().next().unwrap();
            assert_eq!(bytes, b"four");
            assert_eq!(head.from, client.local_addr().map(super::super::socket::mapped).unwrap());
            assert_eq!(head.local.unwrap().ip.to_ipv4_mapped(), Some([127, 0, 0, 2].into()));
        }
    }
}
