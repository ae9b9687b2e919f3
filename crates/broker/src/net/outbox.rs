//! Sending many datagrams with one system call, written in place into buffers that are made once.

use std::array;
use std::io::{self, IoSlice};
use std::net::SocketAddrV6;
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, sendmmsg};

use super::BATCH;
use super::family::Family;
use super::path::{Path, Via, Vias};

/// Datagrams on their way out.
pub(crate) struct Outbox {
    v4: Headers<SockaddrIn>,
    v6: Headers<SockaddrIn6>,
    /// Whether the listener of this number is an IPv4 socket.
    is_v4: Vec<bool>,
    buffers: Vec<Box<[u8]>>,
    entries: Vec<Entry>,
    /// How many entries at the front have been sent.
    sent: usize,
    blocked: bool,
    counters: OutboxCounters,
}

/// What the system call works on.
struct Headers<S> {
    /// For datagrams whose source address the kernel chooses.
    anonymous: MultiHeaders<S>,
    /// For those whose source we name.
    named: MultiHeaders<S>,
}

#[derive(Clone, Copy)]
struct Entry {
    to: SocketAddrV6,
    via: Via,
    len: usize,
}

/// What was sent, and what was not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutboxCounters {
    /// Datagrams sent.
    pub(crate) datagrams: u64,
    /// Bytes of UDP payload in them.
    pub(crate) bytes: u64,
    /// Datagrams that the system refused to send.
    pub(crate) refused: u64,
}

impl Outbox {
    /// An outbox for datagrams of at most `datagram_bytes`, sent from listeners that are IPv4 sockets or not.
    pub(crate) fn new(datagram_bytes: usize, is_v4: Vec<bool>) -> Self {
        Self {
            v4: Headers::new(),
            v6: Headers::new(),
            is_v4,
            buffers: vec![vec![0; datagram_bytes].into_boxed_slice(); BATCH],
            entries: Vec::with_capacity(BATCH),
            sent: 0,
            blocked: false,
            counters: OutboxCounters::default(),
        }
    }

    pub(crate) const fn counters(&self) -> &OutboxCounters {
        &self.counters
    }

    /// Whether the system has no room for more at present.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The system may have room again.
    pub(crate) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// The listener whose socket must have room before anything goes on.
    pub(crate) fn waits_for(&self) -> Option<usize> {
        let entry = self.entries.get(self.sent).filter(|_| self.blocked)?;
        Some(entry.via.listener.into())
    }

    /// Adds a datagram that `fill` writes, as [`Host::transmit`](sedge_endpoint::Host::transmit) has it.
    pub(crate) fn push<S: AsRawFd>(
        &mut self,
        sockets: &[S],
        vias: &Vias,
        path: &Path,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> bool {
        if self.entries.len() == BATCH {
            self.flush(sockets);
        }
        let (Some(via), Some(buffer)) = (vias.get(path), self.buffers.get_mut(self.entries.len())) else {
            return false;
        };
        let len = fill(buffer).min(buffer.len());
        if len > 0 {
            self.entries.push(Entry { to: vias.peer(path), via, len });
        }
        true
    }

    /// Sends what there is, as far as the system takes it.
    pub(crate) fn flush<S: AsRawFd>(&mut self, sockets: &[S]) {
        while !self.blocked && self.sent < self.entries.len() {
            self.send_some(sockets);
        }
        if self.sent == self.entries.len() {
            self.entries.clear();
            self.sent = 0;
        }
    }

    /// Sends the datagrams at the front that have our end in common.
    fn send_some<S: AsRawFd>(&mut self, sockets: &[S]) {
        let waiting = &self.entries[self.sent..];
        let Some(&Entry { via, .. }) = waiting.first() else { return };
        let run = waiting.iter().take_while(|entry| entry.via == via).count();
        let socket = sockets.get(usize::from(via.listener));
        let outcome = socket.map_or(Err(io::ErrorKind::NotFound.into()), |socket| {
            self.send_run(socket.as_raw_fd(), via, run)
        });
        match outcome {
            Ok(count) => {
                let done = &self.entries[self.sent..self.sent + count];
                self.counters.datagrams += count as u64;
                self.counters.bytes += done.iter().map(|entry| entry.len as u64).sum::<u64>();
                self.sent += count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                // No route, a firewall, an address that went away: this one is lost, as datagrams may be.
                self.counters.refused += 1;
                self.sent += 1;
            }
        }
    }

    fn send_run(&mut self, socket: RawFd, via: Via, run: usize) -> io::Result<usize> {
        let entries = &self.entries[self.sent..self.sent + run];
        let buffers = &self.buffers[self.sent..];
        if self.is_v4.get(usize::from(via.listener)) == Some(&true) {
            self.v4.send(socket, via, entries, buffers)
        } else {
            self.v6.send(socket, via, entries, buffers)
        }
    }
}

impl<S: Family> Headers<S> {
    fn new() -> Self {
        Self {
            anonymous: MultiHeaders::preallocate(BATCH, None),
            named: MultiHeaders::preallocate(BATCH, Some(S::space())),
        }
    }

    /// Sends datagrams that have our end in common, and says how many went out.
    fn send(
        &mut self,
        socket: RawFd,
        via: Via,
        entries: &[Entry],
        buffers: &[Box<[u8]>],
    ) -> io::Result<usize> {
        let mut filled = entries.iter().zip(buffers).map(|(entry, buffer)| &buffer[..entry.len]);
        let slices: [[IoSlice<'_>; 1]; BATCH] =
            array::from_fn(|_| [IoSlice::new(filled.next().unwrap_or_default())]);
        let addresses: [Option<S>; BATCH] =
            array::from_fn(|at| entries.get(at).map(|entry| S::from_mapped(entry.to)));
        let (slices, flags) = (slices.iter().take(entries.len()), MsgFlags::MSG_DONTWAIT);
        let sent = match via.local {
            None => sendmmsg(socket, &mut self.anonymous, slices, addresses, [], flags)?.count(),
            Some(local) => {
                let source = S::source(local);
                let control = [S::control(&source)];
                sendmmsg(socket, &mut self.named, slices, addresses, control, flags)?.count()
            }
        };
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use std::net;

    use super::*;
    use crate::net::path::Local;

    /// Sends a hundred datagrams from `local` to a socket at `peer`, and looks at where they come from.
    fn send_from(listen: &str, peer: &str, local: &str) {
        let listener = super::super::open(listen.parse().unwrap(), false, 1).unwrap().remove(0);
        let port = listener.address.port();
        let receiver = net::UdpSocket::bind((peer, 0)).unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut vias = Vias::for_listeners(1);
        let mut outbox = Outbox::new(100, vec![listener.is_v4()]);
        let sockets = [listener.socket];
        let local: net::IpAddr = local.parse().unwrap();
        let ip = *super::super::socket::mapped((local, 0).into()).ip();
        let peer = super::super::socket::mapped(receiver.local_addr().unwrap());
        let path = vias.path(peer, Via { listener: 0, local: Some(Local { ip, interface: 1 }) });
        for number in 0..100u8 {
            assert!(outbox.push(&sockets, &vias, &path, |buf| {
                buf[0] = number;
                1 + usize::from(number % 3)
            }));
        }
        assert!(outbox.push(&sockets, &vias, &path, |_| 0), "nothing to send is no failure");
        outbox.flush(&sockets);
        for number in 0..100u8 {
            let mut buf = [0; 100];
            let (len, from) = receiver.recv_from(&mut buf).unwrap();
            assert_eq!((buf[0], len), (number, 1 + usize::from(number % 3)));
            assert_eq!(from, net::SocketAddr::from((local, port)));
        }
        assert_eq!(outbox.counters().datagrams, 100);
    }

    #[test]
    fn more_than_a_batch_goes_out_from_the_address_that_was_asked() {
        send_from("[::]:0", "::1", "::1");
        // An address of this host that routing would not choose by itself.
        send_from("[::]:0", "127.0.0.1", "127.0.0.2");
        send_from("0.0.0.0:0", "127.0.0.1", "127.0.0.2");
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_does_not_hold_up_the_others() {
        let listener = super::super::open("127.0.0.1:0".parse().unwrap(), false, 1).unwrap().remove(0);
        let receiver = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut vias = Vias::for_listeners(1);
        let mut outbox = Outbox::new(100, vec![listener.is_v4()]);
        let sockets = [listener.socket];
        let via = Via { listener: 0, local: None };
        // An IPv4 socket has no way to an IPv6 address.
        let nowhere = vias.path("[2001:db8::1]:9".parse().unwrap(), via);
        let somewhere = vias.path(super::super::socket::mapped(receiver.local_addr().unwrap()), via);
        for path in [nowhere, somewhere] {
            assert!(outbox.push(&sockets, &vias, &path, |_| 5));
        }
        outbox.flush(&sockets);
        assert_eq!(receiver.recv(&mut [0; 100]).unwrap(), 5);
        assert_eq!((outbox.counters().datagrams, outbox.counters().refused), (1, 1));
    }
}
