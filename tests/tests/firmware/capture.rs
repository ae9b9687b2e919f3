//! What tshark makes of a device's traffic.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use crate::site::Key;

/// The packets of one run, but for those that ask for hardware addresses.
pub(crate) struct Capture {
    pub(crate) packets: Vec<Packet>,
    /// The same as somebody sees them who has not got the key.
    sealed: Vec<Packet>,
    port: String,
}

/// A packet.
#[derive(Debug)]
pub(crate) struct Packet {
    /// Seconds since the first one.
    pub(crate) time: f64,
    /// Whether the device sent it.
    pub(crate) sent: bool,
    /// Its UDP ports, from and to.
    pub(crate) ports: (String, String),
    /// The protocols that tshark sees in it.
    pub(crate) protocols: String,
    malformed: bool,
    /// What tshark has to say about it.
    pub(crate) complaint: String,
    /// The types of handshake messages in it.
    pub(crate) handshake: Vec<String>,
    /// Bytes of UDP payload.
    pub(crate) len: usize,
    /// Epochs and sequence numbers of its records.
    pub(crate) records: Vec<(u64, u64)>,
    /// The code of the CoAP message in it, once decrypted.
    pub(crate) code: String,
    /// The payload, in hexadecimal.
    pub(crate) payload: String,
}

const ERROR: u64 = 0x0080_0000;
/// The beginning of the random number by which a HelloRetryRequest is known (RFC 8446 section 4.1.3).
const HELLO_RETRY_REQUEST: &str = "cf21ad74e59a6111be1d8c021e65b891";
const DEVICE: &str = "10.0.2.15";
const FIELDS: [&str; 13] = [
    "frame.time_relative",
    "ip.src",
    "udp.srcport",
    "udp.dstport",
    "frame.protocols",
    "_ws.expert.severity",
    "_ws.malformed",
    "dtls.handshake.type",
    "dtls.record.epoch",
    "dtls.record.sequence_number",
    "coap.code",
    "udp.payload",
    "_ws.expert.message",
];

/// Complaints that say more about this version of tshark. When it has the key and a ClientKeyExchange comes again, it asserts
/// that it has not kept what it has used up; and it does not know the option Request-Tag (RFC 9175).
const TSHARKS_OWN: [&str; 2] = ["data.data_len > 0", "Invalid Option Number 292"];

/// What is in a capture file, but for requests for hardware addresses.
fn dissect(file: &Path, port: u16, key: Option<&Key>) -> Vec<Packet> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-d", &format!("udp.port=={port},dtls"), "-d", &format!("dtls.port=={port},coap")]);
    // Of a session that began in an earlier capture nobody tells how long the broker's Connection IDs are.
    command.args(["-o", "dtls.client_cid_length:3", "-o", "dtls.server_cid_length:3"]);
    if let Some(key) = key {
        command.args(["-o", &format!("dtls.psk:{}", key.hex())]);
    }
    command.arg("-r").arg(file).args(["-Y", "ip", "-T", "fields", "-E", "separator=;"]);
    let output = command.args(FIELDS.iter().flat_map(|field| ["-e", field])).output().expect("tshark runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Stopped in the middle of a packet, the file may be cut short; a device without power may have sent nothing.
    let read = output.status.success() || !text.is_empty();
    assert!(read, "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(Packet::parse).collect()
}

impl Capture {
    pub(crate) fn read(file: &Path, port: u16, key: &Key) -> Self {
        Self {
            packets: dissect(file, port, Some(key)),
            sealed: dissect(file, port, None),
            port: port.to_string(),
        }
    }

    /// Nothing of the device is malformed, sealed or not, and nothing goes elsewhere than to its broker.
    pub(crate) fn check(&self) {
        for packet in self.sealed.iter().chain(&self.packets).filter(|packet| packet.sent) {
            let known = TSHARKS_OWN.iter().any(|own| packet.complaint.contains(own));
            // RFC 9147 section 4: behind a unified header all is sealed, and tshark 4.0 reads the sealed bytes of some as fields.
            let unified = packet.payload.starts_with(['2', '3']);
            assert!(!packet.malformed || known || unified, "malformed: {packet:?}");
            assert_eq!(packet.ports.1, self.port, "sent elsewhere: {packet:?}");
            assert!(packet.protocols.contains("dtls"), "no DTLS: {packet:?}");
        }
        self.check_nonces();
    }

    /// In no session is a sequence number, which is the nonce, used twice.
    fn check_nonces(&self) {
        let mut nonces = Nonces::default();
        nonces.check(self);
    }

    /// What the device sent.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter().filter(|packet| packet.sent)
    }

    /// How often a server began a session: its ServerHellos (2), each counted once however often it came.
    pub(crate) fn handshakes(&self) -> usize {
        let hellos = self.packets.iter().filter(|packet| !packet.sent && packet.has("2"));
        // What asks for a cookie in DTLS 1.3 is a ServerHello, too.
        let hellos = hellos.filter(|packet| !packet.payload.contains(HELLO_RETRY_REQUEST));
        let mut payloads: Vec<&str> = hellos.map(Packet::body).collect();
        payloads.sort_unstable();
        payloads.dedup();
        payloads.len()
    }
}

impl Packet {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(';').collect();
        let [
            time,
            from,
            source,
            target,
            protocols,
            severity,
            malformed,
            handshake,
            epochs,
            numbers,
            code,
            payload,
            complaint,
        ] = fields.try_into().unwrap_or_else(|_| panic!("thirteen fields: {line}"));
        let numbers_of =
            |text: &str| text.split(',').filter_map(|number| number.parse().ok()).collect::<Vec<u64>>();
        let worst = numbers_of(severity).into_iter().max();
        Self {
            time: time.parse().expect("seconds"),
            sent: from == DEVICE,
            ports: (source.to_owned(), target.to_owned()),
            protocols: protocols.to_owned(),
            malformed: !malformed.is_empty() || worst.is_some_and(|worst| worst >= ERROR),
            complaint: complaint.to_owned(),
            handshake: handshake.split(',').map(str::to_owned).collect(),
            len: payload.len() / 2,
            records: numbers_of(epochs).into_iter().zip(numbers_of(numbers)).collect(),
            code: code.to_owned(),
            payload: payload.to_owned(),
        }
    }

    /// What its first record holds and what follows, which is the same when it is sent again.
    fn body(&self) -> &str {
        self.payload.get(2 * 13..).unwrap_or_default()
    }

    /// Whether there is a handshake message of this type in it.
    pub(crate) fn has(&self, handshake: &str) -> bool {
        self.handshake.iter().any(|seen| seen == handshake)
    }
}

/// The sequence numbers of a device's session, which are its nonces, over several runs.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    used: HashSet<(u64, u64)>,
    hello: String,
}

impl Nonces {
    /// None in the capture was used before, in it or in an earlier one.
    pub(crate) fn check(&mut self, capture: &Capture) {
        for packet in &capture.packets {
            // Another handshake, other keys.
            if !packet.sent && packet.has("2") && packet.body() != self.hello {
                self.hello = packet.body().to_owned();
                self.used.clear();
            }
            for record in packet.records.iter().filter(|(epoch, _)| packet.sent && *epoch > 0) {
                assert!(self.used.insert(*record), "a nonce was used twice: {packet:?}");
            }
        }
    }
}
