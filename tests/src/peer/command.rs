//! The command line that all peers share.

use std::net::SocketAddr;
use std::path::PathBuf;

use sedge_crypto::NamedGroup;
use sedge_dtls::{CipherSuite, ConnectionId, Retransmission, Transport, Versions};
use sedge_time::Duration;

/// What the command line said.
#[derive(Clone, Debug)]
pub struct Task {
    /// Waits for clients, or dials out.
    pub server: bool,
    /// Where to listen, or to connect to.
    pub address: SocketAddr,
    /// The versions to speak.
    pub versions: Versions,
    /// The suites to speak.
    pub suites: Vec<CipherSuite>,
    /// The groups to speak.
    pub groups: Vec<NamedGroup>,
    /// The PSK identity and its key.
    pub psk: Option<(String, Vec<u8>)>,
    /// Whether a key of DTLS 1.3 goes with Diffie-Hellman.
    pub ephemeral: bool,
    /// Raw public keys rather than certificates.
    pub raw_keys: bool,
    /// The file with what this side shows, in PEM.
    pub certificate: Option<PathBuf>,
    /// The file with its private key, in PEM.
    pub key: Option<PathBuf>,
    /// The file with the authority that it believes, in PEM.
    pub authority: Option<PathBuf>,
    /// The file with the raw public key that it believes, in PEM.
    pub peer_key: Option<PathBuf>,
    /// What the server is called.
    pub name: Option<String>,
    /// The Connection ID that it wants in what it receives.
    pub cid: Option<ConnectionId>,
    /// How a later connection resumes an earlier one.
    pub resume: Resume,
    /// The longest datagram to send.
    pub mtu: Option<u16>,
    /// Whether to send back what arrives.
    pub echo: bool,
    /// Where to write every datagram (pcap).
    pub capture: Option<PathBuf>,
    /// Where to write the secrets (NSS key log).
    pub key_log: Option<PathBuf>,
}

/// How a later connection resumes an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Not at all.
    Never,
    /// By a session ticket.
    Ticket,
    /// By a session identifier.
    Id,
}

impl Task {
    /// Reads the words of a command line.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let [role, address, options @ ..] = words else { return Err("which role, and where?".to_owned()) };
        let mut task = Self {
            server: match role.as_str() {
                "server" => true,
                "client" => false,
                _ => return Err(format!("not a role: {role}")),
            },
            address: address.parse().map_err(|_| format!("not an address with a port: {address}"))?,
            versions: Versions::ONLY_1_2,
            suites: CipherSuite::ALL.to_vec(),
            groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            psk: None,
            ephemeral: false,
            raw_keys: false,
            certificate: None,
            key: None,
            authority: None,
            peer_key: None,
            name: None,
            cid: None,
            resume: Resume::Never,
            mtu: None,
            echo: false,
            capture: None,
            key_log: None,
        };
        let (mut identity, mut psk) = (String::new(), None);
        let mut words = options.iter().map(String::as_str);
        while let Some(flag) = words.next() {
            if flag == "--echo" {
                task.echo = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag {
                "--identity" => value.clone_into(&mut identity),
                "--psk" => psk = Some(unhex(value).ok_or("not hexadecimal")?),
                _ => task.option(flag, value)?,
            }
        }
        task.psk = psk.map(|psk| (identity, psk));
        if task.psk.is_some() && !task.ephemeral && task.versions == Versions::ONLY_1_3 {
            // Without a group for Diffie-Hellman the key stands alone.
            task.groups.clear();
        }
        Ok(task)
    }

    /// How it treats the path.
    pub(super) fn transport(&self) -> Transport {
        let mut transport = Transport {
            retransmission: Retransmission {
                initial: Duration::from_millis(300),
                ..Retransmission::default()
            },
            ..Transport::default()
        };
        transport.mtu = self.mtu.unwrap_or(transport.mtu);
        transport
    }

    fn option(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let file = || Some(PathBuf::from(value));
        match (flag, value) {
            ("--version", "1.2") => self.versions = Versions::ONLY_1_2,
            ("--version", "1.3") => self.versions = Versions::ONLY_1_3,
            ("--version", "any") => self.versions = Versions::ALL,
            ("--auth", "psk" | "cert") => self.raw_keys = false,
            ("--auth", "rpk") => self.raw_keys = true,
            ("--suite", name) => {
                self.suites.retain(|suite| suite.as_str() == name);
                if self.suites.is_empty() {
                    return Err(format!("no such suite: {name}"));
                }
            }
            ("--group", "any" | "both") | ("--psk-mode", "ke") | ("--resume", "never") => {}
            ("--group", "p256") => self.groups = vec![NamedGroup::Secp256r1],
            // In DTLS 1.2 a client's list is also that of the curves that certificates may have.
            ("--group", "x25519") if self.server => self.groups = vec![NamedGroup::X25519],
            ("--group", "x25519") => self.groups = vec![NamedGroup::X25519, NamedGroup::Secp256r1],
            ("--psk-mode", "dhe") => self.ephemeral = true,
            ("--cert", _) => self.certificate = file(),
            ("--key", _) => self.key = file(),
            ("--ca", _) => self.authority = file(),
            ("--peer-key", _) => self.peer_key = file(),
            ("--name", name) => self.name = Some(name.to_owned()),
            ("--cid", digits) => {
                self.cid = Some(unhex(digits).and_then(|cid| ConnectionId::new(&cid)).ok_or("not a CID")?);
            }
            ("--resume", "ticket") => self.resume = Resume::Ticket,
            ("--resume", "id") => self.resume = Resume::Id,
            ("--mtu", bytes) => self.mtu = Some(bytes.parse().map_err(|_| "not a number of bytes")?),
            ("--capture", _) => self.capture = file(),
            ("--key-log", _) => self.key_log = file(),
            _ => return Err(format!("not understood: {flag} {value}")),
        }
        Ok(())
    }
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, String> {
        Task::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(parse("server 127.0.0.1:0 --echo --cid 0a --suite TLS_PSK_WITH_AES_128_CCM").is_ok());
        for wrong in [
            "server",
            "both 127.0.0.1:0",
            "client nowhere",
            "client 127.0.0.1:1 --suite TLS_NULL_WITH_NULL_NULL",
            "client 127.0.0.1:1 --version 1.1",
            "client 127.0.0.1:1 --psk 0",
            "client 127.0.0.1:1 --mtu",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
