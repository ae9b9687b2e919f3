//! `sedge ca issue`: a certificate, with a new key or for one that is there.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sedge_crypto::{PublicKey, RustCrypto};
use sedge_x509::ExtendedKeyUsage;
use sedge_x509::authority::{
    AlternativeName, Authority, PrivateKey, Template, public_key_of_file, public_key_of_request, write_new,
    write_over,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::explain::explain;
use super::passphrase::Unlock;
use super::{days, in_json, now, rng, validity};
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge ca issue ./ca boiler-7 --client
    sedge ca issue ./ca broker.example --server --dns localhost --ip 192.0.2.1
    sedge ca issue ./ca boiler-8 --client --csr boiler-8.csr --out ./certificates

It writes NAME.pem, and NAME.key.pem if it makes the key. A device that makes its own key
and sends a request never lets it out of its hands: that is better, if the device can.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("side").required(true).multiple(true).args(["server", "client"]))]
pub(super) struct Args {
    /// The CA's folder
    dir: PathBuf,
    /// Whom it is for: a device's name or EUI-64, or a server's host name
    name: String,
    /// It may be a server, of this host name or address
    #[arg(long)]
    server: bool,
    /// It may be a client; a device is one
    #[arg(long)]
    client: bool,
    /// Another DNS name that it has; may be repeated
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    dns: Vec<String>,
    /// Another address that it has; may be repeated
    #[arg(long, value_name = "ADDR")]
    ip: Vec<IpAddr>,
    /// For how many days it is valid
    #[arg(long, value_name = "NUMBER", default_value_t = 730, value_parser = days())]
    days: u32,
    /// Its public key, in PEM or DER, instead of a new key
    #[arg(long, value_name = "FILE", conflicts_with = "csr")]
    public_key: Option<PathBuf>,
    /// A request for a certificate (PKCS#10) with its public key; nothing else of it counts
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// The folder to write to [default: the current one]
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    out: PathBuf,
    #[command(flatten)]
    unlock: Unlock,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (certificate_path, key_path) = paths(args)?;
    let given = given_key(args)?;
    let passphrase = args.unlock.take(&args.dir)?;
    let mut ca = Authority::open(&args.dir).map_err(explain)?;
    let issuer = ca.unlock(RustCrypto, passphrase.as_ref().map(|text| text.as_slice())).map_err(explain)?;
    // The key first: a certificate without one is of no use.
    let key = match given {
        Some(key) => key,
        None => new_key(&key_path)?,
    };
    let template = template(args);
    let der = match ca.issue(&issuer, &template, &key, &mut rng()) {
        Ok(der) => der,
        Err(error) => {
            if given.is_none() {
                // A key without a certificate is of no use either.
                let _removed = std::fs::remove_file(&key_path);
            }
            return Err(explain(error));
        }
    };
    let issued = ca.issued().last().ok_or_else(|| Failure::new("the CA forgot what it issued"))?;
    if let Err(error) = write_over(&certificate_path, sedge_x509::to_pem(&der).as_bytes()) {
        let (path, serial) = (certificate_path.display(), &issued.serial);
        return Err(Failure::new(format!(
            "cannot write {path}: {error}; `sedge ca revoke {} {serial}` revokes what was issued in vain",
            args.dir.display()
        )));
    }
    let certificate = certificate_path.display();
    if args.json {
        let mut json = in_json(issued);
        json["certificate"] = json!(certificate.to_string());
        json["key"] = json!(given.is_none().then(|| key_path.display().to_string()));
        json["bytes"] = json!(der.len());
        return output::line(json);
    }
    let style = Style::stdout();
    let mut lines = vec![format!(
        "{} has a certificate of {} bytes, until {}: {}",
        style.bold(&args.name),
        der.len(),
        output::date(issued.validity.not_after),
        style.bold(certificate)
    )];
    if given.is_none() {
        lines.push(format!("Its key is {}; keep it secret.", style.bold(key_path.display())));
    }
    output::line(lines.join("\n"))
}

/// Where the certificate and the key go; nothing that is there is written over.
fn paths(args: &Args) -> Result<(PathBuf, PathBuf), Failure> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    let mut stem: String = args.name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if stem.starts_with('.') {
        stem.insert(0, '_');
    }
    let paths = (args.out.join(format!("{stem}.pem")), args.out.join(format!("{stem}.key.pem")));
    let makes_key = args.public_key.is_none() && args.csr.is_none();
    for path in [Some(&paths.0), makes_key.then_some(&paths.1)].into_iter().flatten() {
        if path.exists() {
            return Err(Failure::new(format!("{} exists: choose another folder with --out", path.display())));
        }
    }
    Ok(paths)
}

fn given_key(args: &Args) -> Result<Option<PublicKey>, Failure> {
    let (path, key) = match (&args.public_key, &args.csr) {
        (Some(path), _) => (path, public_key_of_file(&read(path)?)),
        (None, Some(path)) => (path, public_key_of_request(&RustCrypto, &read(path)?)),
        (None, None) => return Ok(None),
    };
    let what = if args.csr.is_some() { "no request with a P-256 key" } else { "no P-256 public key" };
    key.map(Some).map_err(|_| Failure::new(format!("{}: there is {what} in it", path.display())))
}

fn new_key(path: &Path) -> Result<PublicKey, Failure> {
    let key = PrivateKey::generate(&RustCrypto, &mut rng())?;
    let pem: Zeroizing<String> = key.to_pem(&RustCrypto, None, &mut rng())?;
    write_new(path, pem.as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    Ok(key.public_key(&RustCrypto)?)
}

fn template(args: &Args) -> Template {
    let dns = args.dns.iter().cloned().map(AlternativeName::Dns);
    let mut names: Vec<_> = dns.chain(args.ip.iter().copied().map(AlternativeName::Ip)).collect();
    // Where names are listed the common name does not count: it has to be among them, and it comes first.
    if args.server || !names.is_empty() {
        let own = match (args.name.parse(), dns_name(&args.name)) {
            (Ok(address), _) => Some(AlternativeName::Ip(address)),
            (Err(_), Ok(name)) => Some(AlternativeName::Dns(name)),
            // A name that no host can have stays the common name.
            (Err(_), Err(_)) => None,
        };
        if let Some(own) = own {
            names.retain(|name| *name != own);
            names.insert(0, own);
        }
    }
    let template = Template::server(&args.name, names, validity(now(), args.days));
    let usage = match (args.server, args.client) {
        (true, true) => ExtendedKeyUsage::SERVER_AUTH | ExtendedKeyUsage::CLIENT_AUTH,
        (true, false) => ExtendedKeyUsage::SERVER_AUTH,
        (false, _) => ExtendedKeyUsage::CLIENT_AUTH,
    };
    Template { extended_key_usage: Some(usage), ..template }
}

/// Labels of letters, digits, `-` and `_`; the first may be `*`.
fn dns_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let is_right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(is_right)
    };
    let labels = text.strip_prefix("*.").unwrap_or(text);
    if text.len() <= 253 && labels.split('.').all(is_label) {
        Ok(text.to_owned())
    } else {
        Err("a DNS name has labels of letters, digits and -".into())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
