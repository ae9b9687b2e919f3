//! Receiving many datagrams with one system call, into buffers that are made once.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::RawFd;

use nix::libc::in6_pktinfo;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn6, recvmmsg};

use super::BATCH;
use super::path::Local;

/// The datagrams of one batch.
pub(crate) struct Inbox {
    headers: MultiHeaders<SockaddrIn6>,
    buffers: Box<[[u8; Self::ROOM]; BATCH]>,
    heads: Vec<Head>,
}

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
            headers: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(in6_pktinfo))),
            buffers: vec![[0; Self::ROOM]; BATCH]
                .try_into()
                .unwrap_or_else(|_| Box::new([[0; Self::ROOM]; BATCH])),
            heads: Vec::with_capacity(BATCH),
        }
    }

    /// Replaces the batch by what waits in the socket, and says how much that is.
    pub(crate) fn receive(&mut self, socket: RawFd) -> io::Result<usize> {
        self.heads.clear();
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| &mut buffer[..]))]);
        let results = recvmmsg(socket, &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        for result in results {
            let local = result.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|message| match message {
                    ControlMessageOwned::Ipv6PacketInfo(info) => Some(Local {
                        ip: Ipv6Addr::from(info.ipi6_addr.s6_addr),
                        interface: info.ipi6_ifindex,
                    }),
                    _ => None,
                })
            });
            let from = result.address.map_or(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0), Into::into);
            let truncated = result.flags.contains(MsgFlags::MSG_TRUNC);
            self.heads.push(Head { len: result.bytes.min(Self::ROOM), from, local, truncated });
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
            assert_eq!(inbox.receive(listener.socket.as_raw_fd()).unwrap(), 3, "round {round}");
            let seen: Vec<_> = inbox.datagrams().map(|(head, bytes)| (head, bytes.to_vec())).collect();
            assert_eq!(seen[0].1, b"six");
            assert_eq!(seen[0].0.from, v6.local_addr().map(super::super::socket::mapped).unwrap());
            assert_eq!(seen[0].0.local.unwrap().ip, Ipv6Addr::LOCALHOST);
            assert_eq!(seen[1].1, b"four!");
            assert_eq!(seen[1].0.local.unwrap().ip.to_ipv4_mapped(), Some([127, 0, 0, 1].into()));
            assert!(seen[2].0.truncated && !seen[0].0.truncated);
            assert!(!inbox.is_full());
        }
        let error = inbox.receive(listener.socket.as_raw_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
