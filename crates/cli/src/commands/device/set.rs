//! `sedge device set`: other rights for a device, while its sessions last.

use sedge_broker::admin::{AdminReply, AdminRequest, DeviceRights};

use super::{add, in_json, in_words};
use crate::admin::{Which, unexpected};
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge device set boiler-7 --role operator --data ./broker
    sedge device set boiler-7 --segment plant-b --as admin.toml
    sedge device set boiler-7 --publish 'site/7/#' --no-roles --no-segment --data ./broker

What is not given stays as it is; --publish and --subscribe together take the place of what the
device was granted itself. Its sessions go on, and observations that it may no longer have end.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The device's name
    name: String,
    /// Topics it may publish to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    publish: Vec<String>,
    /// Topics it may subscribe to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    subscribe: Vec<String>,
    /// It is granted nothing itself
    #[arg(long, conflicts_with_all = ["publish", "subscribe"])]
    no_grants: bool,
    /// A role that it has, in place of those it had; may be repeated
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    /// It has no roles
    #[arg(long, conflicts_with = "roles")]
    no_roles: bool,
    /// The segment that it is in
    #[arg(long, value_name = "NAME")]
    segment: Option<String>,
    /// It is in no segment
    #[arg(long, conflicts_with = "segment")]
    no_segment: bool,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let grants = match args.no_grants || !args.publish.is_empty() || !args.subscribe.is_empty() {
        true => Some(add::patterns(&args.publish, &args.subscribe)?),
        false => None,
    };
    let roles = (args.no_roles || !args.roles.is_empty()).then_some(args.roles);
    let segment = if args.no_segment { Some(String::new()) } else { args.segment };
    if grants.is_none() && roles.is_none() && segment.is_none() {
        return Err(Failure::usage("say what is to change: --publish, --subscribe, --role or --segment"));
    }
    let rights = DeviceRights { name: args.name, grants, roles, segment };
    let mut admin = args.which.connect().await?;
    let AdminReply::Device(device) = admin.call(AdminRequest::DeviceSet(rights)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    output::line(if args.json { in_json(&device).to_string() } else { in_words(&device) })
}
