//! The server, for one client after the other.

use std::net::SocketAddr;
use std::time::Duration;

use sedge_crypto::RustCrypto;
use sedge_dtls::{
    ClientCertificate, ConnectionId, Context, CookieKeys, Established, Failure, Full, Hello, KeyLog,
    Progress, Records, ServerConfig, ServerHandshake, VerifiedHello, hello, is_client_hello,
};

use super::command::Task;
use super::party::Party;
use super::talk::{Next, Talk};
use super::wire::{KeyFile, Wire, now, system_random};

type Handshake = ServerHandshake<Full<RustCrypto>>;

struct Server<'a> {
    task: &'a Task,
    config: ServerConfig<'a>,
    party: Party,
    cookies: CookieKeys<RustCrypto>,
    key_log: Option<KeyFile>,
    handshake: Option<(Box<Handshake>, SocketAddr)>,
    failed: bool,
    talk: Option<Talk>,
}

/// Serves until the user has had enough.
pub(super) fn run(task: &Task) -> Result<(), String> {
    let mut wire = Wire::open(task)?;
    let party = Party::new(task)?;
    let config = ServerConfig {
        versions: task.versions,
        suites: &task.suites,
        groups: &task.groups,
        client_certificate: if party.asks() {
            ClientCertificate::Required
        } else {
            ClientCertificate::NotAsked
        },
        transport: task.transport(),
    };
    println!("listening {}", wire.socket.local_addr().map_err(|error| error.to_string())?);
    let mut server = Server {
        task,
        config,
        party,
        cookies: CookieKeys::new(&RustCrypto, &mut system_random()),
        key_log: task.key_log.as_deref().map(KeyFile::create).transpose()?,
        handshake: None,
        failed: false,
        talk: None,
    };
    server.serve(&mut wire)
}

impl Server<'_> {
    fn serve(&mut self, wire: &mut Wire) -> Result<(), String> {
        loop {
            while let Some(command) = wire.command() {
                let next = match &mut self.talk {
                    Some(talk) => talk.obey(wire, &command)?,
                    None if command == "close" => Next::End,
                    None => Next::Talk,
                };
                if next == Next::End {
                    return Ok(());
                }
            }
            if let Some((datagram, from)) = wire.receive(Duration::from_secs(1)) {
                self.take(wire, datagram, from);
            }
            self.expire();
            self.flush(wire);
            if let Some(talk) = &mut self.talk {
                talk.flush(wire);
            }
            self.talk = self.talk.take().filter(|talk| !talk.is_over());
        }
    }

    fn take(&mut self, wire: &mut Wire, mut datagram: Vec<u8>, from: SocketAddr) {
        if is_client_hello(&datagram) {
            let (copy, mut reply) = (datagram.clone(), [0; 512]);
            let address = from.to_string();
            match hello(&RustCrypto, &self.cookies, &self.config, address.as_bytes(), &copy, &mut reply) {
                Hello::Reply(length) => return wire.send(&reply[..length], from),
                Hello::Discard(discard) => eprintln!("discarded hello: {discard}"),
                Hello::Accept(verified) => {
                    let known = self.handshake.as_ref().is_some_and(|(known, _)| known.answers(&verified));
                    if !known {
                        self.accept(wire, &verified, from);
                        return;
                    }
                }
            }
        } else if self.talk.as_mut().is_some_and(|talk| talk.take(wire, &datagram, from)) {
            return;
        }
        self.step(&mut datagram, from);
    }

    /// Starts a handshake.
    fn accept(&mut self, wire: &mut Wire, verified: &VerifiedHello<'_>, from: SocketAddr) {
        let mut rng = system_random();
        let mut cx = Context::new(&RustCrypto, &mut rng, now());
        cx.dangerous_key_log = self.key_log.as_mut().map(|log| log as &mut dyn KeyLog);
        let cid = self.task.cid.unwrap_or(ConnectionId::EMPTY);
        match Handshake::accept(&mut cx, &mut self.party, &self.config, verified, cid) {
            Ok(handshake) => self.handshake = Some((Box::new(handshake), from)),
            Err(refusal) => {
                println!("failed handshake: {}", refusal.description());
                let mut alert = [0; 64];
                if let Some(length) = refusal.write(&mut alert) {
                    wire.send(&alert[..length], from);
                }
            }
        }
        self.flush(wire);
    }

    /// Goes on with the handshake.
    fn step(&mut self, datagram: &mut [u8], from: SocketAddr) {
        let mut rng = system_random();
        let mut cx = Context::new(&RustCrypto, &mut rng, now());
        cx.dangerous_key_log = self.key_log.as_mut().map(|log| log as &mut dyn KeyLog);
        let Some((handshake, remote)) = &mut self.handshake else { return };
        if *remote != from {
            return;
        }
        let mut failure = None;
        for record in Records::new(datagram, handshake.own_cid().len()) {
            match handshake.receive(&mut cx, &mut self.party, record) {
                Ok(Progress::Failed(why)) => failure = Some(why),
                Ok(Progress::Continue | Progress::Complete) => {}
                Err(discard) => eprintln!("discarded: {discard}"),
            }
        }
        self.give_up(failure);
    }

    fn expire(&mut self) {
        let Some((handshake, _)) = &mut self.handshake else { return };
        let now = now();
        if handshake.deadline().is_some_and(|deadline| deadline <= now) {
            let failure = handshake.expire(now).err();
            self.give_up(failure);
        }
    }

    /// Says why a handshake failed; what is left of it is to send an alert.
    fn give_up(&mut self, failure: Option<Failure>) {
        if let Some(failure) = failure {
            println!("failed handshake: {failure}");
            self.failed = true;
        }
    }

    /// Sends what the handshake has to send, and takes its session once it is complete.
    fn flush(&mut self, wire: &mut Wire) {
        let Some((handshake, remote)) = &mut self.handshake else { return };
        let mut buffer = vec![0; 4_096];
        while let Some(length) = handshake.poll_transmit(&RustCrypto, &mut buffer) {
            wire.send(&buffer[..length], *remote);
        }
        if let Some(established) = handshake.take_session() {
            self.established(established);
        } else if self.failed {
            self.handshake = None;
        }
        self.failed = false;
    }

    fn established(&mut self, established: Established) {
        if let Some((_, remote)) = self.handshake.take() {
            self.talk = Some(Talk::new(established, remote, self.task.echo));
        }
    }
}
