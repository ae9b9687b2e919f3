//! Part 7: a million sessions at once, both ends on this machine: what they take in memory, how long their handshakes
//! take, and how soon one of them is answered while all of them are there.

use std::time::{Duration, Instant};

use sedge_coap::{Code, Message};
use sedge_dtls::{CertificateType, Versions};

use crate::Settings;
use crate::fleet::{Fleet, Identity};
use crate::load::CoapRequest;
use crate::net::DATAGRAM;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Better, Report, Row};
use crate::scenario::{Auth, Scenario};
use crate::serve::IDENTITY;

const PART: &str = "million";
const VALUE: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const PUBLISH: CoapRequest =
    CoapRequest { method: Code::PUT, path: &["d", "bench"], carries: true, returns: false };
const READ: CoapRequest =
    CoapRequest { method: Code::GET, path: &["d", "bench"], carries: false, returns: true };
const ECHO: CoapRequest = CoapRequest { method: Code::POST, path: &["e"], carries: true, returns: true };

/// A server to be filled.
struct Crowd {
    name: &'static str,
    server: ServerProcess,
    fleet: Fleet,
    request: CoapRequest,
}

/// Part 7.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let (many, fewer) = if settings.quick { (20_000, 2_000) } else { (1_000_000, 100_000) };
    let server = ServerProcess::broker()?;
    let fleet = Fleet::new(server.address, IDENTITY).map_err(|error| error.to_string())?;
    let mut broker = Crowd { name: "broker, PSK, DTLS 1.2", server, fleet, request: PUBLISH };
    // What is to be read must have been published.
    broker.fleet.connect(1)?;
    broker.sample(1)?;
    broker.request = READ;
    broker.fill(report, many)?;
    drop(broker);

    let pki = Pki::new(settings)?;
    let scenario = Scenario { auth: Auth::Mutual, resume: false, dtls_1_3: false };
    let server = ServerProcess::endpoint(&pki, scenario)?;
    let pair = pki.key_pair("client").map_err(|error| error.to_string())?;
    let identity = Identity::KeyPair(CertificateType::X509, pair);
    let fleet = Fleet::with_identity(server.address, identity, Versions::ONLY_1_3);
    let fleet = fleet.map_err(|error| error.to_string())?;
    let mut endpoint =
        Crowd { name: "endpoint, certificates on both sides, DTLS 1.3", server, fleet, request: ECHO };
    endpoint.fleet.connect(1)?;
    endpoint.fill(report, fewer)
}

impl Crowd {
    /// Connects clients until there are `count`, and reports.
    fn fill(&mut self, report: &mut Report, count: u32) -> Result<(), String> {
        let before = self.server.resident()?;
        let more = count - self.fleet.len();
        self.fleet.handshake_times.clear();
        let start = Instant::now();
        let Self { server, fleet, .. } = self;
        let (cpu, outcome) = server.cpu_seconds(|| {
            // Said from time to time, for it takes minutes.
            while fleet.len() < count {
                fleet.connect((count - fleet.len()).min(50_000))?;
                eprintln!("  {} sessions", fleet.len());
            }
            Ok::<_, String>(())
        })?;
        outcome?;
        let wall = start.elapsed().as_secs_f64();
        let resident = self.server.resident()?;
        let mut handshakes = std::mem::take(&mut self.fleet.handshake_times);
        let mut echoes = self.sample(20_000)?;

        let label = |what: &str| format!("{what}, {count} sessions ({})", self.name);
        let per_session = (resident - before) as f64 / f64::from(more);
        let mut push = |what: &str, unit, better, figure| {
            report.rows.push(Row::figure(PART, label(what), unit, better, figure));
        };
        push("memory of the server in all", "MB", Better::Lower, resident as f64 / 1e6);
        push("memory of a session", "B", Better::Lower, per_session);
        push("handshakes per core", "/s", Better::Higher, f64::from(more) / cpu);
        push(
            "handshakes by the clock, clients on the same machine",
            "/s",
            Better::Higher,
            f64::from(more) / wall,
        );
        let [median, p99, _] = quantiles(&mut handshakes);
        push("handshake, 128 under way, median", "ms", Better::Lower, median * 1e3);
        push("handshake, 128 under way, 99 %", "ms", Better::Lower, p99 * 1e3);
        let [median, p99, longest] = quantiles(&mut echoes);
        push("request of a random session, median", "us", Better::Lower, median * 1e6);
        push("request of a random session, 99 %", "us", Better::Lower, p99 * 1e6);
        push("request of a random session, longest of 20000", "us", Better::Lower, longest * 1e6);
        Ok(())
    }

    /// Round trips of sessions all over the crowd, one at a time.
    fn sample(&mut self, count: u32) -> Result<Vec<Duration>, String> {
        let mut times = Vec::new();
        for number in 0..count {
            // A multiplier that visits all sessions in no order.
            let client = (u64::from(number) * 2_654_435_761 % u64::from(self.fleet.len())) as u32;
            let request = self
                .fleet
                .seal(client, |buffer| self.request.write(&mut buffer[..DATAGRAM / 2], number + 1, VALUE))
                .map_err(|error| error.to_string())?;
            let returns = self.request.returns;
            let time = self
                .fleet
                .round_trip(client, &request, |answer| {
                    Message::parse(answer).is_ok_and(|message| {
                        message.code().0 >> 5 == 2 && (!returns || message.payload() == VALUE)
                    })
                })
                .map_err(|error| error.to_string())?;
            times.push(time.ok_or_else(|| format!("session {client} got no answer"))?);
        }
        Ok(times)
    }
}

/// The median, the 99th percentile and the longest, in seconds.
fn quantiles(times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    let at = |part: f64| {
        let last = times.len().saturating_sub(1) as f64;
        times.get((last * part).round() as usize).map_or(0.0, Duration::as_secs_f64)
    };
    [at(0.5), at(0.99), at(1.0)]
}
