//! Part 3: handshakes with certificates, resumed ones, and DTLS 1.3, per second of server CPU time. The clients are
//! OpenSSL's and wolfSSL's.

use crate::Settings;
use crate::comparison::Comparison;
use crate::contender::Contender;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::report::{Report, Row};
use crate::scenario::{Auth, Scenario};

const fn scenario(auth: Auth, resume: bool, dtls_1_3: bool) -> Scenario {
    Scenario { auth, resume, dtls_1_3 }
}

const COMPARISONS: [Comparison; 7] = [
    Comparison {
        what: "DTLS 1.2, ECDHE_ECDSA on P-256, the server's certificate",
        scenario: scenario(Auth::ServerCertificate, false, false),
        count: 500,
        repetitions: 5,
        goal: 1.3,
    },
    Comparison {
        what: "DTLS 1.2, ECDHE_ECDSA on P-256, both sides' certificates",
        scenario: scenario(Auth::Mutual, false, false),
        count: 250,
        repetitions: 5,
        goal: 1.3,
    },
    Comparison {
        what: "DTLS 1.2, resumed by ticket",
        scenario: scenario(Auth::ServerCertificate, true, false),
        count: 1500,
        repetitions: 5,
        goal: 2.0,
    },
    Comparison {
        what: "DTLS 1.3, PSK",
        scenario: scenario(Auth::Psk, false, true),
        count: 1000,
        repetitions: 5,
        goal: 2.5,
    },
    Comparison {
        what: "DTLS 1.3, ECDHE and ECDSA on P-256, the server's certificate",
        scenario: scenario(Auth::ServerCertificate, false, true),
        count: 500,
        repetitions: 5,
        goal: 1.3,
    },
    Comparison {
        what: "DTLS 1.3, ECDHE and ECDSA on P-256, both sides' certificates",
        scenario: scenario(Auth::Mutual, false, true),
        count: 250,
        repetitions: 5,
        goal: 1.3,
    },
    Comparison {
        what: "DTLS 1.3, resumed by ticket, with ECDHE",
        scenario: scenario(Auth::ServerCertificate, true, true),
        count: 500,
        repetitions: 5,
        goal: 2.0,
    },
];

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let pki = Pki::new(settings)?;
    for comparison in &COMPARISONS {
        eprintln!("  {}", comparison.what);
        let sedge = ServerProcess::endpoint(&pki, comparison.scenario)
            .and_then(|server| Contender::new(settings, comparison.scenario, &pki, "Sedge", server));
        let outcome = sedge.and_then(|sedge| comparison.run(settings, report, &pki, vec![sedge]));
        if let Err(why) = outcome {
            report.rows.push(Row::missing("handshakes", comparison.what, why));
        }
    }
    Ok(())
}
