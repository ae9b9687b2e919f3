//! Part 2: PSK handshakes per second of server CPU time, and their bytes.

use crate::Settings;
use crate::cpu::Samples;
use crate::fleet::Fleet;
use crate::peers::Peer;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};
use crate::scenario::Scenario;
use crate::serve::IDENTITY;

const PART: &str = "handshakes";
const WHAT: &str = "TLS_PSK_WITH_AES_128_CCM_8, cookie, per core";

/// An identity of usual length.
const DEVICE: &str = "device-000000";

/// One server, kept over all repetitions: handshakes with addresses it has not seen, then goodbye to all.
struct Contender {
    server: ServerProcess,
    fleet: Fleet,
    samples: Samples,
}

impl Contender {
    fn new(server: ServerProcess) -> Result<Self, String> {
        let fleet = Fleet::new(server.address, IDENTITY).map_err(|error| error.to_string())?;
        Ok(Self { server, fleet, samples: Samples::default() })
    }

    fn repeat(&mut self, count: u32) -> Result<f64, String> {
        let Self { server, fleet, .. } = self;
        let (seconds, connected) = server.cpu_seconds(|| fleet.connect(count))?;
        connected?;
        fleet.close().map_err(|error| error.to_string())?;
        Ok(f64::from(count) / seconds)
    }
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let count = if settings.quick { 500 } else { 3000 };
    let pki = Pki::new(settings)?;
    let mut broker = Contender::new(ServerProcess::broker()?)?;
    let mut endpoint = Contender::new(ServerProcess::ours(&["endpoint"])?)?;
    let mut peers: Vec<_> = Peer::of(Scenario::PSK)
        .iter()
        .map(|peer| (peer.name(), peer.serve(settings, Scenario::PSK, &pki).and_then(Contender::new)))
        .collect();
    // The first round warms up.
    for repetition in 0..=settings.repetitions(9) {
        for contender in [&mut broker, &mut endpoint] {
            let rate = contender.repeat(count)?;
            if repetition > 0 {
                contender.samples.push(rate);
            }
        }
        for (_, peer) in &mut peers {
            let Ok(contender) = peer else { continue };
            match contender.repeat(count) {
                Ok(rate) if repetition > 0 => contender.samples.push(rate),
                Ok(_) => {}
                Err(why) => *peer = Err(why),
            }
        }
    }
    let median = |peer: &Result<Contender, String>| peer.as_ref().map_or(0.0, |peer| peer.samples.median());
    peers.sort_by(|(_, one), (_, other)| median(other).total_cmp(&median(one)));
    for (rank, (name, peer)) in peers.iter().enumerate() {
        match peer {
            Ok(peer) => {
                let compare = |which: &str, sedge: &Contender| {
                    let what = format!("{WHAT} ({which})");
                    Row::compare(PART, what, "/s", Better::Higher, &sedge.samples, (name, &peer.samples))
                };
                let row = compare("broker", &broker);
                // What has to be reached is measured beside the best of them.
                report.rows.push(if rank == 0 { row.goal(Goal::Ratio(2.5)) } else { row });
                report.rows.push(compare("endpoint", &endpoint));
            }
            Err(why) => report.rows.push(Row::missing(PART, *name, why)),
        }
    }
    bytes(report)
}

/// Counts the bytes of one handshake, which do not depend on the machine.
fn bytes(report: &mut Report) -> Result<(), String> {
    let server = ServerProcess::ours(&["endpoint"])?;
    let mut fleet = Fleet::new(server.address, DEVICE).map_err(|error| error.to_string())?;
    fleet.connect(1)?;
    let (sent, received) = fleet.handshake_bytes;
    let bytes = (sent + received) as f64;
    let what = "DTLS 1.2 PSK with cookie and an 8-byte CID, UDP payload";
    report.rows.push(
        Row::figure(PART, what, "B", Better::Lower, bytes)
            .goal(Goal::AtMost(500.0))
            .note(format!("{sent} B from the client, {received} B from the server, identity {DEVICE:?}")),
    );
    Ok(())
}
