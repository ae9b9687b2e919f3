//! One end of a connection: Sedge's or a peer's program, started, spoken to and ended.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use sedge_tests::peers;
use sedge_tests::process::Running;

use super::feature::{Auth, Feature, Group, Then};
use super::keys::{IDENTITY, Keys, PSK, SERVER_NAME};
use super::library::{Library, Role};
use super::tools;

/// The Connection ID that each end asks for.
pub(crate) const CIDS: [&str; 2] = ["c0010203", "0a0b"];

/// Who an end is: Sedge, or a library.
pub(crate) type Who = Option<Library>;

/// A running end.
pub(crate) struct End {
    pub(crate) who: Who,
    pub(crate) role: Role,
    pub(crate) process: Running,
    /// What was started, for whoever wants to see it again.
    pub(crate) command: String,
}

/// What an end says was negotiated, as far as it tells.
#[derive(Debug, Default)]
pub(crate) struct Negotiated {
    pub(crate) version: Option<String>,
    pub(crate) suite: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) cid: Option<String>,
    pub(crate) resumed: Option<String>,
}

impl End {
    pub(crate) fn server(who: Who, feature: &Feature, keys: &Keys) -> Result<(Self, SocketAddr), String> {
        if let Some(library @ (Library::OpenSsl | Library::GnuTls)) = who {
            return tools::server(library, feature, keys);
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut end = Self::start(who, Role::Server, uniform(who, Role::Server, any, feature, keys));
        let address = end.process.find("listening ", Duration::from_secs(90));
        let address = address.and_then(|address| address.parse().ok());
        address.map(|address| (end, address)).ok_or_else(|| "the server does not listen".to_owned())
    }

    pub(crate) fn client(who: Who, server: SocketAddr, feature: &Feature, keys: &Keys) -> Self {
        if let Some(library @ (Library::OpenSsl | Library::GnuTls)) = who {
            return tools::client(library, server, feature, keys);
        }
        Self::start(who, Role::Client, uniform(who, Role::Client, server, feature, keys))
    }

    pub(super) fn start(who: Who, role: Role, mut command: Command) -> Self {
        let mut text = command.get_program().to_string_lossy().into_owned();
        for word in command.get_args() {
            let word = word.to_string_lossy();
            text.push(' ');
            text += &if word.is_empty() { "''".into() } else { word };
        }
        Self { who, role, process: Running::start(&mut command), command: text }
    }

    pub(super) fn is_tool(&self) -> bool {
        matches!(self.who, Some(Library::OpenSsl | Library::GnuTls))
    }

    /// Waits until a handshake is complete.
    pub(crate) fn connected(&mut self, resumes: bool, within: Duration) -> Result<Negotiated, String> {
        let negotiated = if self.is_tool() {
            tools::connected(self, resumes, within)
        } else {
            self.process.find("connected ", within).map(|line| parse(&line))
        };
        negotiated.ok_or_else(|| format!("the {:?} did not connect", self.role))
    }

    /// Has it send a line.
    pub(crate) fn send(&mut self, line: &str) {
        // What it has closed it is not told any more: then it hears nothing, and that is found out.
        if self.is_tool() {
            self.process.try_send(line.as_bytes());
        } else {
            self.process.try_send(format!("{}\n", hex(line)).as_bytes());
        }
    }

    /// Whether it hears this line in time.
    pub(crate) fn hears(&mut self, line: &str, within: Duration) -> bool {
        if self.is_tool() {
            self.process.find_bytes(line.as_bytes(), within)
        } else {
            self.process.find_bytes(format!("data {}\n", hex(line)).as_bytes(), within)
        }
    }

    /// Whether it is left to the test to send back what a server hears.
    pub(crate) fn echoes_by_hand(&self) -> bool {
        self.who == Some(Library::OpenSsl)
    }

    /// Gives a command of the line protocol.
    pub(crate) fn tell(&mut self, command: &str) {
        if self.is_tool() {
            self.process.close_input();
        } else {
            self.process.try_send(format!("{command}\n").as_bytes());
        }
    }

    /// Whether it can go on from another port, or ask for new keys, in the middle of a connection.
    pub(crate) fn can(&self, then: Then) -> bool {
        match then {
            Then::Rebind => !self.is_tool() && self.who != Some(Library::Scandium),
            Then::Rekey => matches!(self.who, None | Some(Library::WolfSsl)),
            _ => true,
        }
    }

    /// Whether it has understood in time that the connection is over.
    pub(crate) fn is_closed(&mut self, within: Duration) -> bool {
        self.is_tool() || self.process.find("closed", within).is_some()
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(line: &str) -> Negotiated {
    let value = |name: &str| {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.filter(|value| *value != "-").map(str::to_owned)
    };
    Negotiated {
        version: value("version"),
        suite: value("suite"),
        group: value("group"),
        cid: value("cid"),
        resumed: value("resumed"),
    }
}

/// A program with the command line of `tests/interop/peers/README.md`.
fn uniform(who: Who, role: Role, address: SocketAddr, feature: &Feature, keys: &Keys) -> Command {
    let peers = peers::find().expect("built");
    let mut command = match who {
        None => Command::new(env!("CARGO_BIN_EXE_sedge-peer")),
        Some(Library::MbedTls) => Command::new(&peers.mbedtls),
        Some(Library::WolfSsl) => Command::new(&peers.wolfssl),
        Some(Library::Pion) => Command::new(&peers.pion),
        Some(Library::Scandium) => {
            let mut command = Command::new("java");
            // It lives for seconds: compile little, start fast.
            command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp"]);
            let folder = peers.scandium.display();
            command.args([&format!("{folder}/classes:{folder}/lib/*"), "ScandiumPeer"]);
            command
        }
        Some(library) => {
            let mut command = Command::new(&peers.rust);
            command.arg(library.word());
            command
        }
    };
    let server = role == Role::Server;
    command.args([if server { "server" } else { "client" }, &address.to_string()]);
    command.args(["--version", feature.version.name(), "--suite", feature.suite]);
    credentials(&mut command, who, role, feature, keys);
    let group = match (feature.group, server) {
        (Group::None, _) => None,
        (Group::P256, _) => Some("p256"),
        (Group::X25519, _) | (Group::Retry, true) => Some("x25519"),
        (Group::Retry, false) => Some("both"),
    };
    if let Some(group) = group {
        command.args(["--group", group]);
    }
    if feature.cid {
        command.args(["--cid", CIDS[usize::from(!server)]]);
    }
    match feature.then {
        Then::Ticket => _ = command.args(["--resume", "ticket"]),
        Then::SessionId => _ = command.args(["--resume", "id"]),
        _ => {}
    }
    if server {
        command.arg("--echo");
    }
    if let Some((capture, secrets)) = keys.records().filter(|_| who.is_none()) {
        command.arg("--capture").arg(capture).arg("--key-log").arg(secrets);
    }
    command
}

fn credentials(command: &mut Command, who: Who, role: Role, feature: &Feature, keys: &Keys) {
    let server = role == Role::Server;
    let (own, other) = if server { ("server", "client") } else { ("client", "server") };
    let mut file = |flag: &str, name: String| _ = command.arg(flag).arg(keys.file(&name));
    let shows_certificate = match feature.auth {
        Auth::Certificates => true,
        // dimpl cannot be without one.
        Auth::ServerCertificate => server || who == Some(Library::Dimpl),
        _ => false,
    };
    if shows_certificate {
        file("--cert", format!("{own}.pem"));
        file("--key", format!("{own}.key"));
    }
    match feature.auth {
        Auth::Psk | Auth::PskEphemeral => {
            command.args(["--auth", "psk", "--identity", IDENTITY, "--psk", PSK]);
            if feature.auth == Auth::PskEphemeral {
                command.args(["--psk-mode", "dhe"]);
            }
        }
        Auth::RawKeys => {
            file("--cert", format!("{own}.pub"));
            file("--key", format!("{own}.key"));
            file("--peer-key", format!("{other}.pub"));
            command.args(["--auth", "rpk"]);
        }
        Auth::Certificates | Auth::ServerCertificate => {
            if !server || feature.auth == Auth::Certificates {
                file("--ca", "ca.pem".to_owned());
            }
            command.args(["--auth", "cert"]);
            if !server {
                command.args(["--name", SERVER_NAME]);
            }
        }
    }
}
