//! `sedge broker`: runs a broker until it is told to end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::Subcommand;
use sedge_broker::Broker;
use sedge_broker::config::{Config, DEFAULT_TOML};
use sedge_broker::store::DataDir;

use crate::commands::status;
use crate::failure::Failure;
use crate::interrupt::Hangups;
use crate::{interrupt, log, output};

const EXAMPLES: &str = "\
Examples:
    sedge broker --data ./broker
    sedge broker --data /var/lib/sedge --listen '[::]:5684' --config /etc/sedge.toml
    sedge broker --print-config > sedge.toml

On SIGHUP a broker reads roles, segments and bridges again from its configuration file.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The folder the broker lives in; an empty or missing one is set up
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    data: Option<PathBuf>,
    /// An address to serve CoAP over DTLS on, instead of those of the configuration; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// A configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print every configuration key with its default and what it means, and do nothing else
    #[arg(long)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how a broker is: sessions, counters, what was turned away and why
    Status(status::Args),
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    if let Some(Command::Status(args)) = args.command {
        return interrupt::or_interrupted(status::run(args)).await;
    }
    if args.print_config {
        return output::line(DEFAULT_TOML.trim_end());
    }
    let config = read(args.config.as_deref(), args.listen)?;
    serve(&DataDir::new(args.data.unwrap_or_default()), config).await
}

/// The configuration in a file, or the default one, with these addresses if any are given.
pub(super) fn read(path: Option<&Path>, listen: Vec<SocketAddr>) -> Result<Config, Failure> {
    let mut config = match path {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !listen.is_empty() {
        config.listen.coaps = listen;
    }
    Ok(config)
}

/// Serves until it is told to end.
pub(super) async fn serve(dir: &DataDir, config: Config) -> Result<(), Failure> {
    log::start(config.log.level);
    // Whoever reads that it serves may ask it to end at once.
    let (mut interrupted, mut hangups) = (pin!(interrupt::interrupted()), Hangups::new());
    let broker = Broker::start(dir, config)?;
    for address in broker.addresses() {
        output::line(format_args!("serving coaps://{address}"))?;
    }
    for address in broker.insecure_addresses() {
        output::line(format_args!("serving coap://{address}, which protects nothing"))?;
    }
    if let Some(first) = broker.first_start() {
        output::line(format_args!("\n{first}"))?;
    }
    loop {
        tokio::select! {
            () = &mut interrupted => break,
            () = hangups.next() => match broker.reload() {
                Ok(()) => tracing::info!("roles, segments and bridges were read again"),
                Err(error) => tracing::error!(error, "roles, segments and bridges stay as they are"),
            },
        }
    }
    broker.stop()?;
    Ok(())
}
