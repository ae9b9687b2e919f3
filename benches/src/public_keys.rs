//! Part 3: handshakes with certificates, resumed ones, and DTLS 1.3, per second of server CPU time. The clients are
//! OpenSSL's and wolfSSL's.

use crate::Settings;
use crate::cpu::{Samples, median};
use crate::generator::{Bytes, Generator};
use crate::peers::Peer;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Better, Goal, Report, Row};
use crate::scenario::{Auth, Scenario};

const PART: &str = "handshakes";

/// What is measured, in which words, how often, and what Sedge has to reach beside the best of the others.
struct Comparison {
    what: &'static str,
    scenario: Scenario,
    count: u32,
    goal: Option<f64>,
}

const fn scenario(auth: Auth, resume: bool, dtls_1_3: bool) -> Scenario {
    Scenario { auth, resume, dtls_1_3 }
}

const COMPARISONS: [Comparison; 7] = [
    Comparison {
        what: "DTLS 1.2, ECDHE_ECDSA on P-256, the server's certificate",
        scenario: scenario(Auth::ServerCertificate, false, false),
        count: 500,
        goal: Some(1.3),
    },
    Comparison {
        what: "DTLS 1.2, ECDHE_ECDSA on P-256, both sides' certificates",
        scenario: scenario(Auth::Mutual, false, false),
        count: 250,
        goal: Some(1.3),
    },
    Comparison {
        what: "DTLS 1.2, resumed by ticket",
        scenario: scenario(Auth::ServerCertificate, true, false),
        count: 1500,
        goal: Some(2.0),
    },
    Comparison {
        what: "DTLS 1.3, PSK",
        scenario: scenario(Auth::Psk, false, true),
        count: 1000,
        goal: Some(2.5),
    },
    Comparison {
        what: "DTLS 1.3, ECDHE and ECDSA on P-256, the server's certificate",
        scenario: scenario(Auth::ServerCertificate, false, true),
        count: 500,
        goal: Some(1.3),
    },
    Comparison {
        what: "DTLS 1.3, ECDHE and ECDSA on P-256, both sides' certificates",
        scenario: scenario(Auth::Mutual, false, true),
        count: 250,
        goal: Some(1.3),
    },
    Comparison {
        what: "DTLS 1.3, resumed by ticket, with ECDHE",
        scenario: scenario(Auth::ServerCertificate, true, true),
        count: 500,
        goal: Some(2.0),
    },
];

/// One server and its clients, kept over all repetitions.
struct Contender {
    name: &'static str,
    server: ServerProcess,
    generator: Generator,
    rates: Samples,
    bytes: Option<Bytes>,
}

impl Contender {
    fn new(
        settings: &Settings,
        comparison: &Comparison,
        pki: &Pki,
        name: &'static str,
        server: ServerProcess,
    ) -> Result<Self, String> {
        let mut generator = Generator::start(settings, server.address, comparison.scenario, pki)?;
        if comparison.scenario.resume {
            // What the repetitions resume.
            generator.full(comparison.count).map_err(|why| format!("{name}: {why}"))?;
            generator.close()?;
        }
        Ok(Self { name, server, generator, rates: Samples::default(), bytes: None })
    }

    fn repeat(&mut self, comparison: &Comparison) -> Result<f64, String> {
        let Self { server, generator, .. } = self;
        let count = comparison.count;
        let (seconds, bytes) = server.cpu_seconds(|| {
            if comparison.scenario.resume { generator.again(count) } else { generator.full(count) }
        })?;
        self.bytes = Some(bytes.map_err(|why| format!("{}: {why}", self.name))?);
        generator.close()?;
        Ok(f64::from(count) / seconds)
    }
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let pki = Pki::new(settings)?;
    for comparison in &COMPARISONS {
        eprintln!("  {}", comparison.what);
        if let Err(why) = compare(settings, report, comparison, &pki) {
            report.rows.push(Row::missing(PART, comparison.what, why));
        }
    }
    Ok(())
}

fn compare(
    settings: &Settings,
    report: &mut Report,
    comparison: &Comparison,
    pki: &Pki,
) -> Result<(), String> {
    let Comparison { what, scenario, .. } = *comparison;
    let server = ServerProcess::endpoint(pki, scenario)?;
    let mut contenders = vec![Contender::new(settings, comparison, pki, "Sedge", server)?];
    for &peer in Peer::of(scenario) {
        let contender = peer
            .serve(settings, scenario, pki)
            .and_then(|server| Contender::new(settings, comparison, pki, peer.name(), server));
        match contender {
            Ok(contender) => contenders.push(contender),
            Err(why) => report.rows.push(Row::missing(PART, format!("{what}: {}", peer.name()), why)),
        }
    }
    for repetition in 0..=settings.repetitions(5) {
        let mut failed = None;
        for (index, contender) in contenders.iter_mut().enumerate() {
            match contender.repeat(comparison) {
                Ok(rate) if repetition > 0 => contender.rates.push(rate),
                Ok(_) => {}
                Err(why) if index == 0 => return Err(why),
                Err(why) => failed = Some((index, why)),
            }
        }
        if let Some((index, why)) = failed {
            let peer = contenders.remove(index);
            report.rows.push(Row::missing(PART, format!("{what}: {}", peer.name), why));
        }
    }
    let [sedge, peers @ ..] = &mut contenders[..] else { return Err("no contenders".into()) };
    peers.sort_by(|one, other| other.rates.median().total_cmp(&one.rates.median()));
    for (rank, peer) in peers.iter().enumerate() {
        let row = Row::compare(PART, what, "/s", Better::Higher, &sedge.rates, (peer.name, &peer.rates));
        // What has to be reached is measured beside the best of them.
        report.rows.push(match comparison.goal.filter(|_| rank == 0) {
            Some(goal) => row.goal(Goal::Ratio(goal)).note(bytes(comparison, sedge, peer)),
            None => row,
        });
    }
    if peers.is_empty() {
        report.rows.push(Row::figure(PART, what, "/s", Better::Higher, median(&sedge.rates.0)));
    }
    Ok(())
}

/// What a handshake took of the network, which the two need not agree on.
fn bytes(comparison: &Comparison, sedge: &Contender, peer: &Contender) -> String {
    let each = |contender: &Contender| {
        let count = u64::from(comparison.count);
        contender.bytes.map_or("unknown".into(), |bytes| {
            format!("{} + {} B", bytes.sent / count, bytes.received / count)
        })
    };
    format!(
        "a handshake took {} of UDP payload (to and from the server), {}'s {}",
        each(sedge),
        peer.name,
        each(peer)
    )
}
