//! `sedge sub`: values as they come.

use std::time::{Duration, SystemTime};

use sedge_client::protected::{ProtectError, ProtectedValue, Received, Refusal};
use sedge_client::{Code, Disconnect, Error, Notification};
use sedge_group::OpenError;
use serde_json::json;

use crate::codec::value;
use crate::connection::{self, As, CliClient, Obtained};
use crate::failure::Failure;
use crate::interrupt::{interrupted, or_interrupted};
use crate::output::{self, Style};
use crate::protection::{self, Protect, Protection, Towards};
use crate::target::Target;

const EXAMPLES: &str = "\
Examples:
    sedge sub site/7/temp --as display.toml
    sedge sub site/7/temp site/8/temp --as display.toml --json
    sedge sub coaps://broker.example/d/site/7/temp --as display.toml --count 1 --timeout 60
    sedge sub site/7/door --as display.toml --protect

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
    #[command(flatten)]
    protect: Protect,
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
    let (mut client, mut protection) = or_interrupted(subscribe(&args)).await?;
    let outcome = tokio::select! {
        outcome = follow(&args, &mut client, protection.as_mut()) => outcome,
        () = interrupted() => Ok(()),
    };
    client.close().await;
    if let Some(protection) = &mut protection {
        protection.close().await;
    }
    outcome
}

async fn subscribe(args: &Args) -> Result<(CliClient, Option<Protection>), Failure> {
    let targets: Vec<Target> =
        args.topics.iter().map(|text| Target::parse(text)).collect::<Result<_, _>>()?;
    let mut brokers = targets.iter().filter_map(|target| target.broker.as_ref());
    let broker = brokers.next();
    if brokers.any(|other| Some(other) != broker) {
        return Err(Failure::usage("the topics are on different brokers: run `sedge sub` once for each"));
    }
    let Obtained { credential, own, authority } = args.who.obtain(broker, args.verbose).await?;
    let mut client = connection::connect(&credential, broker, &args.who.offer, args.verbose).await?;
    let topics = targets.iter().map(|target| target.topic.as_str());
    let towards = Towards { own: &own, authority };
    let mut protection = args.protect.open(topics, VALUE_MAX, &args.who, towards, args.verbose).await?;
    for Target { topic, .. } in &targets {
        let subscribed = match &mut protection {
            Some(protection) => {
                let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
                let mut protected = protection.over(&mut client);
                let subscribed = tokio::time::timeout(limit, protected.subscribe(topic)).await;
                subscribed.map_err(|_| nobody_protects(topic, limit))?
            }
            None => client.subscribe(topic).await.map_err(ProtectError::Client),
        };
        if let Err(error) = subscribed {
            client.close().await;
            return Err(match error {
                ProtectError::Client(error) => cannot_subscribe(&own.name, topic, &error),
                error => protection::explain(topic, &error),
            });
        }
    }
    Ok((client, protection))
}

async fn follow(
    args: &Args,
    client: &mut CliClient,
    mut protection: Option<&mut Protection>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; VALUE_MAX];
    let mut seen = 0;
    while args.count.is_none_or(|count| seen < count) {
        let came = match &mut protection {
            Some(protection) => next_protected(args, client, protection, &mut buffer).await?,
            None => next(args, client, &mut buffer).await?,
        };
        seen += u64::from(came);
    }
    Ok(())
}

/// As [`next`], with values that are protected.
async fn next_protected(
    args: &Args,
    client: &mut CliClient,
    protection: &mut Protection,
    buffer: &mut [u8],
) -> Result<bool, Failure> {
    let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
    let mut protected = protection.over(client);
    let Ok(next) = tokio::time::timeout(limit, protected.next(buffer)).await else {
        return Err(Failure::new(format!("no value has come for {} s", limit.as_secs())));
    };
    let value = match next {
        Ok(Received::Value(value)) => value,
        Ok(Received::Plain(_)) => return Ok(false),
        Ok(Received::Refused { subscription, reason }) => {
            let topic = client.topic(subscription).unwrap_or_default();
            let why = match reason {
                Refusal::Open(OpenError::UnknownKey(_)) => "; was it published before you joined?",
                Refusal::Plain => "; was the topic protected only now?",
                _ => "",
            };
            eprintln!("sedge: {topic}: a value was refused: {reason}{why}");
            return Ok(false);
        }
        Err(ProtectError::Client(error)) => return gone(&error),
        Err(error) => return Err(protection::explain("the keys", &error)),
    };
    let name = protected.groups().iter().find_map(|group| group.name_of(&value)).map(str::to_owned);
    let topic = client.topic(value.subscription).unwrap_or_default();
    print_protected(args, topic, &value, name.as_deref())?;
    Ok(true)
}

fn print_protected(
    args: &Args,
    topic: &str,
    value: &ProtectedValue<'_>,
    name: Option<&str>,
) -> Result<(), Failure> {
    let ProtectedValue { content_format, payload, sender, verified, generation, repeated, .. } = *value;
    if args.json {
        return output::line(json!({
            "topic": topic,
            "received": received(),
            "content_format": content_format.map(|format| format.0),
            "bytes": payload.len(),
            "value": value::json(content_format, payload),
            "sender": sender.to_string(),
            "member": name,
            "verified": verified,
            "generation": generation,
            "repeated": repeated,
        }));
    }
    let style = Style::stdout();
    let who = name.map_or_else(|| format!("sender {sender}"), str::to_owned);
    let verified = if verified { "verified" } else { "not verified" };
    let about = style.dim(format_args!("[{who}, {verified}, key {generation}]"));
    output::line(format_args!("{}  {}  {about}", style.cyan(topic), value::display(content_format, payload)))
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
        Err(error) => gone(&error),
    }
}

/// What happened instead of a value: `false` if it is no reason to end.
fn gone(error: &Error<std::io::Error>) -> Result<bool, Failure> {
    match error {
        Error::Disconnected(reason @ (Disconnect::NotAccepted | Disconnect::HandshakeRefused(_))) => {
            Err(Failure::new(format!("{reason}: was the device removed?")))
        }
        Error::Disconnected(reason) => {
            eprintln!("sedge: {reason}; connecting again");
            Ok(false)
        }
        Error::Ended { code: code @ Code::UNAUTHORIZED, .. } => Err(Failure::new(format!(
            "the subscription has ended: {code:?}: the token is over or was revoked (`sedge token request` gets \
             another)"
        ))),
        Error::Ended { code, .. } => Err(Failure::new(format!("the subscription has ended: {code:?}"))),
        error => Err(connection::explain(error)),
    }
}

/// The time, in seconds since 1970.
fn received() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as f64 / 1000.0
}

fn print(args: &Args, topic: &str, notification: &Notification<'_>) -> Result<(), Failure> {
    let Notification { content_format, payload, .. } = *notification;
    if args.json {
        return output::line(json!({
            "topic": topic,
            "received": received(),
            "content_format": content_format.map(|format| format.0),
            "bytes": payload.len(),
            "value": value::json(content_format, payload),
        }));
    }
    let style = Style::stdout();
    output::line(format_args!("{}  {}", style.cyan(topic), value::display(content_format, payload)))
}

fn nobody_protects(topic: &str, waited: Duration) -> Failure {
    Failure::new(format!(
        "{topic} has not become a protected topic within {} s: its first `sedge pub --protect` makes it one, or `sedge \
         topic create {topic} --protected`; --keys-from names another place where keys are given out",
        waited.as_secs()
    ))
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
