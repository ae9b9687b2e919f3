//! `sedge audit`: the record of who was granted, refused and changed what.

mod source;

use std::time::Duration;

use clap::Subcommand;
use sedge_audit::{Record, VerifyError, verify_with};
use serde_json::{Value as Json, json};

use crate::admin::Which;
use crate::codec::hex;
use crate::failure::Failure;
use crate::output::{self, Style, count};
use source::Source;

const EXAMPLES: &str = "\
Examples:
    sedge audit tail -f --data ./broker
    sedge audit verify --as admin.toml
    sedge audit export --data ./broker > audit.jsonl";

const VERIFY: &str = "\
Each record is tied to the one before it by its hash, so that none can be changed, removed or
put in between without this being seen. That records were cut off at the end shows only to who
has kept the hash of a record (it is printed) elsewhere: --head looks for it.

A log of a broker elsewhere (--as) is fetched as it is, and checked here.

Examples:
    sedge audit verify --data ./broker
    sedge audit verify --head 5d1f... --as admin.toml

Exit status: 0 nothing was changed, 3 something was, 1 it could not be found out.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the latest entries
    #[command(
        after_help = "Examples:\n    sedge audit tail --data ./broker\n    sedge audit tail -n 0 -f --json --as admin.toml"
    )]
    Tail(Tail),
    /// Check that nothing was changed, and name the first entry that was
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Print all entries as JSON, one a line
    #[command(
        after_help = "Examples:\n    sedge audit export --data ./broker > audit.jsonl\n    sedge audit export --as admin.toml > audit.jsonl"
    )]
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Tail {
    /// How many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    lines: usize,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    which: Which,
    /// Print JSON, one entry a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Look for the record with this hash, which was printed some other day
    #[arg(long, value_name = "HEX")]
    head: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How often a log that is followed is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Tail(args) => tail(args).await,
        Command::Verify(args) => verify(args).await,
        Command::Export(args) => export(&args.which).await,
    }
}

async fn tail(args: Tail) -> Result<(), Failure> {
    let mut source = Source::open(&args.which).await?;
    source.skip_to_last(args.lines).await?;
    let mut print = |record: &Record| {
        output::line(if args.json { in_json(record).to_string() } else { in_words(record) })
    };
    source.each(&mut print).await?;
    if args.follow {
        loop {
            tokio::time::sleep(INTERVAL).await;
            source.each(&mut print).await?;
        }
    }
    source.close().await;
    Ok(())
}

async fn export(which: &Which) -> Result<(), Failure> {
    let mut source = Source::open(which).await?;
    source.each(&mut |record| output::line(in_json(record))).await?;
    source.close().await;
    Ok(())
}

async fn verify(args: Verify) -> Result<(), Failure> {
    let wanted = match &args.head {
        Some(digits) => Some(hex::decode(digits).filter(|hash| hash.len() == 32).ok_or_else(|| {
            Failure::usage("--head takes the 64 hexadecimal digits that `sedge audit verify` printed")
        })?),
        None => None,
    };
    let log = Source::open(&args.which).await?.on_disk().await?;
    let mut found = None;
    let outcome = verify_with(log.folder(), |record, hash| {
        if wanted.as_deref() == Some(hash) {
            found = Some(record.number);
        }
    });
    let style = Style::stdout();
    let missing = wanted.is_some() && found.is_none();
    let (line, json) = match outcome {
        Err(VerifyError::Io(error)) => {
            return Err(Failure::new(format!("{}: {error}", log.folder().display())));
        }
        Err(VerifyError::Broken(broken)) => (
            format!("{}: {broken}", style.red("changed")),
            json!({ "intact": false, "record": broken.record, "file": broken.file, "what": broken.what }),
        ),
        Ok(_) if missing => (
            format!(
                "{}: no record has this hash: the end was cut off, or it is of another log",
                style.red("changed")
            ),
            json!({ "intact": false, "what": "no record has the hash that was looked for" }),
        ),
        Ok(verified) => {
            let (records, files) = (count(verified.records, "record"), count(verified.files, "file"));
            let mut line = format!(
                "{}: {records} in {files}, from number {}\nhead {}",
                style.green("nothing was changed"),
                verified.first,
                hex::encode(&verified.head),
            );
            if let Some(number) = found {
                line.push_str(&format!("\nrecord {number} has the hash that was looked for"));
            }
            let json = json!({
                "intact": true,
                "records": verified.records,
                "files": verified.files,
                "first": verified.first,
                "head": hex::encode(&verified.head),
                "found": found,
            });
            output::line(if args.json { json.to_string() } else { line })?;
            return Ok(());
        }
    };
    output::line(if args.json { json.to_string() } else { line })?;
    Err(Failure::faults())
}

/// A record on one line, without what a terminal would obey.
fn in_words(record: &Record) -> String {
    let style = Style::stdout();
    let mut line = format!("{}  {}", style.dim(output::date(record.time / 1000)), style.bold(&record.kind));
    if let Some(subject) = record.subject.as_deref().filter(|subject| !subject.is_empty()) {
        line.push_str(&format!("  {}", plain(subject)));
    }
    if let Some(by) = &record.by {
        line.push_str(&format!("  by {}", plain(by)));
    }
    for (name, value) in record.details.iter().filter(|(_, value)| !value.is_empty()) {
        line.push_str(&format!("  {}={}", plain(name), plain(value)));
    }
    line
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn in_json(record: &Record) -> Json {
    json!({
        "number": record.number,
        "time": record.time,
        "date": output::date(record.time / 1000),
        "kind": record.kind,
        "by": record.by,
        "subject": record.subject,
        "details": record.details,
    })
}
