//! `sedge authority`: an authorisation server alone, and the brokers that take its tokens.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::store::DataDir;
use sedge_client::tokio::Address;
use sedge_client::{BrokerKey, Credential, Login, PublicKey};
use sedge_crypto::RustCrypto;
use sedge_x509::authority::PrivateKey;
use serde_json::json;

use super::broker;
use super::ca::rng;
use crate::admin::{Admin, Which, unexpected};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Style};

const EXAMPLES: &str = "\
Examples:
    sedge authority ./as
    sedge authority ./as --listen '[::]:5684' --config as.toml
    sedge authority add-rs plant-a --uri coaps://as.example --data ./as

It is a broker without topics: devices and roles are enrolled there, clients get tokens from it
(/token), and brokers elsewhere take them. Members of protected topics get their keys there, too,
with [groups] enabled = true in its configuration (`sedge broker --print-config` shows all keys).";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The folder it lives in; an empty or missing one is set up
    #[arg(value_name = "DIR", required_unless_present = "data")]
    dir: Option<PathBuf>,
    /// The same
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    data: Option<PathBuf>,
    /// An address to serve CoAP over DTLS on, instead of those of the configuration; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// A configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enrol a broker as a resource server: it takes tokens that are for its name
    AddRs(AddRs),
}

const ADD_RS_EXAMPLES: &str = "\
Examples:
    sedge authority add-rs plant-a --data ./as
    sedge authority add-rs plant-b --uri coaps://as.example --out plant-b.toml --as admin.toml
    sedge authority add-rs plant-c --auth rpk --data ./as

With --auth psk broker and authorisation server share a key; with --auth rpk the broker has a
private key of its own, this side knows the public half, and the broker knows this authorisation
server by its public key.

`sedge device list` shows who is enrolled, and `sedge device remove plant-a` takes it back.";

#[derive(Debug, clap::Args)]
#[command(after_help = ADD_RS_EXAMPLES)]
struct AddRs {
    /// The broker's name in tokens: letters, digits and . _ - : @
    name: String,
    /// How it authenticates
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Auth::Psk)]
    auth: Auth,
    /// This authorisation server's URI as the broker will reach it [default: as its administrator does]
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// Where to write the broker's credential [default: NAME.rs.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    /// A pre-shared key
    Psk,
    /// A raw public key
    Rpk,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    if let Some(Command::AddRs(args)) = args.command {
        return interrupt::or_interrupted(add_rs(args)).await;
    }
    let mut config = broker::read(args.config.as_deref(), args.listen)?;
    config.topics.enabled = false;
    if !config.authority.enabled {
        return Err(Failure::new(
            "[authority] enabled = false in the configuration: then there is nothing to do here",
        ));
    }
    let dir = args.dir.or(args.data).unwrap_or_default();
    broker::serve(&DataDir::new(dir), config).await
}

/// A new key for a broker that knows this authorisation server by its public key.
async fn raw_public_key(admin: &mut Admin) -> Result<(PublicKey, Login), Failure> {
    let AdminReply::Status(status) = admin.call(AdminRequest::Status).await? else {
        return Err(unexpected());
    };
    let server = status
        .public_key
        .ok_or_else(|| Failure::new("the authorisation server has no public key yet: start it once"))?;
    let key = PrivateKey::generate(&RustCrypto, &mut rng())?;
    let login = Login::PublicKey {
        private_key: Some(key.scalar().clone()),
        certificates: Vec::new(),
        server: BrokerKey::Key(server),
    };
    Ok((key.public_key(&RustCrypto)?, login))
}

async fn add_rs(args: AddRs) -> Result<(), Failure> {
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.rs.toml", args.name)));
    if path.exists() {
        return Err(Failure::new(format!("{} exists: choose another file with --out", path.display())));
    }
    let mut admin = args.which.connect().await?;
    let uri = match (&args.uri, admin.broker()) {
        (Some(uri), _) => Address::parse(uri).map_err(Failure::usage)?.to_string(),
        (None, Some(uri)) => uri.to_owned(),
        (None, None) => "coaps://localhost".to_owned(),
    };
    let (new, made) = match args.auth {
        Auth::Psk => (NewDevice::default(), None),
        Auth::Rpk => {
            let (public_key, login) = raw_public_key(&mut admin).await?;
            (NewDevice { public_key: Some(public_key), ..NewDevice::default() }, Some(login))
        }
    };
    let new = NewDevice { name: args.name.clone(), resource_server: true, ..new };
    let AdminReply::Enrolled(info, key) = admin.call(AdminRequest::DeviceAdd(new)).await? else {
        return Err(unexpected());
    };
    let credential = match (made, key) {
        (Some(login), _) => Credential { broker: uri.clone(), name: info.name.clone(), login },
        (None, Some(key)) => Credential::psk(uri.clone(), &*info.name, &*info.name, key.expose().to_vec()),
        (None, None) => return Err(unexpected()),
    };
    if let Err(error) = credential.write_new(&path) {
        // A resource server whose key nobody has is of no use.
        let removed = admin.call(AdminRequest::DeviceRemove(info.name.clone())).await;
        let left = if removed.is_ok() { "nobody was enrolled" } else { "it is enrolled all the same" };
        return Err(Failure::new(format!("cannot write {}: {error}; {left}", path.display())));
    }
    admin.close().await;
    if args.json {
        let file = path.display().to_string();
        let auth = info.login.auth().as_str();
        return output::line(json!({ "name": info.name, "auth": auth, "uri": uri, "credential": file }));
    }
    let style = Style::stdout();
    let (name, file) = (style.bold(&info.name), style.bold(path.display()));
    output::line(format_args!(
        "{name} is enrolled as a resource server. Its credential is {file}; keep it secret.\n\
         It says that this authorisation server is {uri}; --uri would have said otherwise.\n\
         Copy it to the broker's host, put this into the broker's configuration, and start the broker:\n\
         \n\
         \x20   [authority]\n\
         \x20   enabled = false\n\
         \x20   credential = \"{}\"\n\
         \n\
         A device that is enrolled here then gets a token for it:\n\
         \n\
         \x20   sedge token request --as DEVICE.toml --audience {} --broker coaps://BROKER",
        path.display(),
        info.name,
    ))
}
