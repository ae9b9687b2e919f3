//! `sedge device add`: a new device, with a credential of one kind or another.

use std::path::{Path, PathBuf};

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::Key;
use sedge_broker::admin::{AdminReply, AdminRequest, DeviceInfo, NewDevice, Status};
use sedge_client::tokio::Address;
use sedge_client::{BrokerKey, Credential, Login, PublicKey};
use sedge_crypto::RustCrypto;
use sedge_x509::Certificate;
use sedge_x509::authority::{PrivateKey, public_key_of_file};
use serde_json::json;

use super::{in_json, issue};
use crate::admin::{Admin, Which, unexpected};
use crate::commands::ca::rng;
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge device add boiler-7 --publish 'site/7/#' --subscribe site/7/valve --data ./broker
    sedge device add display --subscribe 'site/+/temp' --broker coaps://broker.example --as admin.toml
    sedge device add boiler-8 --auth rpk --publish 'site/8/#' --data ./broker
    sedge device add boiler-9 --auth rpk --public-key boiler-9.pub.pem --publish 'site/9/#' --data ./broker
    sedge device add pump-3 --role operator --segment plant-a --data ./broker
    sedge device add meter-1 --auth cert --ca ./ca --publish 'site/1/#' --data ./broker
    sedge device add meter-2 --auth cert --cert-name 00-11-22-FF-FE-33-44-55 --publish 'site/2/#' --data ./broker

In a pattern, `+` stands for one level of a topic's name and `#` for the rest.

A device with --auth psk shares a key with the broker. One with --auth rpk has a private key
of its own, made here or, better, by itself (--public-key), and the broker knows the public
half. One with --auth cert has a certificate, from a CA that the broker's configuration
names (dtls.trust_anchors): issued here (--ca), or elsewhere.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The device's name: letters, digits and . _ - : @
    name: String,
    /// How it authenticates
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Auth::Psk)]
    auth: Auth,
    /// Topics it may publish to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    publish: Vec<String>,
    /// Topics it may subscribe to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    subscribe: Vec<String>,
    /// A role that it has, from the broker's configuration; may be repeated
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    /// The segment that it is in, from the broker's configuration
    #[arg(long, value_name = "NAME")]
    segment: Option<String>,
    /// Make it an administrator, who may do everything
    #[arg(long)]
    admin: bool,
    /// The broker's URI as the device will reach it [default: as its administrator does]
    #[arg(long, value_name = "URI")]
    broker: Option<String>,
    /// Where to write the credential [default: NAME.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// psk: the PSK identity, if it is not to be the name
    #[arg(long, value_name = "TEXT")]
    identity: Option<String>,
    /// psk: a key that the device has already, in hexadecimal digits [default: 16 random bytes]
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// rpk: the public key of a device that made its key itself, in PEM or DER [default: a new key]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// cert: the name in its certificate, if it is not NAME; its first DNS name, URI or common name
    #[arg(long, value_name = "TEXT")]
    cert_name: Option<String>,
    #[command(flatten)]
    issue: issue::Args,
    /// rpk, cert: the device knows the broker by its certificate, which the CA in this file has issued
    /// [default: by its public key]
    #[arg(long, value_name = "FILE")]
    broker_ca: Option<PathBuf>,
    /// rpk, cert: the name in the broker's certificate [default: the host in its URI]
    #[arg(long, value_name = "NAME", requires = "broker_ca")]
    broker_name: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    /// A pre-shared key
    Psk,
    /// A raw public key
    Rpk,
    /// A certificate
    Cert,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let grants = grants(&args)?;
    check(&args)?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", args.name)));
    if path.exists() {
        return Err(Failure::new(format!("{} exists: choose another file with --out", path.display())));
    }
    let mut admin = args.which.connect().await?;
    let broker = match (&args.broker, admin.broker()) {
        (Some(uri), _) => Address::parse(uri).map_err(Failure::usage)?.to_string(),
        (None, Some(uri)) => uri.to_owned(),
        (None, None) => "coaps://localhost".to_owned(),
    };
    let AdminReply::Status(status) = admin.call(AdminRequest::Status).await? else {
        return Err(unexpected());
    };
    let server = || broker_key(&args, &broker, &status);
    let (mut new, secret) = match args.auth {
        Auth::Psk => psk(&args)?,
        Auth::Rpk => rpk(&args, server)?,
        Auth::Cert => cert(&args, server)?,
    };
    new.grants = grants;
    new.roles.clone_from(&args.roles);
    new.segment.clone_from(&args.segment);
    let AdminReply::Enrolled(info, key) = admin.call(AdminRequest::DeviceAdd(new)).await? else {
        return Err(unexpected());
    };
    let login = match (secret, key) {
        (Secret::Psk { identity }, Some(key)) => {
            Some(Login::Psk { identity, key: key.expose().to_vec().into() })
        }
        (Secret::Psk { .. }, None) => return Err(unexpected()),
        (Secret::Made(login), _) => Some(login),
        (Secret::Elsewhere, _) => None,
    };
    let credential = login.map(|login| Credential { broker: broker.clone(), name: info.name.clone(), login });
    if let Some(Err(error)) = credential.as_ref().map(|credential| credential.write_new(&path)) {
        // A device whose key nobody has is of no use.
        undo(&mut admin, &info.name).await;
        return Err(Failure::new(format!("cannot write {}: {error}; nobody was enrolled", path.display())));
    }
    admin.close().await;
    let written = credential.is_some().then_some(path.as_path());
    if args.json {
        let mut json = in_json(&info);
        json["credential"] = json!(written.map(|path| path.display().to_string()));
        json["broker_pin"] = json!(status.public_key.as_ref().map(sedge_broker::pin));
        return output::line(json);
    }
    output::line(enrolled(&args, &info, &broker, &status, written))
}

/// Where the secret of a new device is.
enum Secret {
    /// The broker makes it.
    Psk { identity: Vec<u8> },
    /// It was made here.
    Made(Login),
    /// The device has it, and nobody else.
    Elsewhere,
}

fn psk(args: &Args) -> Result<(NewDevice, Secret), Failure> {
    let key = match &args.key {
        Some(digits) => Some(Key::from_hex(digits).map_err(Failure::usage)?),
        None => None,
    };
    let identity = args.identity.as_ref().unwrap_or(&args.name).clone().into_bytes();
    let new =
        NewDevice { name: args.name.clone(), identity: Some(identity.clone()), key, ..NewDevice::default() };
    Ok((new, Secret::Psk { identity }))
}

fn rpk(
    args: &Args,
    server: impl FnOnce() -> Result<BrokerKey, Failure>,
) -> Result<(NewDevice, Secret), Failure> {
    let (public_key, secret) = match &args.public_key {
        Some(path) => {
            let in_file = |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}", path.display()));
            let file = std::fs::read(path).map_err(|error| in_file(&error))?;
            let key = public_key_of_file(&file)
                .map_err(|_| in_file(&"there is no P-256 public key in it (PEM `PUBLIC KEY`, or DER)"))?;
            (key, Secret::Elsewhere)
        }
        None => {
            let key = PrivateKey::generate(&RustCrypto, &mut rng())?;
            let login = Login::PublicKey {
                private_key: Some(key.scalar().clone()),
                certificates: Vec::new(),
                server: server()?,
            };
            (key.public_key(&RustCrypto)?, Secret::Made(login))
        }
    };
    let new = NewDevice { name: args.name.clone(), public_key: Some(public_key), ..NewDevice::default() };
    Ok((new, secret))
}

fn cert(
    args: &Args,
    server: impl FnOnce() -> Result<BrokerKey, Failure>,
) -> Result<(NewDevice, Secret), Failure> {
    let name = args.cert_name.clone().unwrap_or_else(|| args.name.clone());
    let secret = match args.issue.ca() {
        None => Secret::Elsewhere,
        Some(dir) => {
            let server = server()?;
            let (key, certificate) = args.issue.issue(dir, &name)?;
            Secret::Made(Login::PublicKey {
                private_key: Some(key.scalar().clone()),
                certificates: certificate,
                server,
            })
        }
    };
    let new = NewDevice { name: args.name.clone(), certificate_name: Some(name), ..NewDevice::default() };
    Ok((new, secret))
}

/// By what the device will know the broker.
fn broker_key(args: &Args, broker: &str, status: &Status) -> Result<BrokerKey, Failure> {
    let Some(path) = &args.broker_ca else {
        let key = status.public_key.ok_or_else(|| {
            Failure::new("the broker has no public key yet: start it once, or name its CA with --broker-ca")
        })?;
        return Ok(BrokerKey::Key(key));
    };
    let in_file = |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}", path.display()));
    let file = std::fs::read(path).map_err(|error| in_file(&error))?;
    let certificates = sedge_x509::certificates(&file).map_err(|error| in_file(&error))?;
    let first = certificates.first().map(Vec::as_slice).unwrap_or_default();
    let key: PublicKey = *Certificate::parse(first).map_err(|error| in_file(&error))?.public_key();
    let server_name = match &args.broker_name {
        Some(name) => name.clone(),
        None => Address::parse(broker).map_err(Failure::usage)?.host,
    };
    Ok(BrokerKey::Issuer { key, server_name })
}

/// What does not belong together.
fn check(args: &Args) -> Result<(), Failure> {
    let options = [
        ("--identity", Auth::Psk, args.identity.is_some()),
        ("--key", Auth::Psk, args.key.is_some()),
        ("--public-key", Auth::Rpk, args.public_key.is_some()),
        ("--cert-name", Auth::Cert, args.cert_name.is_some()),
        ("--ca", Auth::Cert, args.issue.ca().is_some()),
    ];
    for (option, auth, is_given) in options {
        if is_given && auth != args.auth {
            let auth = format!("{auth:?}").to_lowercase();
            return Err(Failure::usage(format!("{option} goes with --auth {auth}")));
        }
    }
    if args.auth == Auth::Psk && args.broker_ca.is_some() {
        return Err(Failure::usage("--broker-ca is for devices without a pre-shared key"));
    }
    Ok(())
}

async fn undo(admin: &mut Admin, name: &str) {
    if admin.call(AdminRequest::DeviceRemove(name.into())).await.is_err() {
        eprintln!("sedge: {name} is enrolled all the same: `sedge device remove {name}` removes it");
    }
}

fn enrolled(
    args: &Args,
    info: &DeviceInfo,
    broker: &str,
    status: &Status,
    credential: Option<&Path>,
) -> String {
    let style = Style::stdout();
    let name = style.bold(&args.name);
    let mut lines = Vec::new();
    match credential {
        Some(path) => {
            let file = style.bold(path.display());
            lines.push(format!("{name} is enrolled. Its credential is {file}; keep it secret."));
            let server = if status.has_no_topics { "authorisation server" } else { "broker" };
            lines.push(format!("It says that the {server} is {broker}; --broker would have said otherwise."));
        }
        None => {
            let shown = super::shown(&info.login);
            lines.push(format!("{name} is enrolled, with the {shown} {}.", info.login));
            lines.push(format!("It has its private key itself. What it has to know of the broker {broker}:"));
            if let Some(key) = &status.public_key {
                let info = sedge_crypto::subject_public_key_info(key);
                lines.push(format!("    public key  {}", crate::codec::hex::encode(&info)));
                lines.push(format!("    its SHA-256 {}", sedge_broker::pin(key)));
            }
        }
    }
    if args.auth == Auth::Cert && status.running && !status.auth.iter().any(|auth| auth == "cert") {
        let ca = args.issue.ca().map_or_else(
            || "the CA's certificate".to_owned(),
            |dir| format!("\"{}\"", dir.join("ca.pem").display()),
        );
        lines.push(style.yellow(format_args!(
            "The broker believes no CA yet: name {ca} in dtls.trust_anchors of its configuration, and restart it."
        )));
    }
    let Some(file) = credential.map(Path::display) else { return lines.join("\n") };
    if status.has_no_topics {
        lines.push("It gets tokens there for brokers elsewhere:".into());
        lines.push(format!("    sedge token request --as {file} --broker coaps://BROKER"));
        return lines.join("\n");
    }
    let example = |patterns: &[String]| {
        let topic = patterns.first()?.replace('+', "1").replace('#', "example");
        Some(topic)
    };
    let publish = example(&args.publish).map(|topic| format!("    sedge pub {topic} --as {file} 21.5"));
    let subscribe = example(&args.subscribe).map(|topic| format!("    sedge sub {topic} --as {file}"));
    if publish.is_some() || subscribe.is_some() {
        lines.push("Try:".into());
    }
    lines.extend([subscribe, publish].into_iter().flatten());
    lines.join("\n")
}

fn grants(args: &Args) -> Result<Grants, Failure> {
    if args.admin {
        return Ok(Grants::administrator());
    }
    if args.publish.is_empty() && args.subscribe.is_empty() && args.roles.is_empty() {
        return Err(Failure::usage("say what the device may do with --publish, --subscribe or --role"));
    }
    patterns(&args.publish, &args.subscribe)
}

/// What these patterns grant.
pub(super) fn patterns(publish: &[String], subscribe: &[String]) -> Result<Grants, Failure> {
    let publish = publish.iter().map(|text| (text, Permissions::PUBLISH));
    let subscribe = subscribe.iter().map(|text| (text, Permissions::READ));
    publish.chain(subscribe).try_fold(Grants::none(), |grants, (text, permissions)| {
        let pattern =
            TopicPattern::new(text).map_err(|error| Failure::usage(format!("`{text}`: {error}")))?;
        Ok(grants.with(pattern, permissions))
    })
}
