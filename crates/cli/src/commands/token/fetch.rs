//! `sedge token request`: a token by client credentials, as a device gets it.

use std::path::PathBuf;

use sedge_access::Grants;
use sedge_ace::{ErrorCode, ErrorResponse, Scope, TokenRequest, TokenResponse};
use sedge_client::tokio::Address;
use sedge_client::{Code, ContentFormat, Credential, Request, Target};
use sedge_cose::cbor::Decoder;
use sedge_cose::{Confirmation, CoseKey, Material};
use serde_json::json;
use zeroize::Zeroizing;

use super::{ScopeArgs, scope_in_json, words};
use crate::commands::status::span;
use crate::connection::{self, As, CliClient};
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge token request --as boiler-7.toml
    sedge token request --as display.toml --subscribe 'site/7/#' --out evening.token.toml
    sedge token request --as display.toml --audience plant-b --broker coaps://plant-b.example --json

The token permits no more than the device itself may do.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    who: As,
    #[command(flatten)]
    scope: ScopeArgs,
    /// For which resource server [default: the authorisation server's own, or its only one]
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The URI of the broker that it is for [default: where the authorisation server is]
    #[arg(long, value_name = "URI")]
    broker: Option<String>,
    /// Where to write it [default: NAME.token.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show every message that goes over the wire
    #[arg(short, long)]
    verbose: bool,
}

/// A token that was got.
pub(crate) struct Fetched {
    /// With the token as identity, and the key that it is bound to.
    pub(crate) credential: Credential,
    /// The session that it was got over, by the client's own credential.
    pub(crate) authority: CliClient,
    expires_in: Option<u64>,
    /// What it permits.
    scope: Grants,
}

/// Which token.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// For what; everything that the client may do if not given.
    pub(crate) scope: Option<&'a Grants>,
    /// For which resource server; the authorisation server's own, or its only one, if not given.
    pub(crate) audience: Option<&'a str>,
    /// Where that is; where the authorisation server is if not given.
    pub(crate) broker: Option<&'a Address>,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let own = args.who.read()?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.token.toml", own.name)));
    if path.exists() {
        return Err(Failure::new(format!("{} exists: choose another file with --out", path.display())));
    }
    let scope = args.scope.grants()?;
    let broker = args.broker.as_deref().map(Address::parse).transpose().map_err(Failure::usage)?;
    let wanted =
        Wanted { scope: scope.as_ref(), audience: args.audience.as_deref(), broker: broker.as_ref() };
    let fetched = fetch(&args.who, &own, &wanted, args.verbose).await?;
    let Fetched { credential, mut authority, expires_in, scope } = fetched;
    authority.close().await;
    let cannot = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
    credential.write_new(&path).map_err(cannot)?;
    if args.json {
        let file = path.display().to_string();
        return output::line(json!({
            "scope": scope_in_json(&scope),
            "expires_in": expires_in,
            "broker": credential.broker,
            "file": file,
        }));
    }
    let until = expires_in.map_or_else(String::new, |seconds| format!(", for {}", span(seconds)));
    output::line(format_args!(
        "{} may, at {}{until}:\n    {}\n\nThe token is in {}; use it with --as.",
        credential.name,
        credential.broker,
        words(&scope).join("\n    "),
        path.display(),
    ))
}

/// Gets a token at the authorisation server that a client's own credential names.
pub(crate) async fn fetch(
    who: &As,
    own: &Credential,
    wanted: &Wanted<'_>,
    verbose: bool,
) -> Result<Fetched, Failure> {
    let mut client = connection::connect(own, None, &who.offer, verbose).await?;
    match ask(&mut client, own, wanted).await {
        Ok((credential, expires_in, scope)) => {
            Ok(Fetched { credential, authority: client, expires_in, scope })
        }
        Err(failure) => {
            client.close().await;
            Err(failure)
        }
    }
}

async fn ask(
    client: &mut CliClient,
    own: &Credential,
    wanted: &Wanted<'_>,
) -> Result<(Credential, Option<u64>, Grants), Failure> {
    let mut buffer = Zeroizing::new(vec![0; 1 << 16]);
    if wanted.broker.is_none() {
        let found = client.request(&Request::get(".well-known/core"), &mut buffer).await;
        let found = found.map_err(|error| connection::explain(&error))?;
        if found.code.is_success() && found.payload.is_empty() {
            return Err(Failure::usage(format!(
                "{} gives tokens and has no topics: say which broker the token is for with --broker \
                 coaps://HOST (to `sedge pub` and `sedge sub` by coaps://HOST/d/TOPIC)",
                own.broker
            )));
        }
    }
    let bytes = wanted.scope.map(Grants::to_scope);
    let asked = TokenRequest {
        audience: wanted.audience,
        scope: bytes.as_deref().map(Scope::Bytes),
        asks_for_profile: true,
        ..TokenRequest::default()
    };
    let mut body = vec![0; 256 + bytes.as_ref().map_or(0, Vec::len) + wanted.audience.map_or(0, str::len)];
    let body = asked.encode(&mut body)?;
    let request = Request {
        payload: body,
        content_format: Some(ContentFormat::ACE_CBOR),
        ..Request::new(Code::POST, Target::Path("token"))
    };
    let response =
        client.request(&request, &mut buffer).await.map_err(|error| connection::explain(&error))?;
    if response.code == Code::NOT_FOUND {
        return Err(Failure::new(format!(
            "there is no authorisation server at {}: [authority] enabled = true in its configuration",
            own.broker
        )));
    }
    if !response.code.is_success() {
        let reason = match ErrorResponse::decode(response.payload) {
            Ok(refused) => refused.error,
            Err(_) => {
                return Err(connection::refused(response.code, response.content_format, response.payload));
            }
        };
        let hint = match (reason, wanted.audience) {
            (ErrorCode::INVALID_REQUEST, None) => {
                "it has more than one resource server, or none: name one with --audience".to_owned()
            }
            (ErrorCode::INVALID_REQUEST, Some(name)) => {
                format!("there is no resource server `{name}`: `sedge authority add-rs {name}` enrols one")
            }
            _ => format!("`sedge device show {}` says what it may do", own.name),
        };
        return Err(Failure::new(format!("the authorisation server refuses: {reason} ({hint})")));
    }
    let given = TokenResponse::decode(response.payload)
        .map_err(|error| Failure::new(format!("the answer is no token: {error}")))?;
    let key = given.cnf.map(|cnf| Confirmation::read(&mut Decoder::new(cnf)));
    let Some(Ok(Confirmation::Key(CoseKey { material: Material::Symmetric { k: Some(key) }, .. }))) = key
    else {
        return Err(Failure::new("the answer holds no key to go with the token"));
    };
    let granted = match given.scope.or(asked.scope) {
        Some(Scope::Bytes(bytes)) => Grants::from_scope(bytes).unwrap_or_default(),
        _ => Grants::none(),
    };
    let broker = wanted.broker.map_or_else(|| own.broker.clone(), Address::to_string);
    let credential = Credential::psk(broker, own.name.clone(), given.access_token, key.to_vec());
    Ok((credential, given.expires_in, granted))
}
