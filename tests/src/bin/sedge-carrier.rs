//! `sedge-carrier FOLDER`: a broker in a process of its own, on a loopback port that it prints, until its standard input
//! ends. It gives out no group keys.

use std::io::Read as _;
use std::process::ExitCode;

use sedge_broker::Broker;
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: sedge-carrier FOLDER");
        return ExitCode::from(2);
    };
    let mut config = Config { shards: 1, ..Config::default() };
    config.listen.coaps = vec![([127, 0, 0, 1], 0).into()];
    let broker = match Broker::start(&DataDir::new(folder), config) {
        Ok(broker) => broker,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    for address in broker.addresses() {
        println!("serving {address}");
    }
    let _end = std::io::stdin().read_to_end(&mut Vec::new());
    drop(broker);
    ExitCode::SUCCESS
}
