//! Servers on DTLS crates that nobody here wrote, for benchmarks: many sessions on one UDP socket, cookies, echo of
//! application data.
//!
//! `sedge-bench-peers dimpl|rtc-dtls psk|cert|mutual full|resume 12|13 CERTIFICATE KEY CA` prints `ready ADDRESS` and
//! ends with its standard input. The files are DER, the key PKCS #8. Neither library resumes sessions.

mod dimpl_server;
#[allow(dead_code, reason = "the load generators use the rest")]
#[path = "../../../src/net.rs"]
mod net;
mod rtc_dtls_server;

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::{env, fs, io, process, thread};

use net::{Receiver, Sender, enlarge_buffers};
use nix::sys::socket::MsgFlags;

/// Every client's key.
const KEY: &[u8; 16] = b"benchmarks only!";

/// What the command line said.
struct Task {
    psk: bool,
    mutual: bool,
    dtls_1_3: bool,
    certificate: Vec<u8>,
    key: Vec<u8>,
    ca: Vec<u8>,
}

/// Datagrams to be sent.
struct Outgoing<'a> {
    socket: &'a UdpSocket,
    sender: &'a mut Sender,
}

impl Outgoing<'_> {
    fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) -> Result<()> {
        self.sender.push(self.socket, to, |buffer| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        })
    }
}

/// A library with all its sessions.
trait Server {
    fn receive(&mut self, from: SocketAddrV4, datagram: &[u8], out: &mut Outgoing<'_>) -> Result<()>;
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, auth, _, version, certificate, key, ca] = &arguments[..] else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let task = Task {
        psk: auth == "psk",
        mutual: auth == "mutual",
        dtls_1_3: version == "13",
        certificate: fs::read(certificate)?,
        key: fs::read(key)?,
        ca: fs::read(ca)?,
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    enlarge_buffers(&socket)?;
    match library.as_str() {
        "dimpl" => serve(&socket, dimpl_server::Dimpl::new(&task)?),
        _ => serve(&socket, rtc_dtls_server::RtcDtls::new(&task, socket.local_addr()?)?),
    }
}

fn serve(socket: &UdpSocket, mut server: impl Server) -> Result<()> {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    println!("ready {}", socket.local_addr()?);
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    loop {
        receiver.receive(socket, MsgFlags::MSG_WAITFORONE)?;
        for (from, datagram) in receiver.datagrams() {
            server.receive(from, datagram, &mut Outgoing { socket, sender: &mut sender })?;
        }
        sender.flush(socket)?;
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::other(error.to_string())
}
