//! What is wrong with a server's certificate.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use sedge_crypto::RustCrypto;
use sedge_x509::{Certificate, Error, Expected, GeneralName, PeerName, TrustAnchors, Verifier};

use crate::failure::Failure;
use crate::output;

/// Whom the user trusts.
pub(super) struct Authorities {
    anchors: Option<TrustAnchors>,
}

impl Authorities {
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        if files.is_empty() {
            return Ok(Self { anchors: None });
        }
        let mut anchors = TrustAnchors::default();
        for path in files {
            let in_file =
                |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
            let file = std::fs::read(path).map_err(|error| in_file(&error))?;
            anchors.add(&file).map_err(|error| in_file(&error))?;
        }
        Ok(Self { anchors: Some(anchors) })
    }
}

/// What is wrong with a certificate, in words.
pub(super) type Fault = String;

/// What is wrong with a chain, the server's own certificate first.
pub(super) fn faults(chain: &[Vec<u8>], host: &str, authorities: &Authorities) -> Vec<Fault> {
    let now = now();
    let first = chain.first().map(Vec::as_slice).unwrap_or_default();
    let certificate = match Certificate::parse(first) {
        Ok(certificate) => certificate,
        Err(error @ Error::UnsupportedAlgorithm) => {
            return vec![format!("{error}, which constrained devices cannot check")];
        }
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = Vec::new();
    if let Err(error) = certificate.validity().check(now) {
        let end = output::date(certificate.validity().not_after);
        faults.push(format!("{error} (it is good until {end})"));
    }
    if !is_for(&certificate, host) {
        faults.push(format!("it is not for `{host}`, but for {}", names(&certificate)));
    }
    if certificate.basic_constraints().ca {
        faults.push(Error::IsCa.to_string());
    }
    match &authorities.anchors {
        Some(anchors) => {
            let verifier = Verifier::new(RustCrypto, anchors.clone());
            let expected = Expected::server(PeerName::of_host(host));
            match verifier.verify(chain.iter().map(Vec::as_slice), &expected, now) {
                // Said already.
                Ok(_) | Err(Error::Expired | Error::NotYetValid | Error::WrongName | Error::IsCa) => {}
                Err(error) => faults.push(error.to_string()),
            }
        }
        None if certificate.issuer() == certificate.subject() => {
            faults.push("it is signed by itself: nobody vouches for it (--ca names who is trusted)".into());
        }
        None => {}
    }
    faults
}

/// What is worth knowing of a chain.
pub(super) fn describe(chain: &[Vec<u8>]) -> Vec<(&'static str, String)> {
    let bytes: usize = chain.iter().map(Vec::len).sum();
    let sizes: Vec<String> = chain.iter().map(|entry| entry.len().to_string()).collect();
    let mut lines = vec![("bytes", format!("{bytes} ({})", sizes.join(" + ")))];
    let first = chain.first().map(Vec::as_slice).unwrap_or_default();
    if let Ok(certificate) = Certificate::parse(first) {
        lines.push(("for", names(&certificate)));
        let issuer = certificate.issuer();
        lines
            .push(("issued by", issuer.common_name().unwrap_or("somebody without a common name").to_owned()));
        lines.push(("good until", output::date(certificate.validity().not_after)));
        lines.push(("key, SHA-256", sedge_broker::pin(certificate.public_key())));
    }
    lines
}

fn is_for(certificate: &Certificate<'_>, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    let is_same = |name: &str| {
        let wildcard = name.strip_prefix("*.").zip(host.split_once('.'));
        name.eq_ignore_ascii_case(host)
            || wildcard.is_some_and(|(suffix, (_, rest))| suffix.eq_ignore_ascii_case(rest))
    };
    match certificate.subject_alt_name() {
        Some(names) => names.iter().any(|name| match name {
            GeneralName::Dns(name) => address.is_none() && is_same(name),
            GeneralName::Ip(ip) => address == Some(ip),
            _ => false,
        }),
        None => certificate.subject().common_name().is_some_and(is_same),
    }
}

fn names(certificate: &Certificate<'_>) -> String {
    let others =
        certificate.subject_alt_name().into_iter().flat_map(|names| names.iter().collect::<Vec<_>>());
    let mut names: Vec<String> = others
        .filter_map(|name| match name {
            GeneralName::Dns(name) => Some(name.to_owned()),
            GeneralName::Ip(address) => Some(address.to_string()),
            GeneralName::Uri(uri) => Some(uri.to_owned()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        names.extend(certificate.subject().common_name().map(str::to_owned));
    }
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
