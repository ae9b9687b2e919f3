//! Parts 4 and 5: what an idle session with one observation keeps in memory, and what one publish to all of
//! them costs beside as many datagrams of the same size from bare sendmmsg.

use std::io;
use std::ops::Range;
use std::time::Duration;

use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer, empty_message};
use sedge_dtls::{CertificateType, Versions};

use crate::Settings;
use crate::cpu::Samples;
use crate::fleet::{Drain, Fleet, FleetSocket, Identity};
use crate::net::DATAGRAM;
use crate::peers::{libcoap, mbedtls, openssl};
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};
use crate::scenario::{Auth, Scenario};
use crate::serve::{IDENTITY, fan_out_order};

const MEMORY: &str = "memory";
const FAN_OUT: &str = "fan-out";
const VALUE: &[u8; 32] = b"a reading of 32 bytes in a topic";
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a notification's datagram, about.
const NOTIFICATION: usize = 74;

/// Sessions for the figure of bytes per session, and observers of the larger fan-out.
const MANY: u32 = 100_000;
/// Observers of the smaller fan-out: their datagrams fit into the receive buffer.
const SOME: u32 = 10_000;

/// A server with observers of one topic.
struct Observed {
    name: &'static str,
    server: ServerProcess,
    fleet: Fleet,
    path: &'static [&'static str],
    number: u32,
    /// Bytes of a notification's datagram, once one has come.
    datagram: usize,
}

impl Observed {
    fn new(name: &'static str, server: ServerProcess, fleet: Fleet, path: &'static [&'static str]) -> Self {
        Self { name, server, fleet, path, number: 0, datagram: 0 }
    }

    /// Connects clients until there are `count`, each with an observation of the topic.
    fn grow(&mut self, count: u32) -> Result<(), String> {
        // In portions, so that requests and answers fit into the sockets' buffers.
        while self.fleet.len() < count {
            let first = self.fleet.len();
            self.fleet.connect((count - first).min(200))?;
            self.observe(first..self.fleet.len()).map_err(|error| format!("observing: {error}"))?;
        }
        Ok(())
    }

    /// Starts an observation of each of these clients.
    fn observe(&mut self, clients: Range<u32>) -> io::Result<()> {
        let path = self.path;
        for client in clients.clone() {
            let request = self.fleet.seal(client, |buffer| {
                let token = Token::new(&client.to_be_bytes()).unwrap_or_default();
                let mut writer = Writer::new(&mut buffer[..DATAGRAM / 2], Type::Con, Code::GET, 1, token);
                let _ = writer.option_uint(OptionNumber::OBSERVE, 0).path(path);
                writer.finish().unwrap_or(0)
            })?;
            self.fleet.send(client, &request)?;
        }
        let mut observing = 0;
        while observing < clients.len() {
            let came = self.fleet.receive(PATIENCE, |from, plaintext| {
                let observes = clients.contains(&from)
                    && Message::parse(plaintext)
                        .is_ok_and(|answer| answer.kind() == Type::Ack && answer.observe().is_some());
                observing += usize::from(observes);
            })?;
            if !came {
                let missing = clients.len() - observing;
                return Err(io::Error::other(format!("{missing} got no answer, or one without Observe")));
            }
        }
        Ok(())
    }

    /// The first client's next publication, ready to be sent.
    fn publication(&mut self) -> io::Result<Vec<u8>> {
        self.number += 1;
        let (path, number) = (self.path, self.number);
        self.fleet.seal(0, |buffer| {
            let token = Token::new(&number.to_be_bytes()).unwrap_or_default();
            let message_id = 0x8000 | number as u16;
            let mut writer =
                Writer::new(&mut buffer[..DATAGRAM / 2], Type::Non, Code::PUT, message_id, token);
            let _ = writer.path(path).option_uint(OptionNumber::CONTENT_FORMAT, 42).payload(VALUE);
            writer.finish().unwrap_or(0)
        })
    }

    fn publish_first(&mut self) -> io::Result<()> {
        let publication = self.publication()?;
        self.fleet.send(0, &publication)?;
        let mut published = false;
        let _ = self.fleet.receive(PATIENCE, |_, plaintext| {
            published = Message::parse(plaintext).is_ok_and(|answer| answer.code() == Code::CREATED);
        })?;
        if published { Ok(()) } else { Err(io::Error::other("no 2.01")) }
    }

    /// Publishes once and looks at every notification: each observer must get it.
    fn check(&mut self) -> io::Result<()> {
        let publication = self.publication()?;
        self.fleet.send(0, &publication)?;
        let (mut told, mut datagram) = (0, 0);
        while told < self.fleet.len() {
            let came = self.fleet.receive(PATIENCE, |_, plaintext| {
                let news = Message::parse(plaintext)
                    .is_ok_and(|message| message.observe().is_some() && message.payload() == VALUE);
                if news {
                    told += 1;
                    datagram = plaintext.len() + RECORD_OVERHEAD;
                }
            })?;
            if !came {
                return Err(io::Error::other(format!("{told} of {} observers were told", self.fleet.len())));
            }
        }
        self.datagram = datagram;
        Ok(())
    }

    /// Server CPU seconds for one publication to everybody that everybody acknowledges.
    fn acknowledged_fan_out(&mut self) -> Result<f64, String> {
        let publication = self.publication().map_err(|error| error.to_string())?;
        let Self { server, fleet, .. } = self;
        let (seconds, outcome) = server.cpu_seconds(|| {
            fleet.send(0, &publication)?;
            acknowledge_all(fleet)
        })?;
        outcome.map(|()| seconds).map_err(|error| error.to_string())
    }

    /// Server CPU seconds for one publication to everybody, and how many datagrams came of it.
    fn fan_out(&mut self, drain: &mut Drain) -> Result<(f64, u32), String> {
        let publication = self.publication().map_err(|error| error.to_string())?;
        let Self { server, fleet, .. } = self;
        let (seconds, came) = server.cpu_seconds(|| {
            fleet.send(0, &publication)?;
            // One more, for the publisher may get an answer of its own.
            drain.run(fleet.socket(), server, fleet.len() + 1)
        })?;
        Ok((seconds, came.map_err(|error| error.to_string())?))
    }
}

/// Acknowledges notifications until each client has got one.
fn acknowledge_all(fleet: &mut Fleet) -> io::Result<()> {
    let (mut told, mut notified) = (0, None);
    while told < fleet.len() {
        let came = fleet.receive(PATIENCE, |client, plaintext| {
            notified = Message::parse(plaintext)
                .ok()
                .filter(|message| message.kind() == Type::Con && message.observe().is_some())
                .map(|message| (client, message.message_id()));
        })?;
        if !came {
            return Err(io::Error::other(format!("{told} of {} observers were told", fleet.len())));
        }
        if let Some((client, message_id)) = notified.take() {
            let acknowledgement = fleet.seal(client, |buffer| {
                let message = empty_message(Type::Ack, message_id);
                buffer[..message.len()].copy_from_slice(&message);
                message.len()
            })?;
            fleet.send(client, &acknowledgement)?;
            told += 1;
        }
    }
    Ok(())
}

/// Bytes of an acknowledgement's datagram: header with a Connection ID of 8 bytes, explicit nonce, the message and
/// its inner content type, tag.
const ACKNOWLEDGEMENT: usize = 13 + 8 + 8 + 4 + 1 + 8;

/// What DTLS adds to a message for a client that asked for no Connection ID: header, explicit nonce, tag.
const RECORD_OVERHEAD: usize = 13 + 8 + 8;

fn endpoint() -> Result<Observed, String> {
    let server = ServerProcess::ours(&["endpoint"])?;
    let fleet = new_fleet(&server)?;
    Ok(Observed::new("endpoint", server, fleet, &["d", "bench"]))
}

fn broker() -> Result<Observed, String> {
    observed_broker(ServerProcess::broker()?)
}

fn observed_broker(server: ServerProcess) -> Result<Observed, String> {
    let fleet = new_fleet(&server)?;
    let mut broker = Observed::new("broker", server, fleet, &["d", "bench"]);
    // What is to be observed must have been published.
    broker.fleet.connect(1)?;
    broker.publish_first().map_err(|error| format!("publishing: {error}"))?;
    broker.observe(0..1).map_err(|error| format!("observing: {error}"))?;
    Ok(broker)
}

fn new_fleet(server: &ServerProcess) -> Result<Fleet, String> {
    Fleet::new(server.address, IDENTITY).map_err(|error| error.to_string())
}

/// Bytes per session, from one session to `count`.
fn bytes_per_session(observed: &mut Observed, count: u32) -> Result<f64, String> {
    observed.grow(1)?;
    let before = observed.server.resident()?;
    observed.grow(count)?;
    Ok((observed.server.resident()? - before) as f64 / f64::from(count - 1))
}

/// Part 4.
pub(crate) fn memory(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let many = if settings.quick { MANY / 10 } else { MANY };
    // The peers' sessions are larger, and fewer of them tell as much.
    let fewer = many / 50;

    let libcoap = libcoap::start().and_then(|server| {
        let fleet = new_fleet(&server)?;
        bytes_per_session(&mut Observed::new("libcoap", server, fleet, libcoap::OBSERVABLE), fewer)
    });
    let [openssl, mbedtls] = [openssl::start(settings), mbedtls::start(settings)].map(|server| {
        let server = server?;
        let mut fleet = new_fleet(&server)?;
        fleet.connect(1)?;
        let before = server.resident()?;
        fleet.connect(fewer - 1)?;
        Ok((server.resident()? - before) as f64 / f64::from(fewer - 1))
    });

    let figure = bytes_per_session(&mut broker()?, many)?;
    let what = format!("idle session, one observation, of {many} (broker)");
    let row = Row::figure(MEMORY, what, "B", Better::Lower, figure).goal(Goal::AtMost(1024.0));
    report
        .rows
        .push(row.note("all with one credential: what is enrolled is kept whether it connects or not"));
    let protocol = bytes_per_session(&mut endpoint()?, many)?;
    let what = format!("idle session, one observation, of {many} (endpoint)");
    report.rows.push(Row::figure(MEMORY, what, "B", Better::Lower, protocol));
    for (name, what, bytes) in [
        ("libcoap", "the broker's beside a session with one observation", libcoap),
        ("OpenSSL", "the broker's beside a session alone", openssl),
        ("Mbed TLS", "the broker's beside a session alone", mbedtls),
    ] {
        report.rows.push(match bytes {
            Ok(bytes) => {
                let one = |figure| Samples(vec![figure]);
                let other = one(bytes);
                let row = Row::compare(MEMORY, what, "B", Better::Lower, &one(figure), (name, &other));
                row.note(format!("{name} measured at {fewer} sessions"))
            }
            Err(why) => Row::missing(MEMORY, name, why),
        });
    }
    ways(settings, report)
}

/// Bytes of an idle session, whichever way its client authenticated.
fn ways(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let count = if settings.quick { 2_000 } else { 20_000 };
    let pki = Pki::new(settings)?;
    let pair = || pki.key_pair("client").map_err(|error| error.to_string());
    for (versions, version) in [(Versions::ONLY_1_2, "1.2"), (Versions::ONLY_1_3, "1.3")] {
        let ways = [
            ("PSK", Identity::psk(IDENTITY).map_err(|error| error.to_string())?),
            ("raw public keys", Identity::KeyPair(CertificateType::RawPublicKey, pair()?)),
            ("certificates", Identity::KeyPair(CertificateType::X509, pair()?)),
        ];
        for (way, identity) in ways {
            let scenario = Scenario { auth: Auth::Mutual, resume: false, dtls_1_3: false };
            let server = ServerProcess::endpoint(&pki, scenario)?;
            let fleet = Fleet::with_identity(server.address, identity, versions);
            let mut fleet = fleet.map_err(|error| error.to_string())?;
            // The pool of handshakes is as large as it gets before the count begins.
            fleet.connect(1_000)?;
            let before = server.resident()?;
            fleet.connect(count)?;
            let figure = (server.resident()? - before) as f64 / f64::from(count);
            let what = format!("idle session, {way}, DTLS {version}, of {count} (endpoint)");
            report
                .rows
                .push(Row::figure(MEMORY, what, "B", Better::Lower, figure).goal(Goal::AtMost(1024.0)));
        }
    }
    Ok(())
}

/// Part 5.
pub(crate) fn fan_out(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let mut contenders = vec![broker()?, endpoint()?];
    let raw = ServerProcess::ours(&["raw-fan-out"])?;
    let mut target = FleetSocket::new(raw.address).map_err(|error| error.to_string())?;
    let mut drain = Drain::new();
    let many = if settings.quick { MANY / 10 } else { MANY };
    for count in [SOME, many] {
        for contender in &mut contenders {
            contender.grow(count)?;
            if count == SOME {
                contender.check().map_err(|error| format!("{}: {error}", contender.name))?;
            }
        }
        let mut ours = vec![Samples::default(); contenders.len()];
        let (mut theirs, mut least) = (Samples::default(), count);
        for repetition in 0..=settings.repetitions(9) {
            let per_second = |seconds: f64| f64::from(count) / seconds;
            for (contender, samples) in contenders.iter_mut().zip(&mut ours) {
                let (seconds, came) = contender.fan_out(&mut drain)?;
                least = least.min(came);
                if repetition > 0 {
                    samples.push(per_second(seconds));
                }
            }
            let len = contenders[0].datagram as u16;
            let port = target.port().map_err(|error| error.to_string())?;
            let (seconds, outcome) = raw.cpu_seconds(|| {
                target.send(0, &fan_out_order(count, len, port))?;
                drain.run(&target, &raw, count)
            })?;
            let _ = outcome.map_err(|error| error.to_string())?;
            if repetition > 0 {
                theirs.push(per_second(seconds));
            }
        }
        for (contender, samples) in contenders.iter().zip(&ours) {
            let what = format!("notifications of one publish to {count} ({})", contender.name);
            let row = Row::compare(FAN_OUT, what, "/s", Better::Higher, samples, ("sendmmsg", &theirs));
            let mut note = format!("{} B datagrams, not confirmable", contender.datagram);
            if least < count {
                note += "; more than the one receiving socket could hold, so that the kernel dropped some of both";
            }
            report.rows.push(row.note(note));
        }
    }
    acknowledged(settings, report, &raw, &mut target)
}

/// The same as the broker does it if nothing else is said: every notification is confirmable.
fn acknowledged(
    settings: &Settings,
    report: &mut Report,
    raw: &ServerProcess,
    target: &mut FleetSocket,
) -> Result<(), String> {
    let mut broker = observed_broker(ServerProcess::confirming_broker()?)?;
    broker.grow(SOME)?;
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for repetition in 0..=settings.repetitions(9) {
        let sedge = broker.acknowledged_fan_out().map_err(|error| format!("confirmable: {error}"))?;
        let port = target.port().map_err(|error| error.to_string())?;
        let (kernel, outcome) = raw.cpu_seconds(|| {
            target.send(0, &fan_out_order(SOME, NOTIFICATION as u16, port))?;
            for _ in 0..SOME {
                let from = target.receive(PATIENCE)?.map(|(client, _)| client);
                let client = from.ok_or_else(|| io::Error::other("sendmmsg's datagrams are missing"))?;
                target.send(client, &[0; ACKNOWLEDGEMENT])?;
            }
            io::Result::Ok(())
        })?;
        outcome.map_err(|error| error.to_string())?;
        if repetition > 0 {
            ours.push(f64::from(SOME) / sedge);
            theirs.push(f64::from(SOME) / kernel);
        }
    }
    let what = format!("the same to {SOME}, each acknowledged, as is the default (broker)");
    let row = Row::compare(FAN_OUT, what, "/s", Better::Higher, &ours, ("sendmmsg/recvmmsg", &theirs));
    report.rows.push(row);
    Ok(())
}
