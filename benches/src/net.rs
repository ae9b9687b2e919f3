//! Many datagrams per system call, the same for every Rust server measured here.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};

/// Datagrams per system call.
pub(crate) const BATCH: usize = 64;
/// The longest datagram.
pub(crate) const DATAGRAM: usize = 1500;

/// Gives a socket as much buffer as the kernel lets it have (`net.core.rmem_max`).
pub(crate) fn enlarge_buffers(socket: &UdpSocket) -> io::Result<()> {
    setsockopt(socket, sockopt::RcvBuf, &(4 << 20))?;
    setsockopt(socket, sockopt::SndBuf, &(4 << 20))?;
    Ok(())
}

/// Receives batches.
pub(crate) struct Receiver {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Vec<[u8; DATAGRAM]>,
    received: Vec<(SocketAddrV4, usize)>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; DATAGRAM]; BATCH],
            received: Vec::with_capacity(BATCH),
        }
    }

    /// Takes what is there, after waiting for a datagram if `flags` are MSG_WAITFORONE.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, flags: MsgFlags) -> io::Result<usize> {
        let mut slices: Vec<_> = self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let results = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)?;
        self.received.clear();
        self.received.extend(results.filter_map(|result| {
            let address = result.address?;
            Some((SocketAddrV4::new(address.ip(), address.port()), result.bytes))
        }));
        Ok(self.received.len())
    }

    /// The datagrams of the last batch, and who sent them.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddrV4, &mut [u8])> {
        self.received.iter().zip(&mut self.buffers).map(|(&(from, len), buffer)| (from, &mut buffer[..len]))
    }
}

/// Collects datagrams and sends them together.
pub(crate) struct Sender {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Vec<[u8; DATAGRAM]>,
    lens: Vec<usize>,
    to: Vec<Option<SockaddrIn>>,
}

impl Sender {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; DATAGRAM]; BATCH],
            lens: Vec::with_capacity(BATCH),
            to: Vec::with_capacity(BATCH),
        }
    }

    /// Adds the datagram that `fill` writes; nothing if it writes none. Sends first if the batch is full.
    pub(crate) fn push(
        &mut self,
        socket: &UdpSocket,
        to: SocketAddrV4,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<()> {
        if self.lens.len() == BATCH {
            self.flush(socket)?;
        }
        let len = fill(&mut self.buffers[self.lens.len()]);
        if len > 0 {
            self.lens.push(len);
            self.to.push(Some(to.into()));
        }
        Ok(())
    }

    /// Sends what is there.
    pub(crate) fn flush(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.lens.len() {
            let slices: Vec<_> = (self.buffers.iter().zip(&self.lens).skip(sent))
                .map(|(buffer, &len)| [IoSlice::new(&buffer[..len])])
                .collect();
            let to = &self.to[sent..];
            let fd = socket.as_raw_fd();
            sent += sendmmsg(fd, &mut self.headers, &slices, to, [], MsgFlags::empty())?.count();
        }
        self.lens.clear();
        self.to.clear();
        Ok(())
    }
}
