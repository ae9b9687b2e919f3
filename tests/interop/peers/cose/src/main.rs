//! COSE as coset and cose-rust have it. See README.md for the commands.

mod cose_rust;
mod coset_peer;
mod crypto;

use std::io::Write;
use std::panic::catch_unwind;

/// Which kind of message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Encrypt0,
    Mac0,
    Sign1,
}

/// What is to be made.
struct Make {
    kind: Kind,
    algorithm: i32,
    key: Vec<u8>,
    nonce: Vec<u8>,
    aad: Vec<u8>,
    kid: Vec<u8>,
    content: Vec<u8>,
}

/// What is to be read.
struct Read {
    kind: Kind,
    algorithm: i32,
    key: Vec<u8>,
    aad: Vec<u8>,
    message: Vec<u8>,
}

type Outcome = Result<Vec<u8>, String>;

fn main() {
    // cose-rust panics on some malformed input; that is a refusal, too.
    std::panic::set_hook(Box::new(|_| {}));
    println!("ready");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let outcome = catch_unwind(|| run(&line)).unwrap_or_else(|_| Err("it panicked".to_owned()));
        match outcome {
            Ok(bytes) if bytes.is_empty() => println!("ok -"),
            Ok(bytes) => println!("ok {}", hex(&bytes)),
            Err(why) => println!("refused {}", why.replace('\n', " ")),
        }
        let _ = std::io::stdout().flush();
    }
}

fn run(line: &str) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [command @ ("coset_make" | "cose_make"), kind, algorithm, key, nonce, aad, kid, content] => {
            let make = Make {
                kind: parse_kind(kind)?,
                algorithm: parse_number(algorithm)?,
                key: unhex(key)?,
                nonce: unhex(nonce)?,
                aad: unhex(aad)?,
                kid: unhex(kid)?,
                content: unhex(content)?,
            };
            if *command == "coset_make" { coset_peer::make(make) } else { cose_rust::make(make) }
        }
        [command @ ("coset_read" | "cose_read"), kind, algorithm, key, aad, message] => {
            let read = Read {
                kind: parse_kind(kind)?,
                algorithm: parse_number(algorithm)?,
                key: unhex(key)?,
                aad: unhex(aad)?,
                message: unhex(message)?,
            };
            if *command == "coset_read" { coset_peer::read(&read) } else { cose_rust::read(read) }
        }
        ["coset_key", key] => coset_peer::key(&unhex(key)?),
        _ => Err("no such command".to_owned()),
    }
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    match text {
        "encrypt0" => Ok(Kind::Encrypt0),
        "mac0" => Ok(Kind::Mac0),
        "sign1" => Ok(Kind::Sign1),
        _ => Err(format!("no kind of message: {text}")),
    }
}

fn parse_number(text: &str) -> Result<i32, String> {
    text.strip_prefix('#').and_then(|text| text.parse().ok()).ok_or(format!("no number: {text}"))
}

fn unhex(text: &str) -> Outcome {
    if text == "-" {
        return Ok(vec![]);
    }
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
