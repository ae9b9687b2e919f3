//! `sedge token`: access tokens, for devices and for whoever is to be let in for a while.

mod fetch;
mod issue;
mod show;

use clap::Subcommand;
use sedge_access::{Grants, Permissions};
use sedge_broker::admin::{AdminReply, AdminRequest, TokenChoice, TokenInfo};
use serde_json::{Value as Json, json};

use crate::admin::{Which, unexpected};
use crate::failure::Failure;
use crate::output::{self, Style};

pub(crate) use fetch::{Fetched, Wanted, fetch};

const EXAMPLES: &str = "\
Examples:
    sedge token request --as boiler-7.toml
    sedge token issue visitor --subscribe 'site/7/#' --for '15 min' --data ./broker
    sedge sub site/7/temp --as visitor.token.toml
    sedge token show visitor.token.toml --data ./broker
    sedge token list --data ./broker
    sedge token revoke 5f0c9e2d4b8f3a6f --data ./broker

A token says who may do what with which topics, and until when. It is bound to a key, so that
whoever copies it has nothing; the file that `issue` and `request` write holds both, and every
command takes it with --as, like a device's credential.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a token to a device, or to anybody
    Issue(Box<issue::Args>),
    /// Get a token from the authorisation server with a device's own credential
    #[command(name = "request", visible_alias = "fetch")]
    Fetch(Box<fetch::Args>),
    /// Show what a token says, in CBOR diagnostic notation and in words
    Show(show::Args),
    /// List the tokens that are not over
    #[command(after_help = "Example:\n    sedge token list --data ./broker --json")]
    List(List),
    /// Take tokens back; what was permitted by them ends at once
    #[command(
        after_help = "Examples:\n    sedge token revoke 5f0c9e2d4b8f3a6f --data ./broker\n    sedge token revoke --of visitor --data ./broker"
    )]
    Revoke(Revoke),
    /// Replace the keys that protect tokens; those that are good stay good until they end
    #[command(after_help = "Example:\n    sedge token rotate --data ./broker")]
    Rotate(Rotate),
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
struct Revoke {
    /// The token's identifier, as `sedge token list` shows it
    #[arg(required_unless_present = "of", conflicts_with = "of")]
    id: Option<String>,
    /// All tokens that were issued to this name
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Rotate {
    #[command(flatten)]
    which: Which,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Issue(args) => issue::run(*args).await,
        Command::Fetch(args) => fetch::run(*args).await,
        Command::Show(args) => show::run(args).await,
        Command::List(args) => list(args).await,
        Command::Revoke(args) => revoke(args).await,
        Command::Rotate(args) => rotate(args).await,
    }
}

async fn list(args: List) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let page = |reply| if let AdminReply::Tokens(page) = reply { Some(page) } else { None };
    let tokens = admin.all(AdminRequest::TokenList, page).await?;
    admin.close().await;
    if args.json {
        return output::line(tokens.iter().map(in_json).collect::<Json>());
    }
    let now = super::ca::now();
    let row = |token: &TokenInfo| {
        let state = match token.revoked {
            true => "revoked",
            // Kept for a while after its end, where the clock may be wrong.
            false if token.expires <= now => "over",
            false => "good",
        };
        vec![
            token.id.clone(),
            token.subject.clone(),
            token.audience.clone(),
            words(&token.scope).join(", "),
            output::date(token.expires),
            state.into(),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    let heading = ["ID", "TO", "FOR", "MAY", "UNTIL", "STATE"];
    output::line(output::table(Style::stdout(), &heading, &rows))
}

async fn revoke(args: Revoke) -> Result<(), Failure> {
    let choice = match (args.id, args.of) {
        (Some(id), _) => TokenChoice::Id(id),
        (None, of) => TokenChoice::Subject(of.unwrap_or_default()),
    };
    let mut admin = args.which.connect().await?;
    let AdminReply::TokensRevoked(count) = admin.call(AdminRequest::TokenRevoke(choice)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    if args.json {
        return output::line(json!({ "revoked": count }));
    }
    output::line(format_args!(
        "{} revoked, and what was permitted by it has ended.",
        output::count(count, "token")
    ))
}

async fn rotate(args: Rotate) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::Done = admin.call(AdminRequest::KeysRotate).await? else { return Err(unexpected()) };
    admin.close().await;
    output::line("The keys are replaced. Tokens under the old ones stay good until they end.")
}

/// What a scope permits, pattern by pattern.
fn words(scope: &Grants) -> Vec<String> {
    scope.list().iter().map(|grant| format!("{} {}", grant.permissions, grant.pattern)).collect()
}

fn in_json(token: &TokenInfo) -> Json {
    json!({
        "id": token.id,
        "subject": token.subject,
        "audience": token.audience,
        "scope": scope_in_json(&token.scope),
        "issued": token.issued,
        "expires": token.expires,
        "format": token.format,
        "revoked": token.revoked,
    })
}

fn scope_in_json(scope: &Grants) -> Json {
    let names = [
        ("publish", Permissions::PUBLISH),
        ("read", Permissions::READ),
        ("delete", Permissions::DELETE),
        ("admin", Permissions::ADMIN),
    ];
    let entry = |grant: &sedge_access::Grant| {
        let held = names.iter().filter(|(_, bit)| grant.permissions.contains(*bit)).map(|(name, _)| *name);
        json!({ "topic": grant.pattern.to_string(), "permissions": held.collect::<Vec<_>>() })
    };
    scope.list().iter().map(entry).collect()
}

/// A scope as it is asked for on the command line.
#[derive(Debug, clap::Args)]
struct ScopeArgs {
    /// Topics that may be published to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    publish: Vec<String>,
    /// Topics that may be read and subscribed to; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    subscribe: Vec<String>,
    /// Topics whose value may be deleted; may be repeated
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    delete: Vec<String>,
}

impl ScopeArgs {
    /// The scope, if one is asked for.
    fn grants(&self) -> Result<Option<Grants>, Failure> {
        let parts = [
            (&self.publish, Permissions::PUBLISH),
            (&self.subscribe, Permissions::READ),
            (&self.delete, Permissions::DELETE),
        ];
        let mut grants = Grants::none();
        for (patterns, permissions) in parts {
            for text in patterns {
                let pattern = text.parse().map_err(|error| Failure::usage(format!("`{text}`: {error}")))?;
                grants = grants.with(pattern, permissions);
            }
        }
        Ok(Some(grants).filter(|grants| !grants.list().is_empty()))
    }
}
