//! The independent DTLS implementations, started as either end of a connection.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use sedge_tests::process::Running;
use sedge_tests::{need, peers};

/// The identity that peers and Sedge share.
pub(crate) const NAME: &str = "device-7";
/// Its key, as the programs want it.
pub(crate) const KEY_HEX: &str = "00112233445566778899aabbccddeeff";
/// Its key.
pub(crate) const KEY: [u8; 16] = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes();
/// How long a peer may take for what it does at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

const OPENSSL_CIPHERS: &str = "PSK-AES128-CCM8:PSK-AES128-CCM";
const GNUTLS_PRIORITY: &str =
    "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CCM-8:+AES-128-CCM";

/// An implementation of DTLS 1.2 with pre-shared keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OpenSsl,
    GnuTls,
    MbedTls,
    Dimpl,
    Webrtc,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::OpenSsl, Self::GnuTls, Self::MbedTls, Self::Dimpl, Self::Webrtc];
}

/// A running peer that sends and receives application data.
pub(crate) struct Peer {
    kind: Kind,
    process: Running,
    heard: Vec<u8>,
}

/// The test's name and kind of peer, or nothing if this machine lacks the peer (and CI does not).
pub(crate) fn available(test: &str, kind: Kind) -> Option<()> {
    let found = match kind {
        Kind::OpenSsl => peers::program("openssl").map(|_| ()),
        Kind::GnuTls => peers::program("gnutls-cli").map(|_| ()),
        Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => peers::find().map(|_| ()),
    };
    need::or_say_why(test, found)
}

impl Peer {
    /// A peer that connects to `server`; `options` are its own.
    pub(crate) fn client(kind: Kind, server: SocketAddr, options: &[&str]) -> Self {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let mut command = match kind {
            Kind::OpenSsl => {
                let mut command = Command::new("openssl");
                command.args([
                    "s_client",
                    "-dtls1_2",
                    "-quiet",
                    "-no_ign_eof",
                    "-connect",
                    &server.to_string(),
                ]);
                command.args(["-psk", KEY_HEX, "-psk_identity", NAME, "-cipher", OPENSSL_CIPHERS]);
                command
            }
            Kind::GnuTls => {
                let mut command = Command::new("gnutls-cli");
                command.args(["--udp", "--port", &port, "--pskusername", NAME, "--pskkey", KEY_HEX]);
                command.args(["--priority", GNUTLS_PRIORITY, &host]);
                command
            }
            Kind::MbedTls => {
                let mut command = Command::new(&peers::find().expect("built").mbedtls);
                command.args(["client", &server.to_string(), "--identity", NAME, "--psk", KEY_HEX]);
                command
            }
            Kind::Dimpl | Kind::Webrtc => rust_peer(kind, "client", server),
        };
        Self { kind, process: Running::start(command.args(options)), heard: Vec::new() }
    }

    /// A peer that listens on the loopback interface, and where.
    pub(crate) fn server(kind: Kind, options: &[&str]) -> (Self, SocketAddr) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut command = match kind {
            Kind::OpenSsl | Kind::GnuTls => return Self::server_that_wants_a_port(kind, options),
            Kind::MbedTls => {
                let mut command = Command::new(&peers::find().expect("built").mbedtls);
                command.args(["server", &any.to_string(), "--identity", NAME, "--psk", KEY_HEX]);
                command
            }
            Kind::Dimpl | Kind::Webrtc => rust_peer(kind, "server", any),
        };
        let mut process = Running::start(command.args(options));
        let address = process.expect("listening ", SOON).parse().expect("an address");
        (Self { kind, process, heard: Vec::new() }, address)
    }

    fn server_that_wants_a_port(kind: Kind, options: &[&str]) -> (Self, SocketAddr) {
        let address = free_port();
        let mut command = if kind == Kind::OpenSsl {
            let mut command = Command::new("openssl");
            command.args(["s_server", "-dtls1_2", "-listen", "-nocert", "-accept", &address.to_string()]);
            command.args(["-psk", KEY_HEX, "-psk_identity", NAME, "-cipher", OPENSSL_CIPHERS]);
            command
        } else {
            let mut command = Command::new("gnutls-serv");
            let keys = key_file();
            command.args(["--udp", "--echo", "--noticket", "--priority", GNUTLS_PRIORITY]);
            command.args(["--port", &address.port().to_string(), "--pskpasswd"]).arg(keys);
            command
        };
        let mut process = Running::start(command.args(options));
        match kind {
            Kind::OpenSsl => _ = process.expect("ACCEPT", SOON),
            _ => _ = process.expect("listening on IPv4", SOON),
        }
        (Self { kind, process, heard: Vec::new() }, address)
    }

    /// Waits until its handshake is complete; returns what it says about the connection.
    pub(crate) fn connected(&mut self) -> String {
        match self.kind {
            // With -quiet it says nothing; the first data shows it.
            Kind::OpenSsl => String::new(),
            Kind::GnuTls => self.process.expect("- Description:", SOON),
            Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => self.process.expect("connected", SOON),
        }
    }

    /// Has it send application data. OpenSSL and GnuTLS send lines: there the data must end with a newline.
    pub(crate) fn send(&mut self, data: &[u8]) {
        match self.kind {
            Kind::OpenSsl | Kind::GnuTls => self.process.send(data),
            Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => {
                let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                self.process.send_line(&digits);
            }
        }
    }

    /// Waits until it has received exactly this as the next application data.
    pub(crate) fn expect(&mut self, data: &[u8]) {
        match self.kind {
            Kind::OpenSsl | Kind::GnuTls => self.process.expect_bytes(data, SOON),
            Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => {
                let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(self.process.expect("data ", SOON), digits, "{}", self.process.printed());
            }
        }
        self.heard.extend_from_slice(data);
    }

    /// Has the Mbed TLS client go on from another source port.
    pub(crate) fn rebind(&mut self) {
        assert_eq!(self.kind, Kind::MbedTls);
        self.process.send_line("rebind");
    }

    /// Waits until the Mbed TLS server has followed its client to another port, and returns that.
    pub(crate) fn moved(&mut self) -> u16 {
        assert_eq!(self.kind, Kind::MbedTls);
        self.process.expect("moved ", SOON).parse().expect("a port")
    }

    /// Has it say goodbye.
    pub(crate) fn close(&mut self) {
        match self.kind {
            Kind::OpenSsl | Kind::GnuTls => self.process.close_input(),
            Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => self.process.send_line("close"),
        }
    }

    /// Waits until it has understood that the connection is over.
    pub(crate) fn closed(&mut self) {
        match self.kind {
            Kind::OpenSsl => self.process.expect_bytes(b"DONE", SOON),
            Kind::GnuTls | Kind::MbedTls | Kind::Dimpl | Kind::Webrtc => {
                _ = self.process.expect("closed", SOON)
            }
        }
    }

    /// The process, for what only some peers do.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }
}

fn rust_peer(kind: Kind, role: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(&peers::find().expect("built").rust);
    let library = if kind == Kind::Dimpl { "dimpl" } else { "webrtc" };
    command.args([library, role, &address.to_string(), "--identity", NAME, "--psk", KEY_HEX]);
    command
}

/// A loopback port that was free a moment ago, for programs that cannot say which one they were given.
pub(crate) fn free_port() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

fn key_file() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("sedge-interop-{}.psk", std::process::id()));
    std::fs::write(&path, format!("{NAME}:{KEY_HEX}\n")).expect("a file for the key");
    path
}
