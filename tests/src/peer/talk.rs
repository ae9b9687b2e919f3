//! An established connection and its user.

use std::net::SocketAddr;
use std::time::Duration;

use sedge_crypto::RustCrypto;
use sedge_dtls::{Authentication, Content, ContentType, Established, Records, Resumption, Session};

use super::command::{hex, unhex};
use super::wire::{Wire, now};

/// How long a message of the session's own waits for its ACK.
const PATIENCE: sedge_time::Duration = sedge_time::Duration::from_millis(300);

/// An established connection.
pub(super) struct Talk {
    session: Session,
    remote: SocketAddr,
    echo: bool,
    principal: u32,
    authentication: Authentication,
    tickets: Vec<Resumption>,
    repeat_at: Option<sedge_time::Instant>,
    over: bool,
}

/// What the user wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To go on.
    Talk,
    /// Another connection.
    Again,
    /// Nothing any more.
    End,
}

impl Talk {
    /// Says what was negotiated.
    pub(super) fn new(established: Established, remote: SocketAddr, echo: bool) -> Self {
        let Established { session, principal, authentication, resumed } = established;
        let version = if session.is_dtls_1_3() { "1.3" } else { "1.2" };
        let cid = Some(session.peer_cid()).filter(|cid| !cid.is_empty());
        println!(
            "connected version={version} suite={} group=- cid={} resumed={}",
            session.suite().as_str(),
            cid.map_or_else(|| "none".to_owned(), |cid| hex(cid.as_bytes())),
            if resumed { "yes" } else { "no" },
        );
        let tickets = Vec::new();
        Self { session, remote, echo, principal, authentication, tickets, repeat_at: None, over: false }
    }

    /// Whether the peer has said goodbye.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The tickets that came after the handshake.
    pub(super) fn tickets(&self) -> &[Resumption] {
        &self.tickets
    }

    /// Takes a datagram in; whether any of it was for this connection.
    pub(super) fn take(&mut self, wire: &mut Wire, datagram: &[u8], from: SocketAddr) -> bool {
        let mut datagram = datagram.to_vec();
        let own_cid_len = self.session.own_cid().len();
        let (mut ours, mut echoes) = (false, Vec::new());
        for record in Records::new(&mut datagram, own_cid_len) {
            let Ok(opened) = self.session.open(&RustCrypto, record) else { continue };
            ours = true;
            if opened.newest && self.remote != from {
                println!("moved {}", from.port());
                self.remote = from;
            }
            match opened.content {
                Content::ApplicationData(data) => {
                    println!("data {}", hex(data));
                    echoes.push(data.to_vec());
                }
                Content::Alert(alert) if alert.ends_connection() => {
                    println!("closed");
                    self.over = true;
                }
                Content::FinishedAgain => {
                    let mut buffer = vec![0; 512];
                    if let Some(length) = self.session.last_flight(&RustCrypto, &mut buffer) {
                        wire.send(&buffer[..length], self.remote);
                    }
                }
                Content::Ticket(ticket) => {
                    let resumption = ticket.resumption(now(), self.principal, self.authentication);
                    self.tickets.extend(resumption);
                }
                _ => {}
            }
        }
        if self.echo && !self.over {
            for data in echoes {
                self.send(wire, &data);
            }
        }
        self.flush(wire);
        ours
    }

    /// What the session has to say of its own, now or once more.
    pub(super) fn flush(&mut self, wire: &mut Wire) {
        if !self.session.is_outstanding() {
            self.repeat_at = None;
        } else if self.repeat_at.is_none_or(|at| at <= now()) {
            if self.repeat_at.is_some() {
                self.session.retransmit();
            }
            self.repeat_at = Some(now() + PATIENCE);
        }
        let mut buffer = vec![0; 2_048];
        while self.session.pending() {
            let Some(length) = self.session.poll_transmit(&RustCrypto, &mut buffer) else { return };
            wire.send(&buffer[..length], self.remote);
        }
    }

    fn send(&mut self, wire: &mut Wire, data: &[u8]) {
        let start = self.session.headroom();
        let mut buffer = vec![0; start + data.len() + self.session.overhead() + 16];
        buffer[start..start + data.len()].copy_from_slice(data);
        match self.session.seal(&RustCrypto, ContentType::APPLICATION_DATA, &mut buffer, data.len()) {
            Ok(length) => wire.send(&buffer[..length], self.remote),
            Err(error) => println!("failed write: {error}"),
        }
    }

    fn close(&mut self, wire: &mut Wire) {
        let mut buffer = vec![0; 128];
        if let Ok(length) = self.session.close_notify(&RustCrypto, &mut buffer) {
            wire.send(&buffer[..length], self.remote);
        }
    }

    /// Carries out a command.
    pub(super) fn obey(&mut self, wire: &mut Wire, command: &str) -> Result<Next, String> {
        match command {
            "rebind" => wire.rebind(self.remote)?,
            "rekey" => self.session.update_keys(true),
            "again" | "close" => {
                self.close(wire);
                return Ok(if command == "again" { Next::Again } else { Next::End });
            }
            digits => {
                if let Some(data) = unhex(digits).filter(|data| !data.is_empty()) {
                    self.send(wire, &data);
                }
            }
        }
        self.flush(wire);
        Ok(Next::Talk)
    }

    /// How long to wait for a datagram.
    pub(super) const fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }
}
