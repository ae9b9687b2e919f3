//! `sedge role`: what roles grant, and who has them.

use clap::Subcommand;
use sedge_access::Role;
use sedge_broker::admin::{AdminReply, AdminRequest, DeviceInfo};
use serde_json::{Value as Json, json};

use super::access::{granted, grants_in_json};
use crate::admin::{Admin, Which, unexpected};
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge role list --data ./broker
    sedge role show operator --data ./broker
    sedge role who operator --as admin.toml --json

Roles stand in the broker's configuration, beside the segments and bridges that they are to be
read with, so that all rules are in one file that can be reviewed, versioned and tested before
they hold. To add or change one:

    [role.operator]
    publish = [\"site/+/valve\"]
    subscribe = [\"site/#\"]

    sedge access test who-may-what.csv --config broker.toml --data ./broker
    sedge access reload --data ./broker

Who has a role is said with the device: `sedge device add pump --role operator`, and
`sedge device set pump --role operator`.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the roles in force: what they grant, and to how many devices
    #[command(after_help = "Example:\n    sedge role list --data ./broker --json")]
    List(All),
    /// Show one role
    #[command(after_help = "Example:\n    sedge role show operator --data ./broker")]
    Show(One),
    /// List the devices that have a role
    #[command(after_help = "Example:\n    sedge role who operator --data ./broker")]
    Who(One),
    /// Roles are added in the configuration file
    #[command(hide = true, alias = "remove", alias = "set")]
    Add(Anything),
}

#[derive(Debug, clap::Args)]
struct All {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct One {
    /// The role's name
    role: String,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Who(args) => who(args).await,
        Command::Add(_) => Err(Failure::usage(
            "roles stand in the broker's configuration: change [role.NAME] there, and then `sedge access reload` \
             (`sedge role --help` shows how)",
        )),
    }
}

async fn list(args: All) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let (roles, devices) = (roles(&mut admin).await?, devices(&mut admin).await?);
    admin.close().await;
    if args.json {
        return output::line(roles.iter().map(|role| in_json(role, &devices)).collect::<Json>());
    }
    if roles.is_empty() {
        return output::line("There are no roles: `sedge role --help` shows how to add one.");
    }
    let row = |role: &Role| {
        let granted = granted(&role.grants).map(|(permissions, pattern)| format!("{permissions} {pattern}"));
        let number = holders(role, &devices).count();
        vec![role.name.clone(), number.to_string(), granted.collect::<Vec<_>>().join(", ")]
    };
    let rows: Vec<_> = roles.iter().map(row).collect();
    output::line(output::table(Style::stdout(), &["ROLE", "DEVICES", "MAY"], &rows))
}

async fn show(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let (role, devices) = (role(&mut admin, &args.role).await?, devices(&mut admin).await?);
    admin.close().await;
    if args.json {
        return output::line(in_json(&role, &devices));
    }
    let mut lines = vec![format!("role    {}", role.name)];
    lines.extend(
        granted(&role.grants).map(|(permissions, pattern)| format!("may     {permissions} {pattern}")),
    );
    lines.extend(holders(&role, &devices).map(|device| format!("device  {}", device.name)));
    output::line(lines.join("\n"))
}

async fn who(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let (role, devices) = (role(&mut admin, &args.role).await?, devices(&mut admin).await?);
    admin.close().await;
    if args.json {
        return output::line(holders(&role, &devices).map(|device| json!(device.name)).collect::<Json>());
    }
    let names: Vec<_> = holders(&role, &devices).map(|device| device.name.as_str()).collect();
    match names.is_empty() {
        // A script gets no line for nobody.
        true => {
            eprintln!("Nobody has this role: `sedge device set DEVICE --role {}` gives it.", role.name);
            Ok(())
        }
        false => output::line(names.join("\n")),
    }
}

async fn roles(admin: &mut Admin) -> Result<Vec<Role>, Failure> {
    match admin.call(AdminRequest::AccessShow).await? {
        AdminReply::AccessRules(rules) => Ok(rules.roles),
        _ => Err(unexpected()),
    }
}

async fn role(admin: &mut Admin, name: &str) -> Result<Role, Failure> {
    let found = roles(admin).await?.into_iter().find(|role| role.name == name);
    found.ok_or_else(|| {
        Failure::new(format!(
            "there is no role `{name}`: `sedge role list` shows all, and `sedge role --help` how to add one"
        ))
    })
}

async fn devices(admin: &mut Admin) -> Result<Vec<DeviceInfo>, Failure> {
    let page = |reply| if let AdminReply::Devices(page) = reply { Some(page) } else { None };
    admin.all(AdminRequest::DeviceList, page).await
}

fn holders<'a>(role: &'a Role, devices: &'a [DeviceInfo]) -> impl Iterator<Item = &'a DeviceInfo> {
    devices.iter().filter(|device| device.roles.contains(&role.name))
}

fn in_json(role: &Role, devices: &[DeviceInfo]) -> Json {
    json!({
        "name": role.name,
        "grants": grants_in_json(&role.grants),
        "devices": holders(role, devices).map(|device| json!(device.name)).collect::<Json>(),
    })
}
