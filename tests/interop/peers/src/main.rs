//! DTLS peers built from crates that nobody here wrote, behind the command line and the line protocol of README.md.
//!
//! `sedge-peers dimpl|webrtc client|server ADDRESS:PORT [OPTION...]`

mod command;
mod dimpl_peer;
mod webrtc_peer;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [library, rest @ ..] if matches!(library.as_str(), "dimpl" | "webrtc") => {
            command::parse(rest).map(|task| (library.clone(), task))
        }
        _ => Err("which library?".to_owned()),
    };
    let (library, task) = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            eprintln!(
                "{why}\nusage: sedge-peers dimpl|webrtc client|server ADDRESS:PORT [OPTION...]; see README.md"
            );
            return ExitCode::from(2);
        }
    };
    let outcome = match library.as_str() {
        "dimpl" => dimpl_peer::run(&task),
        _ => webrtc_peer::run(task),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("failed {}", why.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}
