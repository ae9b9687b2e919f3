//! The `sedge` command: a broker, its administration, and a client for scripts and for people.

mod admin;
mod codec;
mod commands;
mod connection;
mod demo;
mod failure;
mod identity;
mod interrupt;
mod log;
mod output;
mod protection;
mod target;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use failure::Failure;

/// Secure publish/subscribe for constrained devices: CoAP over DTLS.
#[derive(Debug, Parser)]
#[command(name = "sedge", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(
    after_help = "To see it at work, with nothing to set up:\n    sedge demo\n\nTo run a broker:\n    sedge broker --data ./broker"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work: a broker, three devices, readings, in one process and without a trace
    Demo(demo::Args),
    /// Run a broker
    Broker(commands::broker::Args),
    /// Run an authorisation server alone, for brokers on other hosts, and enrol those
    Authority(commands::authority::Args),
    /// Enrol, list and remove devices
    Device(commands::device::Args),
    /// List roles, what they grant, and who has them
    Role(commands::role::Args),
    /// Say who may do what, and why: explain, test, show, reload
    Access(commands::access::Args),
    /// Read and check the record of who was granted, refused and changed what
    Audit(commands::audit::Args),
    /// Run a small CA: issue and revoke certificates for devices and servers
    Ca(commands::ca::Args),
    /// Issue, show, revoke and list access tokens
    Token(commands::token::Args),
    /// Create, list and delete topics
    Topic(commands::topic::Args),
    /// Publish a value to a topic
    Pub(commands::publish::Args),
    /// Subscribe to topics and print their values as they come
    Sub(commands::subscribe::Args),
    /// Send one request to any CoAP server
    Coap(Box<commands::coap::Args>),
    /// Find out what a DTLS server offers: versions, suites, certificate, and what it takes to get in
    Probe(commands::probe::Args),
    /// Show how a broker is: sessions, counters, what was turned away and why
    Status(commands::status::Args),
    /// Simulate networks of thousands of devices on lossy radios
    Sim(sedge_sim::command::SimArgs),
    /// Print the version
    Version,
}

fn main() -> ExitCode {
    // Keys are in memory: no core file of it, and no other process of this user looks in. Where the kernel
    // refuses, the rest works as well as ever.
    let _refused = nix::sys::prctl::set_dumpable(false);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        // These end well when they are interrupted.
        Command::Broker(args) => commands::broker::run(args).await,
        Command::Authority(args) => commands::authority::run(args).await,
        Command::Sub(args) => commands::subscribe::run(args).await,
        Command::Coap(args) => commands::coap::run(*args).await,
        // This waits for nothing but a person, and then hears of the interruption itself.
        Command::Ca(args) => commands::ca::run(args),
        Command::Sim(args) => commands::sim::run(args),
        // These fail, and what they hold is cleaned up as it is dropped.
        Command::Demo(args) => interrupt::or_interrupted(demo::run(args)).await,
        Command::Device(args) => interrupt::or_interrupted(commands::device::run(args)).await,
        Command::Token(args) => interrupt::or_interrupted(commands::token::run(args)).await,
        Command::Role(args) => interrupt::or_interrupted(commands::role::run(args)).await,
        Command::Access(args) => interrupt::or_interrupted(commands::access::run(args)).await,
        Command::Audit(args) => interrupt::or_interrupted(commands::audit::run(args)).await,
        Command::Topic(args) => interrupt::or_interrupted(commands::topic::run(args)).await,
        Command::Pub(args) => interrupt::or_interrupted(commands::publish::run(args)).await,
        Command::Probe(args) => interrupt::or_interrupted(commands::probe::run(args)).await,
        Command::Status(args) => interrupt::or_interrupted(commands::status::run(args)).await,
        Command::Version => output::line(Cli::command().render_version().trim_end()),
    }
}
