//! `sedge audit`: the record of who was granted, refused and changed what.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use sedge_audit::{Reader, Record, VerifyError, verify_with};
use sedge_broker::store::DataDir;
use serde_json::{Value as Json, json};

use crate::codec::hex;
use crate::failure::Failure;
use crate::output::{self, Style, count};

const EXAMPLES: &str = "\
Examples:
    sedge audit tail -f --data ./broker
    sedge audit verify --data ./broker
    sedge audit export --data ./broker > audit.jsonl";

const VERIFY: &str = "\
Each record is tied to the one before it by its hash, so that none can be changed, removed or
put in between without this being seen. That records were cut off at the end shows only to who
has kept the hash of a record (it is printed) elsewhere: --head looks for it.

Examples:
    sedge audit verify --data ./broker
    sedge audit verify --head 5d1f... --data ./broker

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
        after_help = "Examples:\n    sedge audit tail --data ./broker\n    sedge audit tail -n 0 -f --json --data ./broker"
    )]
    Tail(Tail),
    /// Check that nothing was changed, and name the first entry that was
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Print all entries as JSON, one a line
    #[command(after_help = "Example:\n    sedge audit export --data ./broker > audit.jsonl")]
    Export(Where),
}

#[derive(Debug, clap::Args)]
struct Where {
    /// The folder of a broker on this machine, running or not
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
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
    place: Where,
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
    place: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How often a log that is followed is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

impl Where {
    fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = DataDir::new(&self.data).audit();
        if folder.is_dir() {
            return Ok(folder);
        }
        let dir = self.data.display();
        Err(Failure::new(format!(
            "{dir} holds no audit log: a broker begins one when it starts there, unless audit.enabled is false"
        )))
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Tail(args) => tail(args).await,
        Command::Verify(args) => verify(args),
        Command::Export(place) => export(&place),
    }
}

async fn tail(args: Tail) -> Result<(), Failure> {
    let mut reader = Reader::new(&args.place.folder()?);
    let print = |record: &Record| {
        output::line(if args.json { in_json(record).to_string() } else { in_words(record) })
    };
    let mut latest = Vec::new();
    loop {
        let batch = reader.next_batch()?;
        if batch.is_empty() {
            break;
        }
        latest.extend(batch);
        latest.drain(..latest.len().saturating_sub(args.lines));
    }
    latest.iter().try_for_each(print)?;
    if !args.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(INTERVAL).await;
        reader.next_batch()?.iter().try_for_each(print)?;
    }
}

fn verify(args: Verify) -> Result<(), Failure> {
    let folder = args.place.folder()?;
    let wanted = match &args.head {
        Some(digits) => Some(hex::decode(digits).filter(|hash| hash.len() == 32).ok_or_else(|| {
            Failure::usage("--head takes the 64 hexadecimal digits that `sedge audit verify` printed")
        })?),
        None => None,
    };
    let mut found = None;
    let outcome = verify_with(&folder, |record, hash| {
        if wanted.as_deref() == Some(hash) {
            found = Some(record.number);
        }
    });
    let style = Style::stdout();
    let missing = wanted.is_some() && found.is_none();
    let (line, json) = match outcome {
        Err(VerifyError::Io(error)) => return Err(Failure::new(format!("{}: {error}", folder.display()))),
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

fn export(place: &Where) -> Result<(), Failure> {
    let mut reader = Reader::new(&place.folder()?);
    loop {
        let batch = reader.next_batch()?;
        if batch.is_empty() {
            return Ok(());
        }
        batch.iter().try_for_each(|record| output::line(in_json(record)))?;
    }
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
