//! DTLS 1.2 PSK peers built from crates that nobody here wrote, each behind one line protocol.
//!
//! `sedge-peers dimpl|webrtc client|server ADDRESS IDENTITY KEY_HEX [--suite ccm|ccm8]`
//!
//! What it prints, one event a line: `listening ADDRESS` (servers), `connected`, `data HEX`, `closed`,
//! `failed WHY`. What it reads, one command a line: hexadecimal digits are application data to send,
//! `close` says goodbye and ends. The end of the input ends it too.

mod dimpl_peer;
mod webrtc_peer;

use std::process::ExitCode;

/// Which of the two ends of a connection to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dials out.
    Client,
    /// Waits for one client.
    Server,
}

/// What the command line said.
pub struct Task {
    /// Which end to be.
    pub role: Role,
    /// Where to connect to, or to listen on.
    pub address: std::net::SocketAddr,
    /// The PSK identity that the client sends and the server expects.
    pub identity: Vec<u8>,
    /// The pre-shared key.
    pub key: Vec<u8>,
    /// `TLS_PSK_WITH_AES_128_CCM_8` rather than `_CCM`.
    pub short_tag: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((library, task)) = parse(&arguments) else {
        eprintln!(
            "usage: sedge-peers dimpl|webrtc client|server ADDRESS IDENTITY KEY_HEX [--suite ccm|ccm8]"
        );
        return ExitCode::from(2);
    };
    let outcome = match library {
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

fn parse(arguments: &[String]) -> Option<(&str, Task)> {
    let [library, role, address, identity, key, options @ ..] = arguments else { return None };
    if !matches!(library.as_str(), "dimpl" | "webrtc") {
        return None;
    }
    let role = match role.as_str() {
        "client" => Role::Client,
        "server" => Role::Server,
        _ => return None,
    };
    let short_tag = match options {
        [] => true,
        [flag, suite] if flag == "--suite" => suite == "ccm8",
        _ => return None,
    };
    let task = Task {
        role,
        address: address.parse().ok()?,
        identity: identity.as_bytes().to_vec(),
        key: unhex(key)?,
        short_tag,
    };
    Some((library, task))
}

/// The bytes that hexadecimal digits stand for.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Prints `data HEX`.
pub fn print_data(bytes: &[u8]) {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("data {digits}");
}
