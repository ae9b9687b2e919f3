//! `sedge probe`: what a DTLS server offers, found out by handshakes that offer one thing at a time.

mod attempt;
mod certificate;
mod findings;
mod report;

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sedge_client::CipherSuite;
use sedge_client::tokio::Address;
use sedge_crypto::NamedGroup;
use sedge_dtls::CertificateType;
use tokio::time::Instant;

use self::attempt::{Nobody, Observation, Offer, attempt};
use self::certificate::Authorities;
use self::findings::{Findings, Row};
use crate::failure::Failure;
use crate::identity::Version;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge probe coaps://broker.example
    sedge probe coaps://[2001:db8::1]:5684 --ca ca.pem --json

It makes a few real handshakes and needs no credential: a server with pre-shared keys shows
what it would choose before it asks for one.

Exit status: 0 if all is well, 1 if there is no DTLS server, 3 if something has to be done:
a certificate has a fault, or anybody can make the server send much to somebody else.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The server: coaps://HOST or coaps://HOST:PORT
    uri: String,
    /// The certificates of the CAs that are trusted (PEM or DER); may be repeated
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// How many seconds one handshake may take
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=30))]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const GROUPS: &[NamedGroup] = &[NamedGroup::Secp256r1, NamedGroup::X25519];
const KINDS: &[CertificateType] = &[CertificateType::X509, CertificateType::RawPublicKey];
/// How often, and after what time, a handshake is tried again with a server that has gone away.
const RETRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// All of it, however slowly the server answers.
const AT_MOST: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let address = Address::parse(&args.uri).map_err(Failure::usage)?;
    if !address.secure {
        return Err(Failure::usage("coap:// is spoken without DTLS: there is nothing to find out"));
    }
    let authorities = Authorities::read(&args.ca)?;
    let server = address.resolve().await?.into_iter().next();
    let server = server.ok_or_else(|| Failure::new(format!("{address} has no address")))?;
    let mut probe = Probe {
        server,
        host: &address.host,
        limit: Duration::from_secs(args.timeout),
        ends: Instant::now() + AT_MOST,
        shows_progress: io::stderr().is_terminal(),
        findings: Findings::default(),
    };
    let outcome = probe.run().await;
    probe.clear_progress();
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Failure::new(format!("nothing listens at {address}: check the address"))
        }
        _ => Failure::new(format!("cannot reach {address}: {error}")),
    })?;
    let findings = probe.findings;
    if !findings.answered {
        return Err(Failure::new(format!(
            "{address} does not answer: check the address, and that UDP port {} is open on the way",
            address.port
        )));
    }
    if !findings.speaks_dtls() {
        let refusals = findings.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let refusals = if refusals.is_empty() { refusals } else { format!(" ({refusals})") };
        return Err(Failure::new(format!(
            "{address} answers, and takes nothing of what was offered{refusals}"
        )));
    }
    let verdict = findings.verdict(&address.host, &authorities);
    if args.json {
        output::line(report::in_json(&address.to_string(), server, &findings, &verdict))?;
    } else {
        output::line(report::in_words(&address.to_string(), server, &findings, &verdict))?;
    }
    if verdict.is_good() { Ok(()) } else { Err(Failure::faults()) }
}

struct Probe<'a> {
    server: SocketAddr,
    host: &'a str,
    limit: Duration,
    ends: Instant,
    shows_progress: bool,
    findings: Findings,
}

impl Probe<'_> {
    async fn run(&mut self) -> io::Result<()> {
        let nobody = Nobody::new().map_err(io::Error::other)?;
        for version in [Version::Dtls13, Version::Dtls12] {
            if version == Version::Dtls13 && self.prefers_1_2(&nobody).await? {
                continue;
            }
            if self.speaks(version, &nobody).await? {
                self.suites(version, &nobody).await?;
                self.details(version, &nobody).await?;
            }
        }
        Ok(())
    }

    /// Whether the server answers an offer of both versions like one that knows DTLS 1.2 alone: what offers nothing but 1.3
    /// would be too much for some of these, which go on waiting for the end of that handshake.
    async fn prefers_1_2(&mut self, nobody: &Nobody) -> io::Result<bool> {
        for believes in [KINDS, &[]] {
            let offer = Offer {
                version: Version::Dtls13,
                with_other: true,
                suites: CipherSuite::ALL,
                groups: GROUPS,
                believes,
                resume: None,
                nobody: Some(nobody),
            };
            let seen = self.attempt("both versions", &offer).await?;
            if seen.answered {
                let is_1_2 = seen.hello.as_ref().is_some_and(|hello| !hello.is_1_3);
                return Ok(seen.asks_like_1_2 || is_1_2);
            }
        }
        Ok(false)
    }

    /// Whether the server chooses anything at all of a version.
    async fn speaks(&mut self, version: Version, nobody: &Nobody) -> io::Result<bool> {
        let suites: Vec<CipherSuite> = suites_of(version).map(|(suite, _)| suite).collect();
        for believes in [KINDS, &[]] {
            let offer = Offer {
                version,
                with_other: false,
                suites: &suites,
                groups: GROUPS,
                believes,
                resume: None,
                nobody: Some(nobody),
            };
            let seen = self.attempt("anything", &offer).await?;
            if seen.accepts(&offer) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Offers one suite after the other.
    async fn suites(&mut self, version: Version, nobody: &Nobody) -> io::Result<()> {
        for (suite, believes) in suites_of(version) {
            let suites = [suite];
            let offer = Offer {
                version,
                with_other: false,
                suites: &suites,
                groups: GROUPS,
                believes,
                resume: None,
                nobody: Some(nobody),
            };
            let seen = self.attempt(suite.as_str(), &offer).await?;
            let accepted = seen.accepts(&offer);
            self.findings.suite(version, suite, &offer, seen);
            // In DTLS 1.3 a suite says nothing of who authenticates how: a server that has no certificate shows its
            // choice only to those with a key.
            if version == Version::Dtls13 && !accepted {
                let offer = Offer { believes: &[], ..offer };
                let seen = self.attempt(suite.as_str(), &offer).await?;
                self.findings.suite(version, suite, &offer, seen);
            }
        }
        Ok(())
    }

    /// What remains to be asked about a version when a suite is known.
    async fn details(&mut self, version: Version, nobody: &Nobody) -> io::Result<()> {
        let Some(Row { suite, believes, .. }) = self.findings.best(version).cloned() else { return Ok(()) };
        if let Some(row) = self.findings.with_groups(version).cloned() {
            let (suites, believes) = ([row.suite], row.believes);
            for group in GROUPS {
                // With a certificate of DTLS 1.2 the client has to name the certificate's curve, too; then its order of
                // preference has to do.
                let with_other = version == Version::Dtls12 && !believes.is_empty();
                let groups: Vec<NamedGroup> = [*group]
                    .into_iter()
                    .chain(GROUPS.iter().copied().filter(|other| with_other && other != group))
                    .collect();
                let offer = Offer {
                    version,
                    with_other: false,
                    suites: &suites,
                    groups: &groups,
                    believes,
                    resume: None,
                    nobody: Some(nobody),
                };
                let seen = self.attempt(&format!("{group:?}"), &offer).await?;
                if seen.accepts(&offer) && seen.group == Some(group.to_u16()) {
                    self.findings.group(version, *group);
                }
            }
        }
        let suites = [suite];
        let offer = Offer {
            version,
            with_other: false,
            suites: &suites,
            groups: GROUPS,
            believes,
            resume: None,
            nobody: Some(nobody),
        };
        if !believes.is_empty() {
            for kind in KINDS {
                let kinds = [*kind];
                let offer = Offer { believes: &kinds, ..offer.clone() };
                let seen = self.attempt(&format!("{kind:?}"), &offer).await?;
                if let Some(shown) = seen.shown.filter(|shown| shown.kind == *kind) {
                    self.findings.shown(version, shown);
                }
            }
        }
        if !believes.is_empty() {
            let offer = Offer { nobody: None, ..offer.clone() };
            let seen = self.attempt("an anonymous client", &offer).await?;
            self.findings.anonymous(version, seen);
        }
        let Some(resumption) = self.findings.resumption(version).cloned() else { return Ok(()) };
        let offer = Offer { resume: Some(resumption), nobody: None, ..offer };
        let seen = self.attempt("resumption", &offer).await?;
        self.findings.resumed(version, &seen);
        Ok(())
    }

    async fn attempt(&mut self, what: &str, offer: &Offer<'_>) -> io::Result<Observation> {
        if Instant::now() > self.ends {
            return Ok(Observation::default());
        }
        if self.shows_progress {
            let version = if offer.version == Version::Dtls13 { "1.3" } else { "1.2" };
            eprint!("\r\x1b[KDTLS {version}: {what}");
        }
        let mut outcome = attempt(self.server, self.host, offer, self.limit).await;
        for _ in 0..RETRIES {
            // A server that serves one client after the other may be between two.
            if outcome.is_ok() || !self.findings.answered {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            outcome = attempt(self.server, self.host, offer, self.limit).await;
        }
        let seen = match outcome {
            Err(_) if self.findings.answered => Observation::default(),
            outcome => outcome?,
        };
        if let Some(alert) = seen.alert.filter(|_| seen.hello.is_none()) {
            self.findings.refused(alert);
        }
        self.findings.answered |= seen.answered;
        self.findings.attempts += 1;
        Ok(seen)
    }

    fn clear_progress(&self) {
        if self.shows_progress {
            eprint!("\r\x1b[K");
        }
    }
}

/// The suites of a version, and the kinds of certificate that go with each; with none, a pre-shared key.
fn suites_of(version: Version) -> impl Iterator<Item = (CipherSuite, &'static [CertificateType])> {
    CipherSuite::ALL.iter().filter_map(move |suite| match (version, suite.as_str()) {
        (Version::Dtls13, name) if name.starts_with("TLS_AES_") => Some((*suite, KINDS)),
        (Version::Dtls12, name) if name.contains("_ECDSA_") => Some((*suite, KINDS)),
        (Version::Dtls12, name) if name.contains("_PSK_") => Some((*suite, &[][..])),
        _ => None,
    })
}
