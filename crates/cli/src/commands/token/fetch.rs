//! `sedge token fetch`: a token by client credentials, as a device gets it.

use std::path::PathBuf;

use sedge_access::Grants;
use sedge_ace::{ErrorResponse, Scope, TokenRequest, TokenResponse};
use sedge_client::{Code, ContentFormat, Credential, Request, Target};
use sedge_cose::cbor::Decoder;
use sedge_cose::{Confirmation, CoseKey, Material};
use serde_json::json;
use zeroize::Zeroizing;

use super::{ScopeArgs, scope_in_json, words};
use crate::connection::{self, As};
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge token fetch --as boiler-7.toml
    sedge token fetch --as display.toml --subscribe 'site/7/#' --out evening.token.toml
    sedge token fetch --as display.toml --audience plant-b --json

The token permits no more than the device itself may do.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    who: As,
    #[command(flatten)]
    scope: ScopeArgs,
    /// For which resource server [default: the authorisation server's own]
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
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
    expires_in: Option<u64>,
    /// What it permits.
    scope: Grants,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let own = args.who.read()?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.token.toml", own.name)));
    if path.exists() {
        return Err(Failure::new(format!("{} exists: choose another file with --out", path.display())));
    }
    let scope = args.scope.grants()?;
    let fetched = fetch_with(&args.who, &own, scope.as_ref(), args.audience.as_deref(), args.verbose).await?;
    let Fetched { credential, expires_in, scope } = fetched;
    let cannot = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
    credential.write_new(&path).map_err(cannot)?;
    if args.json {
        let file = path.display().to_string();
        return output::line(
            json!({ "scope": scope_in_json(&scope), "expires_in": expires_in, "file": file }),
        );
    }
    let until = expires_in.map_or_else(String::new, |seconds| format!(", for {seconds} s"));
    output::line(format_args!(
        "{} may{until}:\n    {}\n\nThe token is in {}; use it with --as.",
        credential.name,
        words(&scope).join("\n    "),
        path.display(),
    ))
}

/// Gets a token for everything that `own` may do, at the broker of that credential.
pub(crate) async fn fetch(who: &As, own: &Credential, verbose: bool) -> Result<Credential, Failure> {
    Ok(fetch_with(who, own, None, None, verbose).await?.credential)
}

async fn fetch_with(
    who: &As,
    own: &Credential,
    scope: Option<&Grants>,
    audience: Option<&str>,
    verbose: bool,
) -> Result<Fetched, Failure> {
    let bytes = scope.map(Grants::to_scope);
    let asked = TokenRequest {
        audience,
        scope: bytes.as_deref().map(Scope::Bytes),
        asks_for_profile: true,
        ..TokenRequest::default()
    };
    let mut body = vec![0; 256 + bytes.as_ref().map_or(0, Vec::len) + audience.map_or(0, str::len)];
    let body = asked.encode(&mut body)?;
    let request = Request {
        payload: body,
        content_format: Some(ContentFormat::ACE_CBOR),
        ..Request::new(Code::POST, Target::Path("token"))
    };
    let mut client = connection::connect(own, None, &who.offer, verbose).await?;
    let mut buffer = Zeroizing::new(vec![0; 1 << 16]);
    let outcome = client.request(&request, &mut buffer).await;
    client.close().await;
    let response = outcome.map_err(|error| connection::explain(&error))?;
    if response.code == Code::NOT_FOUND {
        return Err(Failure::new(
            "there is no authorisation server there: [authority] enabled = true in its configuration",
        ));
    }
    if !response.code.is_success() {
        let reason = match ErrorResponse::decode(response.payload) {
            Ok(refused) => refused.error.to_string(),
            Err(_) => {
                return Err(connection::refused(response.code, response.content_format, response.payload));
            }
        };
        return Err(Failure::new(format!(
            "the authorisation server refuses: {reason} (`sedge device show {}` says what it may do)",
            own.name
        )));
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
    let credential = Credential::psk(own.broker.clone(), own.name.clone(), given.access_token, key.to_vec());
    Ok(Fetched { credential, expires_in: given.expires_in, scope: granted })
}
