//! `sedge sub`: values as they come.

use std::time::{Duration, SystemTime};

use sedge_client::{Code, Disconnect, Error, Notification};
use serde_json::json;

use crate::codec::value;
use crate::connection::{self, As, CliClient};
use crate::failure::Failure;
use crate::interrupt::{interrupted, or_interrupted};
use crate::output::{self, Style};
use crate::target::Target;

const EXAMPLES: &str = "\
Examples:
    sedge sub site/7/temp --as display.toml
    sedge sub site/7/temp site/8/temp --as display.toml --json
    sedge sub coaps://broker.example/d/site/7/temp --as display.toml --count 1 --timeout 60

It goes on until Ctrl-C, --count values or --timeout, whichever comes first, and
connects again by itself when the connection is lost.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The topics, or their URIs
    #[arg(required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    who: As,
    /// End after so many values
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End, with status 1, when no value has come for so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Print one JSON object per value
    #[arg(long)]
    json: bool,
    /// Show every message that goes over the wire
    #[arg(short, long)]
    verbose: bool,
}

/// The largest value: as much as a broker keeps by default, and then some.
const VALUE_MAX: usize = 1 << 20;

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut client = or_interrupted(subscribe(&args)).await?;
    let outcome = tokio::select! {
        outcome = follow(&args, &mut client) => outcome,
        () = interrupted() => Ok(()),
    };
    client.close().await;
    outcome
}

async fn subscribe(args: &Args) -> Result<CliClient, Failure> {
    let targets: Vec<Target> =
        args.topics.iter().map(|text| Target::parse(text)).collect::<Result<_, _>>()?;
    let mut brokers = targets.iter().filter_map(|target| target.broker.as_ref());
    let broker = brokers.next();
    if brokers.any(|other| Some(other) != broker) {
        return Err(Failure::usage("the topics are on different brokers: run `sedge sub` once for each"));
    }
    let credential = args.who.read()?;
    let mut client = connection::connect(&credential, broker, &args.who.offer, args.verbose).await?;
    for target in &targets {
        if let Err(error) = client.subscribe(&target.topic).await {
            client.close().await;
            return Err(cannot_subscribe(&credential.name, &target.topic, &error));
        }
    }
    Ok(client)
}

async fn follow(args: &Args, client: &mut CliClient) -> Result<(), Failure> {
    let mut buffer = vec![0; VALUE_MAX];
    let mut seen = 0;
    while args.count.is_none_or(|count| seen < count) {
        if next(args, client, &mut buffer).await? {
            seen += 1;
        }
    }
    Ok(())
}

/// Waits for a value and prints it; `false` if something else happened that is no reason to end.
async fn next(args: &Args, client: &mut CliClient, buffer: &mut [u8]) -> Result<bool, Failure> {
    let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
    let Ok(next) = tokio::time::timeout(limit, client.next(buffer)).await else {
        return Err(Failure::new(format!("no value has come for {} s", limit.as_secs())));
    };
    match next {
        Ok(notification) => {
            let topic = client.topic(notification.subscription).unwrap_or_default();
            print(args, topic, &notification)?;
            Ok(true)
        }
        Err(Error::Disconnected(reason @ (Disconnect::NotAccepted | Disconnect::HandshakeRefused(_)))) => {
            Err(Failure::new(format!("{reason}: was the device removed?")))
        }
        Err(Error::Disconnected(reason)) => {
            eprintln!("sedge: {reason}; connecting again");
            Ok(false)
        }
        Err(Error::Ended { code, .. }) => Err(Failure::new(format!("the subscription has ended: {code:?}"))),
        Err(error) => Err(connection::explain(&error)),
    }
}

fn print(args: &Args, topic: &str, notification: &Notification<'_>) -> Result<(), Failure> {
    let Notification { content_format, payload, .. } = *notification;
    if args.json {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        return output::line(json!({
            "topic": topic,
            "received": now.as_millis() as f64 / 1000.0,
            "content_format": content_format.map(|format| format.0),
            "bytes": payload.len(),
            "value": value::json(content_format, payload),
        }));
    }
    let style = Style::stdout();
    output::line(format_args!("{}  {}", style.cyan(topic), value::display(content_format, payload)))
}

fn cannot_subscribe(name: &str, topic: &str, error: &Error<std::io::Error>) -> Failure {
    match error {
        Error::Refused(Code::FORBIDDEN) => Failure::new(format!(
            "{name} may not read {topic} (4.03 Forbidden): `sedge device show {name}` shows what it may do"
        )),
        Error::Refused(code) => {
            Failure::new(format!("cannot subscribe to {topic}: the server answered {code:?}"))
        }
        other => connection::explain(other),
    }
}
