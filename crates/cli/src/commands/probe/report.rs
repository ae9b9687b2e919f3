//! How it looks: a summary for people, JSON for programs.

use std::net::SocketAddr;

use sedge_crypto::{NamedGroup, public_key_from_info};
use sedge_dtls::CertificateType;
use serde_json::{Value as Json, json};

use super::attempt::Shown;
use super::certificate::describe;
use super::findings::{Findings, Of, Resumes, Verdict};
use crate::codec::hex;
use crate::output::{self, Style};
use crate::trace::Traffic;

pub(super) fn in_words(uri: &str, server: SocketAddr, findings: &Findings, verdict: &Verdict) -> String {
    let style = Style::stdout();
    let mut lines = vec![format!("{} ({server}), {} handshakes", style.bold(uri), findings.attempts)];
    let suites: Vec<Vec<String>> = [("1.3", &findings.dtls13), ("1.2", &findings.dtls12)]
        .into_iter()
        .flat_map(|(version, of)| {
            of.suites.iter().map(move |row| {
                let Traffic { sent_bytes, received_bytes, .. } = row.bytes;
                vec![
                    version.to_owned(),
                    row.suite.as_str().to_owned(),
                    sent_bytes.to_string(),
                    received_bytes.to_string(),
                    row.end.clone(),
                ]
            })
        })
        .collect();
    if !suites.is_empty() {
        lines.push(String::new());
        lines.push(output::table(style, &["DTLS", "SUITE", "SENT B", "RECEIVED B", "HANDSHAKE"], &suites));
    }
    let both = [&findings.dtls13, &findings.dtls12].map(|of| (!of.suites.is_empty()).then_some(of));
    let rows = properties(&both);
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(output::table(style, &["", "DTLS 1.3", "DTLS 1.2"], &rows));
    }
    for shown in shown(findings) {
        lines.push(String::new());
        match shown.kind {
            CertificateType::RawPublicKey => {
                let info = shown.entries.first().map(Vec::as_slice).unwrap_or_default();
                lines.push(style.bold("raw public key"));
                if let Ok(key) = public_key_from_info(info) {
                    lines.push(format!("  SHA-256       {}", sedge_broker::pin(&key)));
                }
                lines.push(format!("  --peer-key    {}", hex::encode(info)));
            }
            CertificateType::X509 => {
                lines.push(style.bold("certificate"));
                let facts = describe(&shown.entries);
                lines.extend(facts.iter().map(|(name, value)| format!("  {name:<12}  {value}")));
                lines.extend(verdict.faults.iter().map(|fault| format!("  {}", style.red(fault))));
            }
        }
    }
    if !verdict.alarms.is_empty() || !verdict.advice.is_empty() {
        lines.push(String::new());
    }
    lines.extend(verdict.alarms.iter().map(|alarm| format!("{} {alarm}", style.red("!"))));
    lines.extend(verdict.advice.iter().map(|advice| format!("{} {advice}", style.yellow("-"))));
    lines.join("\n")
}

/// What a server tells only those who have shown who they are.
const NOT_SHOWN: &str = "not shown to strangers";

fn properties(both: &[Option<&Of>; 2]) -> Vec<Vec<String>> {
    if both.iter().all(Option::is_none) {
        return Vec::new();
    }
    let row = |name: &str, value: &dyn Fn(&Of) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(both.iter().map(|of| of.map_or_else(|| "-".to_owned(), value)));
        cells
    };
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    vec![
        row("groups", &|of| match of.groups.as_slice() {
            [] => "none".into(),
            groups => groups.iter().map(|group| group_name(*group)).collect::<Vec<_>>().join(" "),
        }),
        row("shows", &|of| match of.shown.as_slice() {
            [] => "nothing".into(),
            shown => shown.iter().map(|shown| kind_name(shown.kind)).collect::<Vec<_>>().join(", "),
        }),
        row("asks clients for a certificate", &|of| yes(of.asks_for_certificate)),
        row("cookie before any state", &|of| of.cookie.map_or_else(|| "?".into(), yes)),
        row("sent per byte before that", &|of| {
            of.amplification.map_or_else(|| "?".into(), |factor| format!("{factor:.2}"))
        }),
        row("Connection ID", &|of| yes(of.connection_id)),
        row("return routability check", &|of| yes(of.return_routability)),
        row("record size limit", &|of| of.record_size_limit.map_or_else(|| NOT_SHOWN.into(), yes)),
        row("resumption", &|of| match of.resumed {
            Some(Traffic { sent_bytes, received_bytes, .. }) => {
                format!("{sent_bytes} B sent, {received_bytes} B received")
            }
            None => match of.resumes {
                Some(Resumes::ByTicket) => "by tickets".into(),
                Some(Resumes::ByIdentifier) => "by session identifiers".into(),
                Some(Resumes::Never) => "no".into(),
                None => NOT_SHOWN.into(),
            },
        }),
    ]
}

/// What the server has shown, once for each kind.
fn shown(findings: &Findings) -> Vec<&Shown> {
    let mut all: Vec<&Shown> = Vec::new();
    for shown in findings.dtls13.shown.iter().chain(&findings.dtls12.shown) {
        if all.iter().all(|known| known.kind != shown.kind) {
            all.push(shown);
        }
    }
    all
}

pub(super) fn in_json(uri: &str, server: SocketAddr, findings: &Findings, verdict: &Verdict) -> Json {
    json!({
        "server": uri,
        "address": server.to_string(),
        "handshakes": findings.attempts,
        "dtls_1_3": version_in_json(&findings.dtls13),
        "dtls_1_2": version_in_json(&findings.dtls12),
        "faults": verdict.faults,
        "alarms": verdict.alarms,
        "advice": verdict.advice,
    })
}

fn version_in_json(of: &Of) -> Json {
    if of.suites.is_empty() {
        return Json::Null;
    }
    let traffic = |bytes: &Traffic| json!({ "sent": bytes.sent_bytes, "received": bytes.received_bytes });
    let suite = |row: &super::Row| json!({ "name": row.suite.as_str(), "bytes": traffic(&row.bytes), "handshake": row.end });
    json!({
        "suites": of.suites.iter().map(suite).collect::<Json>(),
        "groups": of.groups.iter().map(|group| group_name(*group)).collect::<Vec<_>>(),
        "shows": of.shown.iter().map(shown_in_json).collect::<Json>(),
        "asks_for_certificate": of.asks_for_certificate,
        "admits_anonymous": of.lets_anonymous_in,
        "cookie": of.cookie,
        "amplification": of.amplification.map(|factor| (factor * 100.0).round() / 100.0),
        "connection_id": of.connection_id,
        "return_routability": of.return_routability,
        "record_size_limit": of.record_size_limit,
        "extended_master_secret": of.extended_master_secret,
        "tickets": of.resumes.map(|resumes| resumes == Resumes::ByTicket),
        "resumption": of.resumed.as_ref().map(traffic),
    })
}

fn shown_in_json(shown: &Shown) -> Json {
    let entries: Vec<String> = shown.entries.iter().map(|entry| hex::encode(entry)).collect();
    json!({ "kind": kind_name(shown.kind), "entries": entries })
}

const fn kind_name(kind: CertificateType) -> &'static str {
    match kind {
        CertificateType::X509 => "certificate",
        CertificateType::RawPublicKey => "raw public key",
    }
}

const fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::Secp256r1 => "secp256r1",
        NamedGroup::X25519 => "x25519",
    }
}
