//! Part 3: 64 bytes there and back, per second of server CPU time, beside what the kernel does alone.

use sedge_coap::Code;

use crate::Settings;
use crate::cpu::Samples;
use crate::fleet::{Fleet, FleetSocket};
use crate::load::{CLIENTS, CoapRequest, Contender, Load, take_turns};
use crate::peers::{libcoap, mbedtls, openssl};
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};
use crate::serve::IDENTITY;

const PART: &str = "64 B echo";
const VALUE: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const ECHO: CoapRequest = CoapRequest { method: Code::POST, path: &["e"], carries: true, returns: true };

/// To the broker: publish a value, and read it.
const PUBLISH: CoapRequest =
    CoapRequest { method: Code::PUT, path: &["d", "bench"], carries: true, returns: false };
const READ: CoapRequest =
    CoapRequest { method: Code::GET, path: &["d", "bench"], carries: false, returns: true };

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let mut contenders = vec![
        raw("recv_from/send_to", &["raw-echo"])?,
        raw("recvmmsg/sendmmsg", &["raw-echo-batched"])?,
        coap("endpoint", ServerProcess::ours(&["endpoint"])?, ECHO)?,
        broker(READ)?,
        broker(PUBLISH)?,
    ];
    let mut missing = Vec::new();
    let mut add = |name, contender: Result<Contender, String>| match contender {
        Ok(contender) => contenders.push(contender),
        Err(why) => missing.push((name, why)),
    };
    add("OpenSSL", openssl::start(settings).and_then(|server| dtls("OpenSSL", server)));
    add("Mbed TLS", mbedtls::start(settings).and_then(|server| dtls("Mbed TLS", server)));
    add("libcoap", libcoap::start().and_then(|server| coap("libcoap", server, libcoap::ECHO)));

    let count = if settings.quick { 2_560 } else { 25_600 };
    take_turns(&mut contenders, settings.repetitions(9), count, VALUE)?;

    let [plain, batched, endpoint, read, publish, others @ ..] = &contenders[..] else {
        return Err("no contenders".into());
    };
    let compare = |what: &str, sedge: &Samples, other: &Contender| {
        Row::compare(PART, what, "/s", Better::Higher, sedge, (other.name, &other.rates))
    };
    let what = "POST and its value back, CoAP over DTLS with CID (endpoint)";
    report.rows.push(compare(what, &endpoint.rates, plain).goal(Goal::Ratio(0.75)));
    report.rows.push(compare("the same beside batched system calls", &endpoint.rates, batched));
    report.rows.push(compare("GET of a topic's value (broker)", &read.rates, plain).goal(Goal::Ratio(0.75)));
    report.rows.push(compare("PUT to a topic, kept in the store (broker)", &publish.rates, plain));
    for other in others {
        let what = match other.load {
            Load::Dtls(_) => "endpoint's echo beside an echo of DTLS records without CoAP",
            _ => "endpoint's echo beside a PUT and its echo",
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
    let mut fleet = Fleet::new(server.address, IDENTITY).map_err(|error| error.to_string())?;
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

/// A broker in which there is something to read.
fn broker(request: CoapRequest) -> Result<Contender, String> {
    let mut contender = coap("broker", ServerProcess::broker()?, PUBLISH)?;
    contender.load.once(VALUE).map_err(|error| format!("broker: {error}"))?;
    if let Load::Coap { request: current, .. } = &mut contender.load {
        *current = request;
    }
    Ok(contender)
}
