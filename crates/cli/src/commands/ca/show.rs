//! `sedge ca show`: a certificate in plain words.

use std::path::PathBuf;

use sedge_crypto::{Crypto as _, Hash as _, RustCrypto};
use sedge_x509::{Certificate, Error, ExtendedKeyUsage, GeneralName, KeyUsage, Name, Validity};
use serde_json::{Value as Json, json};

use super::now;
use crate::codec::hex;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file of certificates, in PEM or DER
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = args.file.display();
    let in_file = |what: &dyn std::fmt::Display| Failure::new(format!("{path}: {what}"));
    let file = std::fs::read(&args.file).map_err(|error| in_file(&error))?;
    let found = sedge_x509::certificates(&file).map_err(|error| in_file(&error))?;
    let certificates: Result<Vec<_>, Error> = found.iter().map(|der| Certificate::parse(der)).collect();
    let certificates = certificates.map_err(|error| in_file(&error))?;
    if args.json {
        return output::line(certificates.iter().map(in_json).collect::<Json>());
    }
    output::line(certificates.iter().map(in_words).collect::<Vec<_>>().join("\n\n"))
}

/// Whether it can be used at this time.
pub(super) fn state(validity: &Validity, now: u64) -> &'static str {
    match validity.check(now) {
        Err(Error::NotYetValid) => "not yet valid",
        Err(_) => "expired",
        Ok(()) => "valid",
    }
}

pub(super) fn until(not_after: u64) -> String {
    if not_after >= Validity::WITHOUT_END { "without end".into() } else { output::date(not_after) }
}

fn in_words(certificate: &Certificate<'_>) -> String {
    let validity = certificate.validity();
    let from = output::date(validity.not_before);
    let mut lines = vec![
        format!("subject  {}", name(certificate.subject())),
        format!("issuer   {}{}", name(certificate.issuer()), own(certificate)),
        format!("serial   {}", hex::encode(certificate.serial())),
        format!("valid    {from} until {} ({})", until(validity.not_after), state(&validity, now())),
    ];
    lines.extend(names(certificate).map(|(kind, name)| format!("name     {name} ({kind})")));
    lines.push(format!("for      {}", uses(certificate)));
    lines.push("key      P-256, signed with ECDSA and SHA-256".into());
    lines.push(format!("SHA-256  {}", hex::encode(&fingerprint(certificate))));
    lines.push(format!("size     {} bytes", certificate.as_der().len()));
    lines.join("\n")
}

fn in_json(certificate: &Certificate<'_>) -> Json {
    let constraints = certificate.basic_constraints();
    let names: Vec<Json> =
        names(certificate).map(|(kind, name)| json!({ "kind": kind, "name": name })).collect();
    let sides = [(ExtendedKeyUsage::SERVER_AUTH, "server"), (ExtendedKeyUsage::CLIENT_AUTH, "client")];
    let uses: Vec<&str> =
        sides.iter().filter(|(side, _)| allows(certificate, *side)).map(|(_, name)| *name).collect();
    json!({
        "subject": certificate.subject().common_name(),
        "issuer": certificate.issuer().common_name(),
        "serial": hex::encode(certificate.serial()),
        "not_before": certificate.validity().not_before,
        "not_after": certificate.validity().not_after,
        "state": state(&certificate.validity(), now()),
        "names": names,
        "ca": constraints.ca,
        "path_len": constraints.path_len,
        "uses": uses,
        "public_key": hex::encode(certificate.public_key().as_bytes()),
        "sha256": hex::encode(&fingerprint(certificate)),
        "bytes": certificate.as_der().len(),
    })
}

/// What others have written is not to reach a terminal as it is.
fn name(name: Name<'_>) -> String {
    match name.common_name() {
        Some(text) => text.escape_debug().to_string(),
        None if name.is_empty() => "-".into(),
        None => format!("{} bytes without a common name", name.as_der().len()),
    }
}

fn own(certificate: &Certificate<'_>) -> &'static str {
    let is_own = certificate.verify_signature(&RustCrypto, certificate.public_key()).is_ok();
    if is_own { " (signed by itself)" } else { "" }
}

fn names<'a>(certificate: &Certificate<'a>) -> impl Iterator<Item = (&'static str, String)> + use<'a> {
    let names = certificate.subject_alt_name().into_iter().flat_map(|names| names.iter());
    names.map(|name| match name {
        GeneralName::Dns(name) => ("DNS", name.escape_debug().to_string()),
        GeneralName::Uri(uri) => ("URI", uri.escape_debug().to_string()),
        GeneralName::Ip(address) => ("IP", address.to_string()),
        _ => ("other", "-".into()),
    })
}

fn uses(certificate: &Certificate<'_>) -> String {
    let constraints = certificate.basic_constraints();
    if constraints.ca {
        return match constraints.path_len {
            None => "a CA, with any number of CAs below".into(),
            Some(0) => "a CA, with none below".into(),
            Some(most) => format!("a CA, with at most {most} below one another"),
        };
    }
    let sides = (
        allows(certificate, ExtendedKeyUsage::SERVER_AUTH),
        allows(certificate, ExtendedKeyUsage::CLIENT_AUTH),
    );
    match sides {
        (true, true) => "servers and clients",
        (true, false) => "servers",
        (false, true) => "clients",
        (false, false) => "neither servers nor clients",
    }
    .into()
}

fn allows(certificate: &Certificate<'_>, side: ExtendedKeyUsage) -> bool {
    let signs = certificate.key_usage().is_none_or(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE));
    let is_side = |usage: ExtendedKeyUsage| usage.contains(side) || usage.contains(ExtendedKeyUsage::ANY);
    !certificate.basic_constraints().ca && signs && certificate.extended_key_usage().is_none_or(is_side)
}

fn fingerprint(certificate: &Certificate<'_>) -> [u8; 32] {
    let mut hash = RustCrypto.sha256();
    hash.update(certificate.as_der());
    hash.finish()
}
