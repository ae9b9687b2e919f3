//! Messages of ACE-OAuth as dcaf has them. See README.md for the commands.

use std::io::Write;
use std::panic::catch_unwind;

use coset::CoseKeyBuilder;
use coset::iana::EllipticCurve;
use dcaf::common::scope::{BinaryEncodedScope, TextEncodedScope};
use dcaf::{
    AccessTokenRequest, AccessTokenResponse, AceProfile, AuthServerRequestCreationHint, ErrorCode,
    ErrorResponse, GrantType, ProofOfPossessionKey, Scope, ToCborMap, TokenType,
};

type Outcome = Result<Vec<u8>, String>;

/// The AIF data of every message here that is made: reading and publishing below `site`.
const SCOPE: &[u8] = b"\x81\x82\x66site/#\x0c";

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    println!("ready");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let outcome = catch_unwind(|| run(&line)).unwrap_or_else(|_| Err("it panicked".to_owned()));
        match outcome {
            Ok(bytes) => {
                println!("ok {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Err(why) => println!("refused {}", why.replace('\n', " ")),
        }
        let _ = std::io::stdout().flush();
    }
}

fn run(line: &str) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["dcaf_again", "request", message] => again::<AccessTokenRequest>(message),
        ["dcaf_again", "response", message] => again::<AccessTokenResponse>(message),
        ["dcaf_again", "hints", message] => again::<AuthServerRequestCreationHint>(message),
        ["dcaf_again", "error", message] => again::<ErrorResponse>(message),
        ["dcaf_make", "request"] => {
            let key = CoseKeyBuilder::new_ec2_pub_key(EllipticCurve::P_256, vec![1; 32], vec![2; 32]).build();
            written(
                AccessTokenRequest::builder()
                    .client_id("pump-7")
                    .audience("plant-a")
                    .grant_type(GrantType::ClientCredentials)
                    .scope(binary_scope()?)
                    .req_cnf(ProofOfPossessionKey::PlainCoseKey(key))
                    .client_nonce(vec![1, 2, 3])
                    .ace_profile()
                    .build()
                    .map_err(text)?,
            )
        }
        ["dcaf_make", "response"] => {
            let key = CoseKeyBuilder::new_symmetric_key(vec![7; 16]).key_id(vec![9; 8]).build();
            written(
                AccessTokenResponse::builder()
                    .access_token(vec![0xd8, 61, 0xd0, 0x83])
                    .expires_in(3600_u32)
                    .scope(binary_scope()?)
                    .token_type(TokenType::ProofOfPossession)
                    .ace_profile(AceProfile::CoapDtls)
                    .cnf(ProofOfPossessionKey::PlainCoseKey(key))
                    .rs_cnf(ProofOfPossessionKey::KeyId(vec![5]))
                    .build()
                    .map_err(text)?,
            )
        }
        ["dcaf_make", "hints"] => written(
            AuthServerRequestCreationHint::builder()
                .auth_server("coaps://as.example/token")
                .audience("plant-a")
                .scope(Scope::from(TextEncodedScope::try_from("read").map_err(text)?))
                .client_nonce(vec![1, 2, 3])
                .build()
                .map_err(text)?,
        ),
        ["dcaf_make", "error"] => written(
            ErrorResponse::builder()
                .error(ErrorCode::UnsupportedPopKey)
                .description("not this one")
                .build()
                .map_err(text)?,
        ),
        _ => Err("no such command".to_owned()),
    }
}

fn binary_scope() -> Result<Scope, String> {
    BinaryEncodedScope::try_from(SCOPE).map(Scope::from).map_err(text)
}

/// Reads a message and writes what it has understood.
fn again<T: ToCborMap>(message: &str) -> Outcome {
    T::deserialize_from(unhex(message)?.as_slice()).map_err(text).and_then(written)
}

fn written(message: impl ToCborMap) -> Outcome {
    let mut bytes = vec![];
    message.serialize_into(&mut bytes).map_err(text)?;
    Ok(bytes)
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

fn unhex(text: &str) -> Outcome {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
        })
        .collect()
}
