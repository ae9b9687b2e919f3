//! The socket, the clock, the user's commands and what is written down of all that.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sedge_dtls::KeyLog;

use super::command::{Task, hex};
use crate::pcap::Capture;

/// How often commands are looked for.
const TICK: Duration = Duration::from_millis(4);

/// Randomness for everything.
pub(super) fn system_random() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// The time that handshakes know.
pub(super) fn now() -> sedge_time::Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    sedge_time::Instant::EPOCH + EPOCH.get_or_init(Instant::now).elapsed().into()
}

/// The socket and the standard streams.
pub(super) struct Wire {
    pub(super) socket: UdpSocket,
    commands: Receiver<String>,
    capture: Option<Capture>,
    server: bool,
}

impl Wire {
    pub(super) fn open(task: &Task) -> Result<Self, String> {
        let (sender, commands) = channel();
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        let capture = task.capture.as_deref().map(Capture::create).transpose();
        Ok(Self {
            socket: bind(if task.server { task.address } else { any_towards(task.address) })?,
            commands,
            capture: capture.map_err(|error| error.to_string())?,
            server: task.server,
        })
    }

    /// Goes on from another port.
    pub(super) fn rebind(&mut self, remote: SocketAddr) -> Result<(), String> {
        self.socket = bind(any_towards(remote))?;
        Ok(())
    }

    pub(super) fn send(&mut self, datagram: &[u8], to: SocketAddr) {
        self.note(true, datagram);
        // What cannot be sent is lost, like anything else.
        let _ = self.socket.send_to(datagram, to);
    }

    /// A datagram, if one comes within this time or until it is time to look for commands.
    pub(super) fn receive(&mut self, within: Duration) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 65_535];
        let pause = within.clamp(Duration::from_micros(100), TICK);
        self.socket.set_read_timeout(Some(pause)).ok()?;
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        buffer.truncate(length);
        self.note(false, &buffer);
        Some((buffer, from))
    }

    /// The next command, if there is one; the end of the input is `close`.
    pub(super) fn command(&mut self) -> Option<String> {
        use std::sync::mpsc::TryRecvError;
        match self.commands.try_recv() {
            Ok(line) => Some(line),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some("close".to_owned()),
        }
    }

    fn note(&mut self, sent: bool, datagram: &[u8]) {
        if let Some(capture) = &mut self.capture {
            capture.add(sent != self.server, datagram).expect("the capture can be written");
        }
    }
}

fn bind(address: SocketAddr) -> Result<UdpSocket, String> {
    UdpSocket::bind(address).map_err(|error| format!("{address}: {error}"))
}

fn any_towards(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// Secrets for Wireshark, in a file.
pub(super) struct KeyFile(File);

impl KeyFile {
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        File::create(path).map(Self).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl KeyLog for KeyFile {
    fn secret(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        writeln!(self.0, "{label} {} {}", hex(client_random), hex(secret)).expect("secrets can be written");
    }
}
