//! Part 3: 64 bytes there and back, per second of server CPU time, beside what the kernel does alone.

use sedge_coap::Code;

use crate::Settings;
use crate::cpu::Samples;
use crate::fleet::{Fleet, FleetSocket, KEY};
use crate::load::{CLIENTS, CoapRequest, Contender, Load, take_turns};
use crate::peers::{libcoap, openssl};
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};

const PART: &str = "64 B echo";
const VALUE: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const ECHO: CoapRequest = CoapRequest { method: Code::POST, path: &["e"], carries: true, returns: true };

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let mut contenders = vec![
        raw("recv_from/send_to", &["raw-echo"])?,
        raw("recvmmsg/sendmmsg", &["raw-echo-batched"])?,
        coap("endpoint", ServerProcess::ours(&["endpoint"])?, ECHO)?,
    ];
    let mut missing = Vec::new();
    let mut add = |name, contender: Result<Contender, String>| match contender {
        Ok(contender) => contenders.push(contender),
        Err(why) => missing.push((name, why)),
    };
    add("OpenSSL", openssl::start(settings).and_then(|server| dtls("OpenSSL", server)));
    add("libcoap", libcoap::start().and_then(|server| coap("libcoap", server, libcoap::ECHO)));

    let count = if settings.quick { 2_560 } else { 25_600 };
    take_turns(&mut contenders, settings.repetitions(9), count, VALUE)?;

    let [plain, batched, endpoint, ..] = &contenders[..] else { return Err("no contenders".into()) };
    let compare = |what: &str, sedge: &Samples, other: &Contender| {
        Row::compare(PART, what, "/s", Better::Higher, sedge, (other.name, &other.rates))
    };
    let what = "CoAP CON POST, piggybacked, DTLS with CID (endpoint)";
    report.rows.push(compare(what, &endpoint.rates, plain).goal(Goal::Ratio(0.75)));
    report.rows.push(compare(what, &endpoint.rates, batched));
    for other in &contenders[3..] {
        let what = match other.load {
            Load::Dtls(_) => "the same beside an echo of DTLS records without CoAP",
            _ => "the same beside a PUT and its echo",
        };
        report.rows.push(compare(what, &endpoint.rates, other));
    }
    report.rows.extend(missing.into_iter().map(|(name, why)| Row::missing(PART, name, why)));
    Ok(())
}

fn raw(name: &'static str, server: &[&str]) -> Result<Contender, String> {
    let server = ServerProcess::ours(server)?;
    let socket = FleetSocket::new(server.address).map_err(|error| error.to_string())?;
    Ok(Contender { name, server, load: Load::Raw(socket), rates: Samples::default() })
}

fn connected(server: &ServerProcess) -> Result<Fleet, String> {
    let identity = |client: u32| format!("device-{client:06}").into_bytes();
    let mut fleet = Fleet::new(server.address, &KEY, identity).map_err(|error| error.to_string())?;
    fleet.connect(CLIENTS)?;
    Ok(fleet)
}

fn dtls(name: &'static str, server: ServerProcess) -> Result<Contender, String> {
    let fleet = connected(&server)?;
    Ok(Contender { name, server, load: Load::Dtls(fleet), rates: Samples::default() })
}

fn coap(name: &'static str, server: ServerProcess, request: CoapRequest) -> Result<Contender, String> {
    let fleet = connected(&server)?;
    Ok(Contender { name, server, load: Load::Coap { fleet, request, sent: 0 }, rates: Samples::default() })
}
