//! A broker in a process of its own, for tests that kill it: `sedge-mortal FOLDER ADDRESS` serves what is in the folder, and
//! says `serving` when it does.

use std::net::SocketAddr;
use std::process::ExitCode;

use sedge_broker::Broker;
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sedge-mortal: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("which folder?")?;
    let address: SocketAddr = words.next().ok_or("which address?")?.parse()?;
    let mut config = Config { shards: 1, ..Config::default() };
    config.listen.coaps = vec![address];
    config.topics.durable = true;
    let broker = Broker::start(&DataDir::new(&folder), config)?;
    println!("serving");
    // Until it is killed; a test that is gone closes this.
    let _ended = std::io::read_to_string(std::io::stdin());
    broker.stop().map_err(|error| format!("{error:?}"))?;
    Ok(())
}
