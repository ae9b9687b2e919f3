//! What was found out about a server, and what to think of it.

use sedge_client::CipherSuite;
use sedge_crypto::NamedGroup;
use sedge_dtls::{AlertDescription, CertificateType, Resumption};

use super::attempt::{Observation, Offer, Shown};
use super::certificate::{Authorities, Fault, faults};
use crate::identity::Version;
use crate::trace::Traffic;
use crate::trace::handshake::extension;

/// A suite that was offered alone.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) suite: CipherSuite,
    pub(super) believes: &'static [CertificateType],
    /// What the handshake took, as far as it came.
    pub(super) bytes: Traffic,
    /// How far that was.
    pub(super) end: String,
}

/// What was found out about one version.
#[derive(Default)]
pub(super) struct Of {
    pub(super) suites: Vec<Row>,
    pub(super) groups: Vec<NamedGroup>,
    pub(super) cookie: Option<bool>,
    /// What the server sends to an address that has proved nothing, as a multiple of what it got.
    pub(super) amplification: Option<f64>,
    pub(super) connection_id: bool,
    pub(super) return_routability: bool,
    /// `None` if that was not to be seen.
    pub(super) record_size_limit: Option<bool>,
    pub(super) extended_master_secret: bool,
    /// Whether it lets sessions be resumed: by a ticket, or by an identifier in DTLS 1.2. `None` if that was not to be
    /// seen: in DTLS 1.3 tickets come when the handshake is over.
    pub(super) resumes: Option<Resumes>,
    pub(super) asks_for_certificate: bool,
    pub(super) lets_anonymous_in: bool,
    pub(super) shown: Vec<Shown>,
    resumption: Option<Resumption>,
    pub(super) resumed: Option<Traffic>,
}

/// How a server says that it lets sessions be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resumes {
    Never,
    ByIdentifier,
    ByTicket,
}

impl Of {
    fn note_tickets(&mut self, version: Version, seen: &Observation) {
        let says = match (&seen.hello, version) {
            _ if seen.resumption.is_some() || seen.has(extension::SESSION_TICKET) => Some(Resumes::ByTicket),
            (Some(hello), Version::Dtls12) if hello.has_session_id => Some(Resumes::ByIdentifier),
            (Some(_), Version::Dtls12) => Some(Resumes::Never),
            (_, Version::Dtls13) if seen.completed => Some(Resumes::Never),
            _ => None,
        };
        self.resumes = self.resumes.max(says);
    }
}

/// What was found out.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) answered: bool,
    pub(super) attempts: u32,
    /// The alerts that offers were refused with.
    pub(super) refusals: Vec<AlertDescription>,
    pub(super) dtls12: Of,
    pub(super) dtls13: Of,
}

/// What to think of it.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) faults: Vec<Fault>,
    pub(super) advice: Vec<String>,
    /// Not to be left as it is.
    pub(super) alarms: Vec<String>,
}

impl Verdict {
    pub(super) const fn is_good(&self) -> bool {
        self.faults.is_empty() && self.alarms.is_empty()
    }
}

/// What a server may send for each byte that it got from an address that has proved nothing
/// (RFC 9147 section 5.1).
const MOST_AMPLIFICATION: f64 = 3.0;

impl Findings {
    pub(super) const fn of(&self, version: Version) -> &Of {
        match version {
            Version::Dtls12 => &self.dtls12,
            Version::Dtls13 => &self.dtls13,
        }
    }

    const fn of_mut(&mut self, version: Version) -> &mut Of {
        match version {
            Version::Dtls12 => &mut self.dtls12,
            Version::Dtls13 => &mut self.dtls13,
        }
    }

    pub(super) const fn speaks_dtls(&self) -> bool {
        !self.dtls12.suites.is_empty() || !self.dtls13.suites.is_empty()
    }

    /// Notes what came of offering one suite.
    pub(super) fn suite(
        &mut self,
        version: Version,
        suite: CipherSuite,
        offer: &Offer<'_>,
        seen: Observation,
    ) {
        let of = self.of_mut(version);
        if seen.answered && seen.unproved.sent_bytes > 0 && (seen.cookie || seen.hello.is_some()) {
            of.cookie = Some(of.cookie.unwrap_or(true) && seen.cookie);
            let factor = seen.unproved.received_bytes as f64 / seen.unproved.sent_bytes as f64;
            of.amplification = Some(of.amplification.unwrap_or(0.0).max(factor));
        }
        if !seen.accepts(offer) {
            return;
        }
        of.connection_id |= seen.has(extension::CONNECTION_ID);
        of.return_routability |= seen.has(extension::RETURN_ROUTABILITY);
        if seen.shows_extensions() {
            let known = seen.has(extension::RECORD_SIZE_LIMIT);
            of.record_size_limit = Some(of.record_size_limit.unwrap_or(false) || known);
        }
        of.extended_master_secret |= seen.has(extension::EXTENDED_MASTER_SECRET);
        of.note_tickets(version, &seen);
        of.asks_for_certificate |= seen.asks_for_certificate;
        let believes: &'static [CertificateType] = if offer.believes.is_empty() { &[] } else { super::KINDS };
        let end = match seen.alert {
            _ if seen.completed => "complete".to_owned(),
            _ if offer.believes.is_empty() => "a key is needed".to_owned(),
            Some(alert) => alert.to_string(),
            None => "no answer".to_owned(),
        };
        of.suites.push(Row { suite, believes, bytes: seen.traffic, end });
        of.resumption = of.resumption.take().or(seen.resumption);
        if let Some(shown) = seen.shown {
            self.shown(version, shown);
        }
    }

    /// Notes why an offer was refused, each reason once.
    pub(super) fn refused(&mut self, alert: AlertDescription) {
        if !self.refusals.contains(&alert) {
            self.refusals.push(alert);
        }
    }

    pub(super) fn group(&mut self, version: Version, group: NamedGroup) {
        self.of_mut(version).groups.push(group);
    }

    /// Notes what became of a client that shows nothing.
    pub(super) fn anonymous(&mut self, version: Version, seen: Observation) {
        let of = self.of_mut(version);
        of.lets_anonymous_in = seen.completed;
        of.note_tickets(version, &seen);
        of.resumption = of.resumption.take().or(seen.resumption);
    }

    /// Notes what the server has shown of itself, once for each kind.
    pub(super) fn shown(&mut self, version: Version, shown: Shown) {
        let of = self.of_mut(version);
        if of.shown.iter().all(|known| known.kind != shown.kind) {
            of.shown.push(shown);
        }
    }

    pub(super) fn resumed(&mut self, version: Version, seen: &Observation) {
        self.of_mut(version).resumed = (seen.completed && seen.resumed).then_some(seen.traffic);
    }

    pub(super) const fn resumption(&self, version: Version) -> Option<&Resumption> {
        self.of(version).resumption.as_ref()
    }

    /// The suite to ask further questions with: one of a certificate, if there is any.
    pub(super) fn best(&self, version: Version) -> Option<&Row> {
        let suites = &self.of(version).suites;
        suites.iter().find(|row| !row.believes.is_empty()).or(suites.first())
    }

    /// The suite to ask for groups with. Those of certificates are no good in DTLS 1.2, where a client that does not
    /// name the certificate's curve must not be shown it (RFC 8422 section 5.1.1).
    pub(super) fn with_groups(&self, version: Version) -> Option<&Row> {
        let suites = &self.of(version).suites;
        let is_psk = |row: &&Row| row.suite.as_str().starts_with("TLS_ECDHE_PSK");
        let with_groups = |row: &&Row| !row.suite.as_str().starts_with("TLS_PSK");
        suites.iter().find(is_psk).or(suites.iter().find(with_groups))
    }

    /// What to think of it.
    pub(super) fn verdict(&self, host: &str, authorities: &Authorities) -> Verdict {
        let mut verdict = Verdict::default();
        let shown = || [&self.dtls13, &self.dtls12].into_iter().flat_map(|of| &of.shown);
        if let Some(chain) = shown().find(|shown| shown.kind == CertificateType::X509) {
            verdict.faults = faults(&chain.entries, host, authorities);
        }
        for (name, of) in [("DTLS 1.3", &self.dtls13), ("DTLS 1.2", &self.dtls12)] {
            if of.suites.is_empty() {
                continue;
            }
            if let Some(factor) = of.amplification.filter(|factor| *factor > MOST_AMPLIFICATION) {
                verdict.alarms.push(format!(
                    "{name}: sends {factor:.1} times as much as it gets to addresses that have proved nothing: \
                     anybody can turn it against others"
                ));
            } else if of.cookie == Some(false) {
                verdict.advice.push(format!(
                    "{name}: keeps state before a cookie has proved the address: easy to exhaust"
                ));
            }
            if !of.connection_id {
                verdict.advice.push(format!(
                    "{name}: no Connection ID: a device behind a NAT that forgets it needs a new handshake"
                ));
            } else if !of.return_routability {
                verdict.advice.push(format!(
                    "{name}: no return routability check: how it treats new addresses cannot be seen"
                ));
            }
            if of.lets_anonymous_in {
                verdict.advice.push(format!("{name}: lets clients in that show nothing"));
            }
            if of.record_size_limit == Some(false) {
                verdict.advice.push(format!(
                    "{name}: no record_size_limit: small devices cannot limit what it sends them"
                ));
            }
        }
        let has = |of: &Of, suite: CipherSuite| of.suites.iter().any(|row| row.suite == suite);
        if has(&self.dtls13, CipherSuite::TLS_AES_128_CCM_8_SHA256) {
            verdict.advice.push(
                "DTLS 1.3: accepts TLS_AES_128_CCM_8_SHA256: short tags, for links where 8 bytes count"
                    .into(),
            );
        }
        if self.dtls13.suites.is_empty() {
            verdict.advice.push("no DTLS 1.3: handshakes take more bytes, and show identities".into());
        }
        if !self.dtls12.suites.is_empty() && !self.dtls12.extended_master_secret {
            verdict
                .alarms
                .push("DTLS 1.2: no extended master secret: Sedge's clients refuse it (RFC 7627)".into());
        }
        let is_static = |row: &Row| row.suite.as_str().starts_with("TLS_PSK_");
        if !self.dtls12.suites.is_empty()
            && self.dtls13.suites.is_empty()
            && self.dtls12.suites.iter().all(is_static)
        {
            verdict.advice.push(
                "no forward secrecy: who learns a key can read what was recorded; add TLS_ECDHE_PSK suites"
                    .into(),
            );
        }
        verdict
    }
}
