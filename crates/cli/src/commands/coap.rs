//! `sedge coap`: one request to any CoAP server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use sedge_client::tokio::Address;
use sedge_client::{Code, ContentFormat, Notification, OptionNumber, Request, Security, Target};
use sedge_coap::uri::{Host, Scheme, Uri};
use serde_json::json;

use crate::codec::{format, hex, value};
use crate::connection::{self, CliClient};
use crate::failure::Failure;
use crate::identity::{Identity, Offer};
use crate::interrupt::{interrupted, or_interrupted};
use crate::output;
use crate::trace::Tape;

const EXAMPLES: &str = "\
Examples:
    sedge coap get coap://[::1]/.well-known/core -v
    sedge coap put coaps://broker.example/d/site/7/temp 21.5 --as boiler-7.toml
    sedge coap fetch coaps://broker.example/ps --format core-pubsub --hex a1026c636f72652e70732e64617461 --as admin.toml
    sedge coap observe coaps://device.example/temp --identity me --key 00112233445566778899aabbccddeeff
    sedge coap get coaps://device.example/temp --auth rpk --key me.key.pem --peer-key 3059...8299 --version 1.3 -v
    sedge coap get coaps://device.example/temp --cert me.pem --key me.key.pem --ca ca.pem
    sedge coap get coaps://device.example/temp --auth none --ca ca.pem";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, Subcommand)]
enum Method {
    /// Read a resource
    #[command(after_help = "Example:\n    sedge coap get coap://[::1]/.well-known/core -v")]
    Get(Plain),
    /// Create or replace a resource
    #[command(after_help = "Example:\n    sedge coap put coap://[::1]/lamp on")]
    Put(WithBody),
    /// Have a resource process a body
    #[command(after_help = "Example:\n    sedge coap post coap://[::1]/jobs --format json '{\"run\":1}'")]
    Post(WithBody),
    /// Remove a resource
    #[command(after_help = "Example:\n    sedge coap delete coap://[::1]/jobs/1")]
    Delete(Plain),
    /// Read the parts of a resource that a body selects
    #[command(after_help = "Example:\n    sedge coap fetch coap://[::1]/ps --format cbor --hex 8100")]
    Fetch(WithBody),
    /// Change parts of a resource; twice does the same as once
    #[command(
        after_help = "Example:\n    sedge coap ipatch coap://[::1]/ps/1 --format core-pubsub --hex a10605"
    )]
    Ipatch(WithBody),
    /// Print a resource whenever it changes, until Ctrl-C
    #[command(after_help = "Example:\n    sedge coap observe coap://[::1]/time --count 3 -v")]
    Observe(Observe),
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct WithBody {
    #[command(flatten)]
    common: Common,
    /// The body
    #[arg(conflicts_with_all = ["hex", "file"], allow_negative_numbers = true)]
    body: Option<String>,
    /// The body in hexadecimal digits
    #[arg(long, value_name = "DIGITS", conflicts_with = "file")]
    hex: Option<String>,
    /// The body is what is in a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The body's Content-Format: a number, or a name such as text, json or cbor
    #[arg(long, value_name = "FORMAT", value_parser = format::parse)]
    format: Option<ContentFormat>,
}

#[derive(Debug, clap::Args)]
struct Observe {
    #[command(flatten)]
    common: Common,
    /// End after so many values
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// What is asked for: coap://HOST/PATH or coaps://HOST/PATH
    uri: String,
    #[command(flatten)]
    who: Identity,
    #[command(flatten)]
    offer: Offer,
    /// The only Content-Format wanted back
    #[arg(long, value_name = "FORMAT", value_parser = format::parse)]
    accept: Option<ContentFormat>,
    /// A further option: NUMBER=TEXT, or NUMBER=0xDIGITS; may be repeated
    #[arg(long = "option", value_name = "NUMBER=VALUE", value_parser = parse_option)]
    options: Vec<(OptionNumber, Vec<u8>)>,
    /// Send it non-confirmable: once, without acknowledgement
    #[arg(long)]
    non: bool,
    /// How many seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Show every message that goes over the wire
    #[arg(short, long)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The largest answer.
const BODY_MAX: usize = 16 << 20;

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let (code, common, body) = match args.method {
        Method::Observe(args) => return observe(args).await,
        Method::Get(args) => (Code::GET, args.common, Body::default()),
        Method::Delete(args) => (Code::DELETE, args.common, Body::default()),
        Method::Put(args) => with_body(Code::PUT, args)?,
        Method::Post(args) => with_body(Code::POST, args)?,
        Method::Fetch(args) => with_body(Code::FETCH, args)?,
        Method::Ipatch(args) => with_body(Code::IPATCH, args)?,
    };
    or_interrupted(request(code, &common, &body)).await
}

/// Sends one request and prints its answer.
async fn request(code: Code, common: &Common, body: &Body) -> Result<(), Failure> {
    let uri = parse_uri(&common.uri)?;
    let options = options(&uri, common);
    let borrowed: Vec<(OptionNumber, &[u8])> =
        options.iter().map(|(number, value)| (*number, value.as_slice())).collect();
    let request = Request {
        confirmable: !common.non,
        content_format: body.format,
        accept: common.accept,
        payload: &body.bytes,
        options: &borrowed,
        ..Request::new(code, Target::Path(""))
    };
    let mut client = connect(&uri, common).await?;
    let mut buffer = vec![0; BODY_MAX];
    let limit = Duration::from_secs(common.timeout);
    let answer = tokio::time::timeout(limit, client.request(&request, &mut buffer)).await;
    client.close().await;
    let Ok(answer) = answer else {
        return Err(Failure::new(format!("no answer within {} s: --timeout allows more", common.timeout)));
    };
    let response = answer.map_err(|error| connection::explain(&error))?;
    let (code, format, payload) = (response.code, response.content_format, response.payload);
    if common.json {
        print_json(Some(code), format, payload)?;
    } else if code.is_success() && !payload.is_empty() {
        output::line(value::display(format, payload))?;
    } else if code.is_success() {
        output::line(format_args!("{code} {}", code.name()))?;
    }
    match (code.is_success(), common.json) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::silent()),
        (false, false) => Err(connection::refused(code, format, payload)),
    }
}

async fn observe(args: Observe) -> Result<(), Failure> {
    let Observe { common, count } = args;
    if common.non || !common.options.is_empty() || common.accept.is_some() {
        return Err(Failure::usage("observe takes no --non, --option or --accept"));
    }
    let uri = parse_uri(&common.uri)?;
    let target = path_and_query(&uri)?;
    let mut client = or_interrupted(connect(&uri, &common)).await?;
    let limit = Duration::from_secs(common.timeout);
    let observing = tokio::time::timeout(limit, client.observe(Target::Path(&target)));
    let observed = tokio::select! {
        observed = observing => observed,
        () = interrupted() => return Err(Failure::interrupted()),
    };
    let Ok(observed) = observed else {
        return Err(Failure::new(format!("no answer within {} s: --timeout allows more", common.timeout)));
    };
    let observation = observed.map_err(|error| connection::explain(&error))?;
    let outcome = tokio::select! {
        outcome = follow(&mut client, &common, count) => outcome,
        () = interrupted() => Ok(()),
    };
    client.unsubscribe(observation).await;
    client.close().await;
    outcome
}

/// Prints values until there are enough of them.
async fn follow(client: &mut CliClient, common: &Common, count: Option<u64>) -> Result<(), Failure> {
    let mut buffer = vec![0; BODY_MAX];
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let next = client.next(&mut buffer).await.map_err(|error| connection::explain(&error))?;
        let Notification { content_format, payload, .. } = next;
        if common.json {
            print_json(None, content_format, payload)?;
        } else {
            output::line(value::display(content_format, payload))?;
        }
        seen += 1;
    }
    Ok(())
}

fn print_json(code: Option<Code>, format: Option<ContentFormat>, payload: &[u8]) -> Result<(), Failure> {
    let mut answer = json!({
        "content_format": format.map(|format| format.0),
        "bytes": payload.len(),
        "value": value::json(format, payload),
    });
    if let Some(code) = code {
        answer["code"] = json!(code.to_string());
    }
    output::line(answer)
}

/// What goes along with a request.
#[derive(Debug, Default)]
struct Body {
    bytes: Vec<u8>,
    format: Option<ContentFormat>,
}

fn with_body(code: Code, args: WithBody) -> Result<(Code, Common, Body), Failure> {
    let bytes = match (&args.file, &args.hex) {
        (Some(path), _) => std::fs::read(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?,
        (None, Some(digits)) => {
            hex::decode(digits).ok_or_else(|| Failure::usage("--hex takes pairs of hexadecimal digits"))?
        }
        (None, None) => args.body.unwrap_or_default().into_bytes(),
    };
    Ok((code, args.common, Body { bytes, format: args.format }))
}

fn parse_uri(text: &str) -> Result<Uri<'_>, Failure> {
    Uri::parse(text).map_err(|error| Failure::usage(format!("`{text}`: {error}")))
}

/// The options that the URI stands for, and those that were asked for, in order.
fn options(uri: &Uri<'_>, common: &Common) -> Vec<(OptionNumber, Vec<u8>)> {
    let mut options = Vec::new();
    if let Host::Name(name) = uri.host() {
        options.push((OptionNumber::URI_HOST, name.bytes().map(|byte| byte.to_ascii_lowercase()).collect()));
    }
    options.extend(uri.path().map(|segment| (OptionNumber::URI_PATH, segment.bytes().collect())));
    options.extend(uri.query().map(|argument| (OptionNumber::URI_QUERY, argument.bytes().collect())));
    options.extend(common.options.iter().cloned());
    options.sort_by_key(|(number, _)| *number);
    options
}

/// Path and query with nothing percent-encoded.
fn path_and_query(uri: &Uri<'_>) -> Result<String, Failure> {
    let decode = |parts: Vec<Vec<u8>>, separator| {
        let parts: Result<Vec<String>, _> = parts.into_iter().map(String::from_utf8).collect();
        parts.map(|parts| parts.join(separator)).map_err(|_| Failure::usage("the URI is not UTF-8"))
    };
    let path = decode(uri.path().map(|part| part.bytes().collect()).collect(), "/")?;
    let query = decode(uri.query().map(|part| part.bytes().collect()).collect(), "&")?;
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

async fn connect(uri: &Uri<'_>, common: &Common) -> Result<CliClient, Failure> {
    let address = Address::parse(&common.uri)?;
    let tape = Tape::new(address.secure, common.verbose);
    if uri.scheme() == Scheme::Coap {
        if common.who.is_given() {
            return Err(Failure::usage("credentials are only good for coaps://: coap:// protects nothing"));
        }
        return connection::connect_to(&address, Security::DangerousNone, &common.offer, tape).await;
    }
    let credential = common.who.credential(&common.uri, &address.host)?;
    connection::connect_to(&address, credential.security()?, &common.offer, tape).await
}

fn parse_option(text: &str) -> Result<(OptionNumber, Vec<u8>), String> {
    let wrong = || format!("`{text}` is not NUMBER=TEXT or NUMBER=0xDIGITS");
    let (number, value) = text.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    let value = match value.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).ok_or_else(wrong)?,
        None => value.as_bytes().to_vec(),
    };
    Ok((OptionNumber(number), value))
}
