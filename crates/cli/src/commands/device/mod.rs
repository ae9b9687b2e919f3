//! `sedge device`: who may connect, and what they may do.

mod add;
mod issue;
mod set;

use clap::Subcommand;
use sedge_access::Permissions;
use sedge_broker::Login;
use sedge_broker::admin::{AdminReply, AdminRequest, DeviceInfo};
use serde_json::{Value as Json, json};

use crate::admin::{Which, unexpected};
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge device add boiler-7 --publish 'site/7/#' --subscribe site/7/valve --data ./broker
    sedge device add boiler-8 --auth rpk --publish 'site/8/#' --data ./broker
    sedge device list --data ./broker
    sedge device set boiler-7 --role operator --segment plant-a --data ./broker
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
    Add(Box<add::Args>),
    /// List all devices
    #[command(after_help = "Example:\n    sedge device list --data ./broker --json")]
    List(List),
    /// Show one device
    #[command(after_help = "Example:\n    sedge device show boiler-7 --data ./broker")]
    Show(One),
    /// Change what a device may do; its sessions go on
    Set(set::Args),
    /// Remove a device; its sessions end at once
    #[command(after_help = "Example:\n    sedge device remove boiler-7 --data ./broker")]
    Remove(One),
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
        Command::Add(args) => add::run(*args).await,
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Set(args) => set::run(args).await,
        Command::Remove(args) => remove(args).await,
    }
}

async fn list(args: List) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let page = |reply| if let AdminReply::Devices(page) = reply { Some(page) } else { None };
    let devices = admin.all(AdminRequest::DeviceList, page).await?;
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
            device.login.auth().as_str().into(),
            topics(Permissions::PUBLISH),
            topics(Permissions::READ),
            device.roles.join(" "),
            device.segment.clone().unwrap_or_default(),
            output::date(device.created),
        ]
    };
    let rows: Vec<_> = devices.iter().map(row).collect();
    output::line(output::table(
        Style::stdout(),
        &["NAME", "AUTH", "PUBLISHES", "SUBSCRIBES", "ROLES", "SEGMENT", "ENROLLED"],
        &rows,
    ))
}

async fn show(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Device(device) = admin.call(AdminRequest::DeviceShow(args.name)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    output::line(if args.json { in_json(&device).to_string() } else { in_words(&device) })
}

fn in_words(device: &DeviceInfo) -> String {
    let mut lines = vec![
        format!("name      {}", device.name),
        format!("{:<9} {}", shown(&device.login), device.login),
        format!("enrolled  {}", output::date(device.created)),
    ];
    if device.grants.is_administrator() {
        lines.push("may       everything: it is an administrator".into());
    }
    lines.extend(
        device.grants.list().iter().map(|grant| format!("may       {} {}", grant.permissions, grant.pattern)),
    );
    lines.extend(device.roles.iter().map(|role| format!("role      {role}")));
    lines.extend(device.segment.iter().map(|segment| format!("segment   {segment}")));
    if device.resource_server {
        lines.push(format!("takes     tokens for `{}`", device.name));
    }
    lines.join("\n")
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

/// What a device shows when it connects.
const fn shown(login: &Login) -> &'static str {
    match login {
        Login::Psk(_) => "identity",
        Login::PublicKey(_) => "pin",
        Login::Certificate(_) => "certificate",
    }
}

fn patterns(device: &DeviceInfo, permission: Permissions) -> Vec<String> {
    let grants = device.grants.list().iter().filter(|grant| grant.permissions.contains(permission));
    grants.map(|grant| grant.pattern.to_string()).collect()
}

fn in_json(device: &DeviceInfo) -> Json {
    json!({
        "name": device.name,
        "auth": device.login.auth().as_str(),
        shown(&device.login): device.login.to_string(),
        "administrator": device.grants.is_administrator(),
        "publish": patterns(device, Permissions::PUBLISH),
        "subscribe": patterns(device, Permissions::READ),
        "roles": device.roles,
        "segment": device.segment,
        "resource_server": device.resource_server,
        "enrolled": device.created,
    })
}
