//! `sedge ca`: a small CA, for devices that identify themselves with certificates.

mod explain;
mod issue;
mod passphrase;
mod show;

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Subcommand;
use rand_core::{Rng as _, UnwrapErr};
use sedge_crypto::RustCrypto;
use sedge_x509::Validity;
use sedge_x509::authority::{Authority, Issued, NewAuthority};
use serde_json::{Value as Json, json};

use self::passphrase::Choice;
use crate::failure::Failure;
use crate::output::{self, Style};

pub(crate) use self::explain::explain;
pub(crate) use self::passphrase::Unlock;

const EXAMPLES: &str = "\
Examples:
    sedge ca init ./ca
    sedge ca issue ./ca boiler-7 --client
    sedge ca issue ./ca broker.example --server
    sedge ca revoke ./ca boiler-7 && sedge ca crl ./ca";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up a CA in a new folder
    Init(Init),
    /// Issue a certificate to a device or a server, with a new key or for one it has
    Issue(issue::Args),
    /// Revoke what was issued
    #[command(after_help = "Example:\n    sedge ca revoke ./ca boiler-7")]
    Revoke(Revoke),
    /// Write a new list of what is revoked
    #[command(after_help = "Example:\n    sedge ca crl ./ca --days 7")]
    Crl(Crl),
    /// List what was issued
    #[command(after_help = "Example:\n    sedge ca list ./ca --json")]
    List(List),
    /// Show what is in a certificate
    #[command(after_help = "Example:\n    sedge ca show boiler-7.pem")]
    Show(show::Args),
}

const INIT_EXAMPLES: &str = "\
Examples:
    sedge ca init ./ca --name 'Plant 7 CA'
    sedge ca init ./ca --passphrase-file passphrase.txt --days 3650
    sedge ca init ./ca --no-passphrase

Who has the folder and the passphrase is the CA. Without a passphrase, the folder is enough.";

#[derive(Debug, clap::Args)]
#[command(after_help = INIT_EXAMPLES)]
struct Init {
    /// The folder the CA lives in: empty, or not there yet
    dir: PathBuf,
    /// The CA's name, which no other CA has; every certificate repeats it, so a short one saves bytes
    /// [default: `Sedge CA` and four digits]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// For how many days the CA is valid, and at most what it issues
    #[arg(long, value_name = "NUMBER", default_value_t = 7300, value_parser = days())]
    days: u32,
    #[command(flatten)]
    passphrase: Choice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The CA's folder
    dir: PathBuf,
    /// A serial number, or a name, which stands for everything issued to it
    #[arg(value_name = "SERIAL|NAME")]
    which: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Crl {
    /// The CA's folder
    dir: PathBuf,
    /// After how many days nobody believes the list any more, so that a new one is needed
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = days())]
    days: u32,
    #[command(flatten)]
    unlock: Unlock,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The CA's folder
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A hundred years are enough.
fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Init(args) => init(&args),
        Command::Issue(args) => issue::run(&args),
        Command::Revoke(args) => revoke(&args),
        Command::Crl(args) => crl(&args),
        Command::List(args) => list(&args),
        Command::Show(args) => show::run(&args),
    }
}

fn init(args: &Init) -> Result<(), Failure> {
    let passphrase = args.passphrase.take()?;
    let passphrase = passphrase.as_ref().map(|passphrase| passphrase.as_slice());
    let name = args.name.clone().unwrap_or_else(random_name);
    let new = NewAuthority { name: &name, validity: validity(now(), args.days), passphrase };
    let ca = Authority::create(&args.dir, &new, RustCrypto, &mut rng()).map_err(explain)?;
    let (certificate, key) = (ca.certificate_path(), ca.key_path());
    if args.json {
        return output::line(json!({
            "name": name,
            "certificate": certificate.display().to_string(),
            "key": key.display().to_string(),
            "encrypted": passphrase.is_some(),
            "not_after": new.validity.not_after,
            "bytes": ca.certificate().len(),
        }));
    }
    let style = Style::stdout();
    let dir = args.dir.display();
    let secret = match passphrase {
        Some(_) => "Its key is encrypted: keep the folder, and do not forget the passphrase.".to_owned(),
        None => format!("Whoever holds {} is the CA: keep it secret.", key.display()),
    };
    output::line(format_args!(
        "{} is set up in {dir}, until {}.\n{secret}\n\
         Who is to believe it needs {}.\nTry:\n    sedge ca issue {dir} boiler-7 --client",
        style.bold(&name),
        output::date(new.validity.not_after),
        style.bold(certificate.display()),
    ))
}

/// Peers who trust two CAs tell them apart by their names.
fn random_name() -> String {
    format!("Sedge CA {:04x}", rng().next_u32() >> 16)
}

fn revoke(args: &Revoke) -> Result<(), Failure> {
    let mut ca = Authority::open(&args.dir).map_err(explain)?;
    let revoked = ca.revoke(&args.which, now()).map_err(explain::in_folder(&args.dir))?;
    if args.json {
        return output::line(json!({ "revoked": revoked.iter().map(in_json).collect::<Json>() }));
    }
    let mut lines: Vec<String> =
        revoked.iter().map(|one| format!("{} is revoked: {}", one.serial, one.name)).collect();
    let dir = args.dir.display();
    lines.push(format!("Nobody knows until there is a new list: `sedge ca crl {dir}` writes it."));
    output::line(lines.join("\n"))
}

fn crl(args: &Crl) -> Result<(), Failure> {
    let passphrase = args.unlock.take(&args.dir)?;
    let mut ca = Authority::open(&args.dir).map_err(explain)?;
    let issuer = ca.unlock(RustCrypto, passphrase.as_ref().map(|text| text.as_slice())).map_err(explain)?;
    let (this_update, next_update) = (now(), now() + DAY * u64::from(args.days));
    let der = ca.write_crl(&issuer, this_update, next_update, &mut rng()).map_err(explain)?;
    let revoked = ca.issued().iter().filter(|issued| issued.revoked.is_some()).count() as u64;
    let path = ca.crl_path().display().to_string();
    if args.json {
        return output::line(json!({
            "crl": path,
            "revoked": revoked,
            "this_update": this_update,
            "next_update": next_update,
            "bytes": der.len(),
        }));
    }
    output::line(format_args!(
        "{path} lists {}. Who uses it needs another before {}.",
        output::count(revoked, "revoked certificate"),
        output::date(next_update)
    ))
}

fn list(args: &List) -> Result<(), Failure> {
    let ca = Authority::open(&args.dir).map_err(explain)?;
    if args.json {
        return output::line(ca.issued().iter().map(in_json).collect::<Json>());
    }
    let row = |issued: &Issued| {
        vec![
            issued.serial.to_string(),
            issued.name.clone(),
            issued.uses.join(" "),
            show::until(issued.validity.not_after),
            state(issued),
        ]
    };
    let rows: Vec<_> = ca.issued().iter().map(row).collect();
    output::line(output::table(Style::stdout(), &["SERIAL", "NAME", "FOR", "UNTIL", "STATE"], &rows))
}

fn state(issued: &Issued) -> String {
    match issued.revoked {
        Some(since) => format!("revoked {}", output::date(since)),
        None => show::state(&issued.validity, now()).to_owned(),
    }
}

fn in_json(issued: &Issued) -> Json {
    json!({
        "serial": issued.serial.to_string(),
        "name": issued.name,
        "uses": issued.uses,
        "not_before": issued.validity.not_before,
        "not_after": issued.validity.not_after,
        "revoked": issued.revoked,
    })
}

const DAY: u64 = 86_400;

/// From a little before now: not every clock is right.
pub(crate) fn validity(now: u64, days: u32) -> Validity {
    Validity { not_before: now.saturating_sub(3600), not_after: now + DAY * u64::from(days) }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(crate) fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}
