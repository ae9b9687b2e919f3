//! Part 2: PSK handshakes per second of server CPU time, and their bytes.

use crate::Settings;
use crate::comparison::Comparison;
use crate::contender::Contender;
use crate::fleet::Fleet;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};
use crate::scenario::Scenario;

const PART: &str = "handshakes";

/// An identity of usual length.
const DEVICE: &str = "device-000000";

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let comparison = Comparison {
        what: "TLS_PSK_WITH_AES_128_CCM_8, cookie, per core",
        scenario: Scenario::PSK,
        count: if settings.quick { 500 } else { 3000 },
        repetitions: 9,
        goal: 2.5,
    };
    let pki = Pki::new(settings)?;
    let sedge = [("broker", ServerProcess::broker()?), ("endpoint", ServerProcess::ours(&["endpoint"])?)];
    let sedge = sedge.map(|(name, server)| Contender::new(settings, Scenario::PSK, &pki, name, server));
    comparison.run(settings, report, &pki, sedge.into_iter().collect::<Result<_, _>>()?)?;
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
