//! `sedge status`: how a broker is.

use sedge_broker::admin::{AdminReply, AdminRequest, Status};
use sedge_crypto::subject_public_key_info;
use serde_json::{Map, Value as Json, json};

use crate::admin::{Which, unexpected};
use crate::codec::hex;
use crate::failure::Failure;
use crate::output::{self, Style, count};

const EXAMPLES: &str = "\
Examples:
    sedge status --data ./broker
    sedge status --as admin.toml --json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Show counters that stand at zero, too
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Status(status) = admin.call(AdminRequest::Status).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    output::line(if args.json { in_json(&status).to_string() } else { in_words(&status, args.all) })
}

fn in_words(status: &Status, all: bool) -> String {
    let style = Style::stdout();
    let mut lines = Vec::new();
    if status.running {
        lines.push(format!("{} for {}", style.green("running"), span(status.uptime)));
        lines.extend(status.listening.iter().map(|uri| format!("  {uri}")));
        lines.push(format!("devices authenticate by {}", status.auth.join(", ")));
    } else {
        lines.push(format!("{}; this is what its store holds", style.yellow("not running")));
    }
    lines.push(format!(
        "{}, {}, {}, {}",
        count(status.devices, "device"),
        count(status.topics, "topic"),
        count(status.sessions, "session"),
        count(status.observations, "observation"),
    ));
    if let Some(key) = &status.public_key {
        lines.push(format!("public key, SHA-256: {}", sedge_broker::pin(key)));
    }
    if let Some(failure) = &status.store_failure {
        lines.push(style.red(format!("the store does not work: {failure}")));
    }
    lines.extend(status.warnings.iter().map(|warning| format!("{} {warning}", style.yellow("!"))));
    let shown: Vec<_> = status.counters.iter().filter(|counter| all || counter.value > 0).collect();
    let width = shown.iter().map(|counter| counter.name.len()).max().unwrap_or(0);
    if !shown.is_empty() {
        lines.push(String::new());
    }
    lines.extend(shown.iter().map(|counter| format!("{:<width$}  {:>12}", counter.name, counter.value)));
    lines.join("\n")
}

fn in_json(status: &Status) -> Json {
    let counters: Map<String, Json> =
        status.counters.iter().map(|counter| (counter.name.clone(), json!(counter.value))).collect();
    json!({
        "running": status.running,
        "uptime_seconds": status.uptime,
        "listening": status.listening,
        "devices": status.devices,
        "topics": status.topics,
        "sessions": status.sessions,
        "observations": status.observations,
        "store_failure": status.store_failure,
        "warnings": status.warnings,
        "auth": status.auth,
        "public_key": status.public_key.as_ref().map(|key| hex::encode(&subject_public_key_info(key))),
        "pin": status.public_key.as_ref().map(sedge_broker::pin),
        "counters": counters,
    })
}

/// Seconds in the two largest units that fit.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
