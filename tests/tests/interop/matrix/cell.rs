//! One cell of the matrix: two programs that connect, talk and say goodbye.

use std::net::SocketAddr;
use std::time::Duration;

use sedge_sim::relay::{Options, Relay};

use super::end::{CIDS, End, Negotiated};
use super::feature::{Feature, Group, Then};
use super::keys::Keys;
use super::library::{Library, Role};

/// What the lossy link does each way.
pub(crate) const LOSS: &str = "loss=15%,delay=2ms";

/// One cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) library: Library,
    /// Which end the library is; Sedge is the other.
    pub(crate) role: Role,
    pub(crate) feature: &'static Feature,
    /// The feature's number.
    pub(crate) number: usize,
    pub(crate) lossy: bool,
}

impl Cell {
    /// Why the library cannot do it, if it cannot.
    pub(crate) fn cannot(&self) -> Option<&'static str> {
        let reason = self.library.cannot(self.feature);
        reason.or_else(|| self.library.cannot_when_lossy(self.feature, self.role).filter(|_| self.lossy))
    }

    /// What it is called in messages, and what a filter is matched against.
    pub(crate) fn label(&self) -> String {
        let role = if self.role == Role::Server { "server" } else { "client" };
        let loss = if self.lossy { "lossy" } else { "clean" };
        let (library, version) = (self.library.word(), self.feature.version.name());
        format!("{library} as {role}, {version}, {}, {loss}", self.feature.name)
    }

    /// Runs it; what went wrong comes with what both programs were told and what they said.
    pub(crate) fn run(&self, keys: &Keys) -> Result<(), String> {
        let (server, client) = match self.role {
            Role::Server => (Some(self.library), None),
            Role::Client => (None, Some(self.library)),
        };
        let (server, address) = End::server(server, self.feature, keys)?;
        let relay = if self.lossy { Some(self.relay(address)?) } else { None };
        let address = relay.as_ref().map_or(address, Relay::address);
        let client = End::client(client, address, self.feature, keys);
        let mut meeting = Meeting { cell: self, keys, address, server, client };
        let outcome = meeting.hold();
        outcome.map_err(|why| {
            let said = |end: &End| format!("{}\n{}", end.command, end.process.printed());
            format!("{}: {why}\n--- {}--- {}", self.label(), said(&meeting.server), said(&meeting.client))
        })
    }

    fn relay(&self, server: SocketAddr) -> Result<Relay, String> {
        let link: sedge_sim::link::Impairments = LOSS.parse().expect("impairments");
        let seed = (self.library as u64) << 16 | (self.role as u64) << 8 | self.number as u64;
        let options = Options { up: link.clone(), down: link, seed };
        Relay::start(([127, 0, 0, 1], 0).into(), server, options).map_err(|error| error.to_string())
    }

    /// How long a handshake may take: a peer's first patience is up to a second, and doubles; and a machine that has
    /// more to do takes seconds to start a Java program.
    const fn patience(&self) -> Duration {
        Duration::from_secs(if self.lossy { 120 } else { 90 })
    }
}

struct Meeting<'a> {
    cell: &'a Cell,
    keys: &'a Keys,
    address: SocketAddr,
    server: End,
    client: End,
}

impl Meeting<'_> {
    fn hold(&mut self) -> Result<(), String> {
        let feature = self.cell.feature;
        self.connect(false)?;
        // GnuTLS's client resumes at once, before it has said anything.
        let hasty = feature.resumes() && self.client.who == Some(Library::GnuTls);
        if !hasty {
            self.exchange("first line")?;
        }
        match feature.then {
            Then::Nothing => {}
            Then::Rebind if self.cell.lossy || !self.client.can(Then::Rebind) => {}
            Then::Rekey if !self.client.can(Then::Rekey) => {}
            Then::Rebind => self.go_on("rebind")?,
            Then::Rekey => self.go_on("rekey")?,
            Then::Ticket | Then::SessionId => {
                if !hasty {
                    self.again()?;
                }
                self.connect(true)?;
                self.exchange("resumed line")?;
            }
        }
        self.client.tell("close");
        if !self.cell.lossy && !self.server.is_closed(Duration::from_secs(30)) {
            return Err("the server has not understood the goodbye".to_owned());
        }
        Ok(())
    }

    fn go_on(&mut self, command: &str) -> Result<(), String> {
        self.client.tell(command);
        // Twice: after a KeyUpdate the new keys are used once the old ones' ACK is here.
        self.exchange(&format!("line after {command}"))?;
        std::thread::sleep(Duration::from_millis(50));
        self.exchange(&format!("another line after {command}"))
    }

    /// Has the client say goodbye and connect once more.
    fn again(&mut self) -> Result<(), String> {
        if self.client.who != Some(Library::OpenSsl) {
            self.client.tell("again");
            return Ok(());
        }
        self.client.tell("close");
        self.client.process.finish(Duration::from_secs(30));
        self.client = End::client(self.client.who, self.address, self.cell.feature, self.keys);
        Ok(())
    }

    fn connect(&mut self, resumes: bool) -> Result<(), String> {
        let client = self.client.connected(resumes, self.cell.patience())?;
        let server = self.server.connected(resumes, self.cell.patience())?;
        self.check(&client, &server, resumes)
    }

    /// Whether both ends, as far as they tell, have agreed on what they were told to.
    fn check(&self, client: &Negotiated, server: &Negotiated, resumes: bool) -> Result<(), String> {
        let feature = self.cell.feature;
        for (end, negotiated, peer_cid) in [("client", client, CIDS[0]), ("server", server, CIDS[1])] {
            let differs = |what: &str, told: &Option<String>, wanted: &str| match told {
                Some(told) if told != wanted => Err(format!("the {end}'s {what} is {told}, not {wanted}")),
                _ => Ok(()),
            };
            differs("version", &negotiated.version, feature.version.name())?;
            differs("suite", &negotiated.suite, feature.suite)?;
            differs("connection id", &negotiated.cid, if feature.cid { peer_cid } else { "none" })?;
            differs("resumption", &negotiated.resumed, if resumes { "yes" } else { "no" })?;
            let group = match feature.group {
                Group::None => "none",
                Group::P256 => "p256",
                Group::X25519 | Group::Retry => "x25519",
            };
            if !resumes {
                differs("group", &negotiated.group, group)?;
            }
        }
        if resumes && client.resumed.is_none() && server.resumed.is_none() {
            return Err("nobody says whether the session was resumed".to_owned());
        }
        Ok(())
    }

    /// A line to the server and back.
    fn exchange(&mut self, text: &str) -> Result<(), String> {
        let line = format!("{text}\n");
        let (attempts, patience) = if self.cell.lossy { (40, 500) } else { (1, 30_000) };
        let patience = Duration::from_millis(patience);
        for _ in 0..attempts {
            self.client.send(&line);
            if self.server.echoes_by_hand() && self.server.hears(&line, patience) {
                self.server.send(&line);
            }
            if self.client.hears(&line, patience) {
                return Ok(());
            }
        }
        Err(format!("'{text}' does not come back"))
    }
}
