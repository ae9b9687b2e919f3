//! `sedge token show`: what a token says.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sedge_access::Grants;
use sedge_ace::TokenHash;
use sedge_broker::admin::{AdminReply, AdminRequest};
use sedge_client::{Credential, Login};
use sedge_cose::cbor::Diagnostic;
use sedge_cose::{Algorithm, Claims, Confirmation, Material, Message, Scope, SymmetricKey};
use sedge_crypto::RustCrypto;
use serde_json::{Value as Json, json};

use super::{scope_in_json, words};
use crate::admin::{Which, unexpected};
use crate::codec::hex;
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
    sedge token show visitor.token.toml
    sedge token show visitor.token.toml --data ./broker
    sedge token show d08343a1181e... --key 00112233445566778899aabbccddeeff
    sedge token show - < token.cwt

Without a key an encrypted token shows its envelope, and any other its claims, which are then not
known to be true. With --data or --as the broker opens it, and says whether it is good.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A token's file, the token in hexadecimal digits, or `-` for standard input
    token: String,
    /// The key it is encrypted or authenticated with, in hexadecimal digits
    #[arg(long, value_name = "HEX", conflicts_with_all = ["data", "credential"])]
    key: Option<String>,
    /// Have the broker in this folder open it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Have the broker open it that this administrator's credential is for
    #[arg(long = "as", value_name = "FILE", conflicts_with = "data")]
    credential: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found out about a token.
struct Findings {
    kind: &'static str,
    algorithm: String,
    kid: Option<Vec<u8>>,
    claims: Option<Vec<u8>>,
    /// How far the claims are to be believed.
    verdict: String,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let token = read(&args.token)?;
    let mut findings = look(&token)?;
    if args.data.is_some() || args.credential.is_some() {
        let which = Which::of(args.data.clone(), args.credential.clone());
        let mut admin = which.connect().await?;
        let AdminReply::TokenOpened(opened) = admin.call(AdminRequest::TokenOpen(token.clone())).await?
        else {
            return Err(unexpected());
        };
        admin.close().await;
        findings.verdict = match (&opened.claims, opened.problem) {
            (_, Some(problem)) => format!("not good: {problem}"),
            (_, None) => "good: authentic, not revoked, not over".into(),
        };
        findings.claims = opened.claims.or(findings.claims);
    } else if let Some(key) = &args.key {
        let key = hex::decode(key).ok_or_else(|| Failure::usage("--key takes hexadecimal digits"))?;
        match open(&token, &key) {
            Some(claims) => {
                findings.claims = Some(claims);
                findings.verdict = "authentic; whether it was revoked is not known".into();
            }
            None => findings.verdict = "not authentic, or the key is another".into(),
        }
    }
    if args.json { output::line(findings.in_json(&token)) } else { output::line(findings.in_words(&token)) }
}

/// The token's bytes, from wherever they are.
fn read(source: &str) -> Result<Vec<u8>, Failure> {
    let bytes = if source == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
        bytes
    } else if Path::new(source).exists() {
        if let Ok(Credential { login: Login::Psk { identity, .. }, .. }) = Credential::read(source) {
            return Ok(identity);
        }
        std::fs::read(source).map_err(|error| Failure::new(format!("cannot read {source}: {error}")))?
    } else {
        return hex::decode(source)
            .ok_or_else(|| Failure::usage(format!("`{source}` is neither a file nor hexadecimal digits")));
    };
    let digits = std::str::from_utf8(&bytes).ok().and_then(|text| hex::decode(text.trim()));
    Ok(digits.filter(|digits| !digits.is_empty()).unwrap_or(bytes))
}

/// What can be seen without a key.
fn look(token: &[u8]) -> Result<Findings, Failure> {
    let mut bytes = token.to_vec();
    let message =
        Message::parse(&mut bytes).map_err(|error| Failure::new(format!("this is no token: {error}")))?;
    let headers = message.headers();
    let algorithm = headers.algorithm().map_or_else(|| "none".into(), |algorithm| algorithm.to_string());
    let kid = headers.kid().map(<[u8]>::to_vec);
    let (kind, claims) = match &message {
        Message::Encrypt0(_) => ("COSE_Encrypt0", None),
        Message::Mac0(message) => ("COSE_Mac0", message.dangerous_payload()),
        Message::Sign1(message) => ("COSE_Sign1", message.dangerous_payload()),
    };
    let verdict = match claims {
        Some(_) => "not verified: anybody may have written this",
        None => "encrypted: --data, --as or --key opens it",
    };
    Ok(Findings { kind, algorithm, kid, claims: claims.map(<[u8]>::to_vec), verdict: verdict.into() })
}

/// The claims, if the token is authentic under this symmetric key.
fn open(token: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = token.to_vec();
    match Message::parse(&mut bytes).ok()? {
        Message::Encrypt0(message) => {
            let key = SymmetricKey::new(message.headers().algorithm()?, key).ok()?;
            let nonce = message.headers().nonce(key.algorithm(), None).ok()?;
            message.open(&RustCrypto, &key, nonce.as_bytes(), &[]).ok().map(|claims| claims.to_vec())
        }
        Message::Mac0(message) => {
            let key = SymmetricKey::new(Algorithm::HMAC_256, key).ok()?;
            message.verify(&RustCrypto, &key, &[]).ok().map(<[u8]>::to_vec)
        }
        Message::Sign1(_) => None,
    }
}

impl Findings {
    fn in_words(&self, token: &[u8]) -> String {
        let mut lines = vec![
            format!("{}", Diagnostic::new(token).with_embedded()),
            String::new(),
            format!("{:<12}{}, {}, {} bytes", "kind", self.kind, self.algorithm, token.len()),
        ];
        if let Some(kid) = &self.kid {
            lines.push(format!("{:<12}{}", "key", hex::encode(kid)));
        }
        lines.push(format!("{:<12}{}", "hash", TokenHash::of(&RustCrypto, token)));
        lines.push(format!("{:<12}{}", "verdict", self.verdict));
        let Some(bytes) = &self.claims else { return lines.join("\n") };
        lines.extend([String::new(), format!("{}", Diagnostic::new(bytes).with_embedded()), String::new()]);
        match Claims::parse(bytes) {
            Ok(claims) => lines.extend(describe(&claims)),
            Err(error) => lines.push(format!("these are no claims: {error}")),
        }
        lines.join("\n")
    }

    fn in_json(&self, token: &[u8]) -> Json {
        let mut json = json!({
            "kind": self.kind,
            "algorithm": self.algorithm,
            "kid": self.kid.as_ref().map(|kid| hex::encode(kid)),
            "hash": TokenHash::of(&RustCrypto, token).to_string(),
            "verdict": self.verdict,
            "diagnostic": Diagnostic::new(token).with_embedded().to_string(),
        });
        if let Some(Ok(claims)) = self.claims.as_ref().map(|claims| Claims::parse(claims)) {
            json["claims"] = claims_in_json(&claims);
        }
        json
    }
}

/// The claims in words, one a line.
fn describe(claims: &Claims<'_>) -> Vec<String> {
    let date = |date: sedge_cose::NumericDate| match u64::try_from(date.seconds()) {
        Ok(seconds) => output::date(seconds),
        Err(_) => format!("{} s since 1970", date.seconds()),
    };
    let mut lines = Vec::new();
    let mut line = |what: &str, value: String| lines.push(format!("{what:<12}{value}"));
    if let Some(issuer) = claims.issuer {
        line("issued by", issuer.into());
    }
    if let Some(subject) = claims.subject {
        line("issued to", subject.into());
    }
    if let Some(audience) = claims.audience {
        line("for", audience.names().collect::<Vec<_>>().join(", "));
    }
    for (what, when) in
        [("issued", claims.issued_at), ("not before", claims.not_before), ("until", claims.expires)]
    {
        if let Some(when) = when {
            line(what, date(when));
        }
    }
    if let Some(id) = claims.id {
        line("id", hex::encode(id));
    }
    if let Some(confirmation) = claims.confirmation {
        line("bound to", key(&confirmation));
    }
    match claims.scope {
        Some(Scope::Text(text)) => line("may", text.into()),
        Some(Scope::Bytes(bytes)) => match Grants::from_scope(bytes) {
            Ok(scope) => words(&scope).into_iter().for_each(|words| line("may", words)),
            Err(error) => line("may", format!("h'{}' ({error})", hex::encode(bytes))),
        },
        None => line("may", "nothing".into()),
    }
    lines
}

fn key(confirmation: &Confirmation<'_>) -> String {
    match confirmation {
        Confirmation::Key(key) => {
            let kid = key.kid.map_or_else(String::new, |kid| format!(" {}", hex::encode(kid)));
            match key.material {
                Material::Symmetric { k: Some(_) } => format!("symmetric key{kid}, which is in the token"),
                Material::Symmetric { k: None } => format!("symmetric key{kid}"),
                Material::Ec2 { .. } | Material::Okp { .. } => match key.public_key() {
                    Ok(key) => format!("public key {}", sedge_broker::pin(&key)),
                    Err(_) => "a public key of a kind that is not known here".into(),
                },
            }
        }
        Confirmation::KeyId(kid) => format!("key {}", hex::encode(kid)),
        Confirmation::EncryptedKey(_) => "a key that is encrypted".into(),
        Confirmation::Oscore(_) => "an OSCORE context".into(),
    }
}

fn claims_in_json(claims: &Claims<'_>) -> Json {
    let seconds = |date: Option<sedge_cose::NumericDate>| date.map(sedge_cose::NumericDate::seconds);
    json!({
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience.map(|audience| audience.names().collect::<Vec<_>>()),
        "exp": seconds(claims.expires),
        "nbf": seconds(claims.not_before),
        "iat": seconds(claims.issued_at),
        "cti": claims.id.map(hex::encode),
        "cnf": claims.confirmation.map(|confirmation| key(&confirmation)),
        "scope": match claims.scope {
            Some(Scope::Bytes(bytes)) => Grants::from_scope(bytes).map(|scope| scope_in_json(&scope)).ok(),
            Some(Scope::Text(text)) => Some(json!(text)),
            None => None,
        },
    })
}
