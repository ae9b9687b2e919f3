//! `sedge token issue`: a token by an administrator's word.

use std::path::PathBuf;

use sedge_access::Grants;
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken};
use sedge_client::Credential;
use sedge_client::tokio::Address;
use sedge_x509::authority::public_key_of_file;
use serde_json::json;

use super::{ScopeArgs, in_json, words};
use crate::admin::{Which, unexpected};
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge token issue boiler-7 --data ./broker
    sedge token issue visitor --subscribe 'site/7/#' --for '15 min' --data ./broker
    sedge token issue fitter --role operator --for '8 h' --as admin.toml

A device's token permits what the device may do, unless --publish, --subscribe, --delete or
--role say what. Somebody who is not enrolled gets just that.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// To whom: a device, or any name
    name: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Everything that a role may do
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// How long it is good: `90 s`, `15 min`, `8 h`, `7 d` [default: as the broker is configured]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lifetime: Option<u64>,
    /// For which resource server [default: the broker itself]
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// How it is protected: encrypt0, mac0 or sign1 [default: as the broker is configured]
    #[arg(long, value_name = "FORMAT")]
    protection: Option<String>,
    /// Bind it to this public key, in PEM or DER, whose holder then shows it at /authz-info [default: a new key]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// The broker's URI as the bearer will reach it [default: as its administrator does]
    #[arg(long, value_name = "URI")]
    broker: Option<String>,
    /// Where to write it [default: NAME.token.toml, or NAME.cwt with --public-key]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let public_key = args.public_key.as_ref().map(|path| public_key(path)).transpose()?;
    let extension = if public_key.is_some() { "cwt" } else { "token.toml" };
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.{extension}", args.name)));
    if path.exists() {
        return Err(Failure::new(format!("{} exists: choose another file with --out", path.display())));
    }
    let mut scope = args.scope.grants()?;
    let mut admin = args.which.connect().await?;
    let AdminReply::Status(status) = admin.call(AdminRequest::Status).await? else {
        return Err(unexpected());
    };
    if status.has_no_topics && args.broker.is_none() && public_key.is_none() {
        return Err(Failure::usage(
            "this authorisation server has no topics: say which broker the token is for with --broker coaps://HOST",
        ));
    }
    let broker = match (&args.broker, admin.broker()) {
        (Some(uri), _) => Address::parse(uri).map_err(Failure::usage)?.to_string(),
        (None, Some(uri)) => uri.to_owned(),
        (None, None) => "coaps://localhost".to_owned(),
    };
    if let Some(role) = &args.role {
        let AdminReply::AccessRules(rules) = admin.call(AdminRequest::AccessShow).await? else {
            return Err(unexpected());
        };
        let found = rules.roles.iter().find(|found| found.name == *role);
        let found = found.ok_or_else(|| Failure::new(format!("there is no role `{role}`")))?;
        let asked = scope.unwrap_or_default();
        let all = asked.list().iter().chain(found.grants.list());
        scope = Some(all.cloned().collect::<Grants>());
    }
    let new = NewToken {
        subject: args.name.clone(),
        audience: args.audience.clone(),
        scope,
        lifetime: args.lifetime,
        not_before: None,
        format: args.protection.clone(),
        public_key,
    };
    let AdminReply::TokenIssued(issued) = admin.call(AdminRequest::TokenIssue(new)).await? else {
        return Err(unexpected());
    };
    admin.close().await;
    let cannot = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
    let how = match &issued.key {
        Some(key) => {
            let credential = Credential::psk(
                broker,
                issued.info.subject.clone(),
                issued.token.clone(),
                key.expose().to_vec(),
            );
            credential.write_new(&path).map_err(cannot)?;
            format!("use it with --as {}", path.display())
        }
        None => {
            std::fs::write(&path, &issued.token).map_err(cannot)?;
            format!(
                "its bearer shows it with\n    sedge coap post {broker}/authz-info --format 61 --file {} ...\n\
                 and connects with its key",
                path.display()
            )
        }
    };
    let info = &issued.info;
    if args.json {
        let mut json = in_json(info);
        json["file"] = json!(path.display().to_string());
        return output::line(json);
    }
    output::line(format_args!(
        "{} may, until {}:\n    {}\n\nToken {} is in {}; {how}.",
        info.subject,
        output::date(info.expires),
        words(&info.scope).join("\n    "),
        info.id,
        path.display(),
    ))
}

fn public_key(path: &std::path::Path) -> Result<sedge_client::PublicKey, Failure> {
    let file = std::fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    public_key_of_file(&file).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Seconds, from a number and its unit.
fn span(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "s" => 1,
        "min" | "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a time has a unit: `90 s`, `15 min`, `8 h`, `7 d`".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a time is a number with a unit: `15 min`".to_owned())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!((span("90 s"), span("15min"), span("8 h")), (Ok(90), Ok(900), Ok(28_800)));
        for wrong in ["", "90", "s", "-1 s", "0 s", "1 parsec"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
