//! `sedge topic`: topics and how they are set up.

use clap::Subcommand;
use sedge_broker::admin::{AdminReply, AdminRequest, Protection, TopicInfo, TopicSettings};
use sedge_client::ContentFormat;
use sedge_group::Cipher;
use serde_json::{Value as Json, json};

use crate::admin::{Which, unexpected};
use crate::codec::format;
use crate::failure::Failure;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge topic create site/7/temp --format senml+cbor --data ./broker
    sedge topic list --data ./broker
    sedge topic delete site/7/temp --as admin.toml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a topic (a first publish creates one, too, unless the configuration forbids it)
    Create(Create),
    /// List all topics
    #[command(after_help = "Example:\n    sedge topic list --data ./broker --json")]
    List(List),
    /// Show one topic
    #[command(after_help = "Example:\n    sedge topic show site/7/temp --data ./broker")]
    Show(One),
    /// Protect the values of a protected topic in another way, with a new key
    #[command(after_help = PROTECT_EXAMPLES)]
    Protect(Change),
    /// Delete a topic and its value; its subscribers are told
    #[command(after_help = "Example:\n    sedge topic delete site/7/temp --data ./broker")]
    Delete(One),
}

const PROTECT_EXAMPLES: &str = "\
Examples:
    sedge topic protect site/7/door --cipher A128GCM --data ./broker
    sedge topic protect site/7/door --sign true --as admin.toml

Members follow by themselves. What was published before stays as it was.";

const CREATE_EXAMPLES: &str = "\
Examples:
    sedge topic create site/7/temp --format senml+cbor --max-subscribers 20 --data ./broker
    sedge topic create site/7/valve --format text --initialize closed --durable --data ./broker
    sedge topic create site/7/door --protected --sign --data ./broker";

#[derive(Debug, clap::Args)]
#[command(after_help = CREATE_EXAMPLES)]
struct Create {
    /// The topic's name, its levels separated by /
    name: String,
    /// The only Content-Format that may be published: a number, or a name such as text or senml+cbor
    #[arg(long, value_name = "FORMAT", value_parser = format::parse)]
    format: Option<ContentFormat>,
    /// What the values are about
    #[arg(long = "type", value_name = "TEXT")]
    topic_type: Option<String>,
    /// The resource type in discovery [default: core.ps.data]
    #[arg(long, value_name = "TEXT")]
    resource_type: Option<String>,
    /// When the topic ends, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    expires: Option<u64>,
    /// The most subscribers at once
    #[arg(long, value_name = "NUMBER")]
    max_subscribers: Option<u32>,
    /// The longest time in seconds between two checks that a subscriber is still there
    #[arg(long, value_name = "SECONDS")]
    observer_check: Option<u32>,
    /// The value that the topic begins with; needs --format
    #[arg(long, value_name = "TEXT", requires = "format")]
    initialize: Option<String>,
    /// Acknowledge a publish only when it is on disk
    #[arg(long)]
    durable: bool,
    /// How many recent values are kept for subscribers that are behind
    #[arg(long, value_name = "NUMBER")]
    history: Option<u16>,
    /// Take encrypted values only, which the broker cannot read; --format is then the one of the values themselves
    #[arg(long, conflicts_with = "initialize")]
    protected: bool,
    /// Have publishers sign, so that subscribers know which of them it was
    #[arg(long, requires = "protected")]
    sign: bool,
    /// What values are encrypted with: AES-CCM-16-64-128, A128GCM or ChaCha20/Poly1305
    #[arg(long, value_name = "NAME", requires = "protected", value_parser = cipher)]
    cipher: Option<Cipher>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The topic's name
    name: String,
    /// What values are encrypted with from now on: AES-CCM-16-64-128, A128GCM or ChaCha20/Poly1305
    #[arg(long, value_name = "NAME", value_parser = cipher, required_unless_present = "sign")]
    cipher: Option<Cipher>,
    /// Whether publishers sign from now on
    #[arg(long, value_name = "true|false")]
    sign: Option<bool>,
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
    /// The topic's name
    name: String,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Create(args) => create(args).await,
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Protect(args) => protect(args).await,
        Command::Delete(args) => delete(args).await,
    }
}

async fn create(args: Create) -> Result<(), Failure> {
    let format = args.format.map(|format| format.0);
    let protection = args.protected.then(|| Protection {
        signed: args.sign.then_some(true),
        cipher: args.cipher.map(Cipher::to_cose),
        content_format: format,
    });
    let settings = TopicSettings {
        name: args.name.clone(),
        resource_type: args.resource_type,
        content_format: format.filter(|_| !args.protected),
        topic_type: args.topic_type,
        expiration: args.expires,
        max_subscribers: args.max_subscribers,
        observer_check: args.observer_check,
        initialize: args.initialize.map(String::into_bytes),
        durable: args.durable.then_some(true),
        history: args.history,
        protection,
    };
    let mut admin = args.which.connect().await?;
    let AdminReply::Topic(topic) = admin.call(AdminRequest::TopicCreate(settings)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        output::line(in_json(&topic))
    } else if args.protected {
        output::line(format_args!(
            "{} is created. It takes encrypted values only: `sedge pub --protect`.",
            args.name
        ))
    } else {
        output::line(format_args!("{} is created.", args.name))
    }
}

async fn list(args: List) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let page = |reply| if let AdminReply::Topics(page) = reply { Some(page) } else { None };
    let topics = admin.all(AdminRequest::TopicList, page).await?;
    admin.close().await;
    if args.json {
        return output::line(topics.iter().map(in_json).collect::<Json>());
    }
    let row = |topic: &TopicInfo| {
        let (value, published) = match &topic.value {
            Some(value) => (format!("{} B", value.bytes), output::date(value.published / 1000)),
            None => ("none yet".into(), "-".into()),
        };
        vec![topic.settings.name.clone(), topic.subscribers.to_string(), value, published]
    };
    let rows: Vec<_> = topics.iter().map(row).collect();
    output::line(output::table(Style::stdout(), &["NAME", "SUBSCRIBERS", "VALUE", "PUBLISHED"], &rows))
}

async fn show(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Topic(topic) = admin.call(AdminRequest::TopicShow(args.name)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(in_json(&topic));
    }
    let TopicInfo { settings, subscribers, value } = &topic;
    let number = |value: &Option<u32>, unit: &str| value.map(|value| format!("{value}{unit}"));
    let properties = [
        ("name", Some(settings.name.clone())),
        ("subscribers", Some(subscribers.to_string())),
        (
            "value",
            value.as_ref().map(|value| {
                let format = value.content_format.map(|format| format::describe(ContentFormat(format)));
                let format = format.map_or_else(String::new, |format| format!(", {format}"));
                format!("{} B{format}, {}", value.bytes, output::date(value.published / 1000))
            }),
        ),
        ("content format", settings.content_format.map(|format| format::describe(ContentFormat(format)))),
        ("topic type", settings.topic_type.clone()),
        ("resource type", settings.resource_type.clone()),
        ("expires", settings.expiration.map(output::date)),
        ("max subscribers", number(&settings.max_subscribers, "")),
        ("observer check", number(&settings.observer_check, " s")),
        ("durable", settings.durable.map(|durable| if durable { "yes" } else { "no" }.into())),
        ("history", settings.history.map(|history| history.to_string())),
        (
            "protected",
            settings.protection.as_ref().map(|_| "end to end: the broker cannot read its values".into()),
        ),
    ];
    let lines =
        properties.iter().filter_map(|(name, value)| Some(format!("{name:<15}  {}", value.as_ref()?)));
    output::line(lines.collect::<Vec<_>>().join("\n"))
}

async fn protect(args: Change) -> Result<(), Failure> {
    let protection =
        Protection { signed: args.sign, cipher: args.cipher.map(Cipher::to_cose), content_format: None };
    let mut admin = args.which.connect().await?;
    let AdminReply::Done = admin.call(AdminRequest::TopicProtect(args.name.clone(), protection)).await?
    else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(json!({ "rekeyed": args.name }));
    }
    output::line(format_args!("{} has a new key, and its members are told.", args.name))
}

async fn delete(args: One) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Done = admin.call(AdminRequest::TopicDelete(args.name.clone())).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(json!({ "deleted": args.name }));
    }
    output::line(format_args!("{} is deleted, and its subscribers are told.", args.name))
}

fn in_json(topic: &TopicInfo) -> Json {
    let TopicInfo { settings, subscribers, value } = topic;
    json!({
        "name": settings.name,
        "subscribers": subscribers,
        "content_format": settings.content_format,
        "topic_type": settings.topic_type,
        "resource_type": settings.resource_type,
        "expires": settings.expiration,
        "max_subscribers": settings.max_subscribers,
        "observer_check": settings.observer_check,
        "durable": settings.durable,
        "history": settings.history,
        "protected": settings.protection.is_some(),
        "value": value.as_ref().map(|value| json!({
            "content_format": value.content_format,
            "bytes": value.bytes,
            "published_ms": value.published,
        })),
    })
}

/// The cipher of this name in the registry of COSE.
fn cipher(name: &str) -> Result<Cipher, String> {
    let found = Cipher::ALL.into_iter().find(|cipher| cipher.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("known are {}", Cipher::ALL.map(Cipher::as_str).join(", ")))
}
