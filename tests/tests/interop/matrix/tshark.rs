//! An independent eye on what crosses the wire, one capture for each kind of handshake.

use std::path::PathBuf;
use std::process::Command;

use sedge_tests::{need, peers};

use super::cell::Cell;
use super::feature::{FEATURES, Version};
use super::keys::Keys;
use super::library::{Library, Role};

/// Runs a cell with the peer as either end, and hands over what Sedge kept of it.
fn look_at(library: Library, version: Version, name: &str, look: impl Fn(&Records)) {
    let found = FEATURES.iter().enumerate().find(|(_, known)| known.version == version && known.name == name);
    let (number, feature) = found.expect("a feature of the matrix");
    for role in [Role::Server, Role::Client] {
        let cell = Cell { library, role, feature, number, lossy: false };
        let keys = Keys::new(true);
        cell.run(&keys).unwrap_or_else(|why| panic!("{why}"));
        let (capture, secrets) = keys.records().expect("they are kept");
        let sedge = if role == Role::Server { "10.0.0.1" } else { "10.0.0.2" };
        look(&Records { capture, secrets, sedge, label: cell.label() });
    }
}

/// What Sedge's side kept.
struct Records {
    capture: PathBuf,
    secrets: PathBuf,
    /// Its address in the capture.
    sedge: &'static str,
    label: String,
}

/// What tshark makes of a datagram.
struct Packet {
    from: String,
    /// The protocols it sees in it, `ip:udp:dtls` for one.
    protocols: String,
    malformed: bool,
    handshake_types: String,
    /// Application data, decrypted, in hexadecimal.
    data: String,
}

const ERROR: u64 = 0x0080_0000;

impl Records {
    fn packets(&self) -> Vec<Packet> {
        let fields = [
            "ip.src",
            "frame.protocols",
            "_ws.expert.severity",
            "_ws.malformed",
            "dtls.handshake.type",
            "data.data",
        ];
        let output = Command::new("tshark")
            // The line that the cells send is no CoAP, which tshark expects on this port.
            .args(["-n", "--disable-protocol", "coap", "-d", "udp.port==5684,dtls", "-o"])
            .arg(format!("tls.keylog_file:{}", self.secrets.display()))
            .arg("-r")
            .arg(&self.capture)
            .args(["-T", "fields", "-E", "separator=;"])
            .args(fields.iter().flat_map(|field| ["-e", field]))
            .output()
            .expect("tshark runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(Packet::parse).collect()
    }

    /// What tshark sees, after a look at what Sedge sent.
    fn well_formed(&self) -> Vec<Packet> {
        let packets = self.packets();
        assert!(packets.len() >= 6, "{}: no connection", self.label);
        for packet in &packets {
            assert!(packet.protocols.contains("dtls"), "{}: {}", self.label, packet.protocols);
            assert!(packet.from != self.sedge || !packet.malformed, "{}: malformed", self.label);
        }
        packets
    }
}

impl Packet {
    fn parse(line: &str) -> Self {
        let [from, protocols, severity, malformed, types, data] =
            line.split(';').collect::<Vec<_>>().try_into().expect("six fields");
        let worst = severity.split(',').filter_map(|value| value.parse::<u64>().ok()).max();
        Self {
            from: from.to_owned(),
            protocols: protocols.to_owned(),
            malformed: !malformed.is_empty() || worst.is_some_and(|worst| worst >= ERROR),
            handshake_types: types.to_owned(),
            data: data.to_owned(),
        }
    }

    fn has(&self, handshake_type: &str) -> bool {
        self.handshake_types.split(',').any(|seen| seen == handshake_type)
    }
}

#[test]
fn tshark_decrypts_dtls_1_2_and_finds_nothing_malformed() {
    let Some(_) = need::or_say_why("interop::tshark", peers::program("tshark")) else { return };
    let Some(_) = need::or_say_why("interop::tshark", peers::find()) else { return };
    for (library, name) in [
        (Library::MbedTls, "PSK, CCM_8, Connection IDs, new port"),
        (Library::MbedTls, "certificates, CCM_8, Connection IDs, new port"),
        (Library::MbedTls, "certificates, GCM, P-256"),
        (Library::WolfSsl, "raw public keys, CCM_8, P-256"),
        (Library::WolfSsl, "server's certificate, CCM_8, ticket"),
    ] {
        look_at(library, Version::V12, name, |records| {
            let packets = records.well_formed();
            // Finished (20) and the line can be read only by whoever could decrypt them.
            let line: String = "first line".bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(packets.iter().filter(|packet| packet.has("20")).count() >= 2, "{}", records.label);
            let lines = packets.iter().filter(|packet| packet.data.contains(&line)).count();
            assert_eq!(lines, 2, "{}", records.label);
        });
    }
    // It does not know how to decrypt these.
    look_at(Library::WolfSsl, Version::V12, "ECDHE_PSK, GCM, X25519", |records| {
        let _ = records.well_formed();
    });
}

#[test]
fn tshark_finds_nothing_malformed_in_dtls_1_3() {
    let Some(_) = need::or_say_why("interop::tshark", peers::program("tshark")) else { return };
    let Some(_) = need::or_say_why("interop::tshark", peers::find()) else { return };
    for name in [
        "PSK, CCM_8, Connection IDs, new port",
        "PSK with ECDHE, CCM_8, P-256",
        "certificates, CCM, X25519, new keys",
        "raw public keys, CCM_8, P-256",
        "server's certificate, CCM_8, ticket",
    ] {
        look_at(Library::WolfSsl, Version::V13, name, |records| {
            // Debian's cannot decrypt this version: it sees the hellos, and that all else is DTLS.
            let packets = records.well_formed();
            assert!(packets.iter().filter(|packet| packet.has("1")).count() >= 2, "{}", records.label);
            // The secrets are there for one that can.
            let secrets = std::fs::read_to_string(&records.secrets).expect("the secrets");
            for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"] {
                assert!(secrets.contains(label), "{}: {secrets}", records.label);
            }
        });
    }
}
