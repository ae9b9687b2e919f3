//! `sedge device`: who may connect, and what they may do.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::Key;
use sedge_broker::admin::{AdminReply, AdminRequest, After, DeviceInfo, NewDevice};
use sedge_client::Credential;
use sedge_client::tokio::Address;
use serde_json::{Value as Json, json};

use crate::admin::{Admin, Which, unexpected};
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge device add boiler-7 --publish 'site/7/#' --subscribe site/7/valve --data ./broker
    sedge device list --data ./broker
    sedge device remove boiler-7 --as admin.toml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enrol a device and write its credential file
    Add(Add),
    /// List all devices
    #[command(after_help = "Example:\n    sedge device list --data ./broker --json")]
    List(List),
    /// Show one device
    #[command(after_help = "Example:\n    sedge device show boiler-7 --data ./broker")]
    Show(One),
    /// Remove a device; its sessions end at once
    #[command(after_help = "Example:\n    sedge device remove boiler-7 --data ./broker")]
    Remove(One),
}

const ADD_EXAMPLES: &str = "\
Examples:
    sedge device add boiler-7 --publish 'site/7/#' --subscribe site/7/valve --data ./broker
    sedge device add display --subscribe 'site/+/temp' --broker coaps://broker.example --as admin.toml

In a pattern, `+` stands for one level of a topic's name and `#` for the rest.";

#[derive(Debug, clap::Args)]
#[command(after_help = ADD_EXAMPLES)]
struct Add {
    /// The device's name: letters, digits and . _ - : @
    name: String,
    /// Topics it may publish to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    publish: Vec<String>,
    /// Topics it may subscribe to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    subscribe: Vec<String>,
    /// Make it an administrator, who may do everything
    #[arg(long)]
    admin: bool,
    /// The broker's URI as the device will reach it [default: as its administrator does]
    #[arg(long, value_name = "URI")]
    broker: Option<String>,
    /// Where to write the credential [default: NAME.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The PSK identity, if it is not to be the name
    #[arg(long, value_name = "TEXT")]
    identity: Option<String>,
    /// A key that the device has already, in hexadecimal digits [default: 16 random bytes]
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct One {
    /// The device's name
    name: String,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Add(args) => add(args).await,
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Remove(args) => remove(args).await,
    }
}

async fn add(args: Add) -> Result<(), Failure> {
    let grants = grants(&args)?;
    let key = match &args.key {
        Some(digits) => Some(Key::from_hex(digits).map_err(Failure::usage)?),
        None => None,
    };
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
    let device = NewDevice {
        name: args.name.clone(),
        identity: args.identity.as_ref().map(|identity| identity.clone().into_bytes()),
        key,
        grants,
    };
    let AdminReply::Enrolled(info, key) = admin.call(AdminRequest::DeviceAdd(device)).await? else {
        return Err(unexpected());
    };
    let key = key.expose().to_vec();
    let credential = Credential::psk(broker, info.name.clone(), info.identity.clone(), key);
    if let Err(error) = credential.write_new(&path) {
        // A device whose key nobody has is of no use.
        undo(&mut admin, &info.name).await;
        return Err(Failure::new(format!("cannot write {}: {error}; nobody was enrolled", path.display())));
    }
    admin.close().await;
    if args.json {
        let credential = path.display().to_string();
        let mut json = in_json(&info);
        json["credential"] = json!(credential);
        return output::line(json);
    }
    output::line(enrolled(&args, &credential.broker, &path))
}

async fn undo(admin: &mut Admin, name: &str) {
    if admin.call(AdminRequest::DeviceRemove(name.into())).await.is_err() {
        eprintln!("sedge: {name} is enrolled all the same: `sedge device remove {name}` removes it");
    }
}

fn enrolled(args: &Add, broker: &str, path: &Path) -> String {
    let style = Style::stdout();
    let file = path.display();
    let mut lines = vec![
        format!(
            "{} is enrolled. Its credential is {}; keep it secret.",
            style.bold(&args.name),
            style.bold(&file)
        ),
        format!("It says that the broker is {broker}; --broker would have said otherwise."),
    ];
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

fn grants(args: &Add) -> Result<Grants, Failure> {
    if args.admin {
        return Ok(Grants::administrator());
    }
    if args.publish.is_empty() && args.subscribe.is_empty() {
        return Err(Failure::usage("say what the device may do with --publish or --subscribe"));
    }
    let publish = args.publish.iter().map(|text| (text, Permissions::PUBLISH));
    let subscribe = args.subscribe.iter().map(|text| (text, Permissions::READ));
    publish.chain(subscribe).try_fold(Grants::none(), |grants, (text, permissions)| {
        let pattern =
            TopicPattern::new(text).map_err(|error| Failure::usage(format!("`{text}`: {error}")))?;
        Ok(grants.with(pattern, permissions))
    })
}

async fn list(args: List) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let mut devices = Vec::new();
    let mut after = After::default();
    loop {
        let AdminReply::Devices(page) = admin.call(AdminRequest::DeviceList(after)).await? else {
            return Err(unexpected());
        };
        devices.extend(page.entries);
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    admin.close().await;
    if args.json {
        return output::line(devices.iter().map(in_json).collect::<Json>());
    }
    let row = |device: &DeviceInfo| {
        let topics = |permission| match patterns(device, permission) {
            _ if device.grants.is_administrator() => "everything".into(),
            patterns if patterns.is_empty() => "-".into(),
            patterns => patterns.join(" "),
        };
        vec![
            device.name.clone(),
            topics(Permissions::PUBLISH),
            topics(Permissions::READ),
            output::date(device.created),
        ]
    };
    let rows: Vec<_> = devices.iter().map(row).collect();
    output::line(output::table(Style::stdout(), &["NAME", "PUBLISHES", "SUBSCRIBES", "ENROLLED"], &rows))
}

async fn show(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Device(device) = admin.call(AdminRequest::DeviceShow(args.name)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(in_json(&device));
    }
    let mut lines = vec![
        format!("name      {}", device.name),
        format!("identity  {}", String::from_utf8_lossy(&device.identity)),
        format!("enrolled  {}", output::date(device.created)),
    ];
    if device.grants.is_administrator() {
        lines.push("may       everything: it is an administrator".into());
    }
    lines.extend(
        device.grants.list().iter().map(|grant| format!("may       {} {}", grant.permissions, grant.pattern)),
    );
    output::line(lines.join("\n"))
}

async fn remove(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Done = admin.call(AdminRequest::DeviceRemove(args.name.clone())).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(json!({ "removed": args.name }));
    }
    output::line(format_args!("{} is removed, and its sessions have ended.", args.name))
}

fn patterns(device: &DeviceInfo, permission: Permissions) -> Vec<String> {
    let grants = device.grants.list().iter().filter(|grant| grant.permissions.contains(permission));
    grants.map(|grant| grant.pattern.to_string()).collect()
}

fn in_json(device: &DeviceInfo) -> Json {
    json!({
        "name": device.name,
        "identity": String::from_utf8_lossy(&device.identity),
        "administrator": device.grants.is_administrator(),
        "publish": patterns(device, Permissions::PUBLISH),
        "subscribe": patterns(device, Permissions::READ),
        "enrolled": device.created,
    })
}
