//! One endpoint over DTLS and one socket: what the protocol costs without a broker around it.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::time;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use nix::sys::socket::MsgFlags;
use sedge_coap::{Code, OptionNumber};
use sedge_crypto::RustCrypto;
use sedge_dtls::{Credentials, Psk, PskOnly};
use sedge_endpoint::memory::{PagedMemory, Path};
use sedge_endpoint::{CidLayout, Config, Endpoint, Event, Host, Incoming, Notification, SessionId};
use sedge_time::Instant;

use crate::fleet::KEY;
use crate::net::{Receiver, Sender};

/// More than any part of the benchmarks opens.
const SESSIONS: usize = 200_000;

/// An IPv4 address and port, in six bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address(SocketAddrV4);

impl Path for Address {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[..4].copy_from_slice(&self.0.ip().octets());
        out[4..6].copy_from_slice(&self.0.port().to_be_bytes());
        6
    }
}

struct Outside<'a> {
    socket: &'a UdpSocket,
    sender: &'a mut Sender,
}

impl Host<RustCrypto> for Outside<'_> {
    type Path = Address;

    fn transmit(&mut self, path: &Address, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        self.sender.push(self.socket, path.0, fill).is_ok()
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<RustCrypto> {
        |_identity: &[u8]| Some((Psk::new(&KEY)?, 1))
    }
}

pub(super) fn serve(socket: &UdpSocket) -> io::Result<()> {
    let epoch = time::Instant::now();
    let now = || Instant::from_micros(epoch.elapsed().as_micros() as u64);
    let config = Config {
        accept: true,
        cid: CidLayout::new(8, 8, 0, 24).ok_or_else(|| io::Error::other("impossible Connection IDs"))?,
        ..Config::default()
    };
    // As many handshakes at once as the fleet has under way, and a table of handled messages as the broker's.
    let parts = PagedMemory::parts(SESSIONS, 4096, 65_536);
    let mut endpoint: Endpoint<PagedMemory<Address, PskOnly<RustCrypto>, UnwrapErr<SysRng>>> =
        Endpoint::new(now(), config, RustCrypto, UnwrapErr(SysRng), parts);

    let (mut observers, mut sequence) = (Vec::new(), 2);
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    socket.set_read_timeout(Some(time::Duration::from_millis(100)))?;
    loop {
        match receiver.receive(socket, MsgFlags::MSG_WAITFORONE) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut outside = Outside { socket, sender: &mut sender };
                while endpoint.expire(now(), &mut outside).is_some() {}
                sender.flush(socket)?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let now = now();
        for (from, datagram) in receiver.datagrams() {
            let mut outside = Outside { socket, sender: &mut sender };
            let mut incoming = Incoming::new(Address(from), datagram);
            while let Some(event) = endpoint.receive(now, &mut incoming, &mut outside) {
                let Event::Request { ticket, message } = event else { continue };
                let payload = message.payload();
                let observer = message.observe().map(|_| (ticket.session(), ticket.token()));
                let publishes = message.code() == Code::PUT;
                let code = if observer.is_some() { Code::CONTENT } else { Code::CHANGED };
                // A peer that has gone meanwhile gets no answer, and needs none.
                let _ = endpoint.respond(now, ticket, &mut outside, code, |writer| {
                    if observer.is_some() {
                        let _ = writer.option_uint(OptionNumber::OBSERVE, 1);
                    }
                    let _ = writer.payload(payload);
                });
                observers.extend(observer);
                if publishes {
                    sequence += 1;
                    for &(session, token) in &observers {
                        let notification =
                            Notification { key: 0, token, code: Code::CONTENT, confirmable: false };
                        let _ = endpoint.notify(now, session, notification, &mut outside, |writer| {
                            let _ = writer
                                .option_uint(OptionNumber::OBSERVE, sequence)
                                .option_uint(OptionNumber::CONTENT_FORMAT, 42)
                                .payload(payload);
                        });
                    }
                }
            }
        }
        let mut outside = Outside { socket, sender: &mut sender };
        while endpoint.expire(now, &mut outside).is_some() {}
        sender.flush(socket)?;
    }
}
