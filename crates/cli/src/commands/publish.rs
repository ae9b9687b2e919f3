//! `sedge pub`: one value to one topic.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use sedge_client::{ContentFormat, Request};

use crate::codec::format;
use crate::connection::{self, As, Obtained};
use crate::failure::Failure;
use crate::protection::{self, Protect, Towards};
use crate::target::Target;

const EXAMPLES: &str = "\
Examples:
    sedge pub site/7/temp --as boiler-7.toml 21.5
    sedge pub coaps://broker.example/d/site/7/temp --as boiler-7.toml 21.5
    date | sedge pub site/7/time --as boiler-7.toml -
    sedge pub site/7/picture --as boiler-7.toml --format 22 --file picture.jpg
    sedge pub site/7/door --as boiler-7.toml --protect open";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The topic, or its URI
    topic: String,
    /// The value; `-` reads it from standard input
    #[arg(required_unless_present = "file", conflicts_with = "file", allow_negative_numbers = true)]
    value: Option<String>,
    #[command(flatten)]
    who: As,
    #[command(flatten)]
    protect: Protect,
    /// Publish what is in a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The Content-Format: a number, or a name such as text, json or senml+cbor
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format::parse)]
    format: ContentFormat,
    /// Send it once and wait for nothing: it arrives or does not
    #[arg(long, conflicts_with = "protect")]
    non: bool,
    /// How many seconds to wait for the broker to acknowledge
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Show every message that goes over the wire
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let target = Target::parse(&args.topic)?;
    let payload = payload(&args)?;
    let Obtained { credential, own, authority } =
        args.who.obtain(target.broker.as_ref(), args.verbose).await?;
    let mut client =
        connection::connect(&credential, target.broker.as_ref(), &args.who.offer, args.verbose).await?;
    let topics = std::iter::once(target.topic.as_str());
    let towards = Towards { own: &own, authority };
    let opened = args.protect.open(topics, payload.len(), &args.who, towards, args.verbose).await?;
    if let Some(mut protection) = opened {
        let mut protected = protection.over(&mut client);
        let asked = protected.publish(&target.topic, args.format, &payload);
        let answer = tokio::time::timeout(Duration::from_secs(args.timeout), asked).await;
        client.close().await;
        protection.close().await;
        let published = answer.map_err(|_| not_acknowledged(args.timeout))?;
        return published.map_err(|error| protection::explain(&target.topic, &error));
    }
    if args.non {
        let sent = client.publish_once(&target.topic, args.format, &payload).await;
        sent.map_err(|error| connection::explain(&error))?;
        client.close().await;
        return Ok(());
    }
    let request = Request::publish(&target.topic, args.format, &payload);
    let mut buffer = [0; 1024];
    let asked = client.request(&request, &mut buffer);
    let answer = tokio::time::timeout(Duration::from_secs(args.timeout), asked).await;
    client.close().await;
    let answer = answer.map_err(|_| not_acknowledged(args.timeout))?;
    let response = answer.map_err(|error| connection::explain(&error))?;
    if response.code.is_success() {
        Ok(())
    } else {
        Err(connection::refused(response.code, response.content_format, response.payload))
    }
}

fn not_acknowledged(seconds: u64) -> Failure {
    Failure::new(format!(
        "the broker did not acknowledge within {seconds} s: the value may or may not have arrived"
    ))
}

fn payload(args: &Args) -> Result<Vec<u8>, Failure> {
    match (&args.file, args.value.as_deref()) {
        (Some(path), _) => std::fs::read(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display()))),
        (None, Some("-")) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
            Ok(bytes)
        }
        (None, value) => Ok(value.unwrap_or_default().as_bytes().to_vec()),
    }
}
