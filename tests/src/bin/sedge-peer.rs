//! `sedge-peer client|server ADDRESS:PORT [OPTION...]`: Sedge's DTLS engine as a peer like those of
//! `tests/interop/peers`, whose README.md describes the options. It has three more: `--capture FILE` and `--key-log FILE`
//! write down every datagram and the secrets for Wireshark, and `--version any` speaks both versions.

use std::process::ExitCode;

use sedge_tests::peer::{Task, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let task = match Task::parse(&words) {
        Ok(task) => task,
        Err(why) => {
            eprintln!("{why}\nusage: sedge-peer client|server ADDRESS:PORT [OPTION...]");
            return ExitCode::from(2);
        }
    };
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("failed {why}");
            ExitCode::FAILURE
        }
    }
}
