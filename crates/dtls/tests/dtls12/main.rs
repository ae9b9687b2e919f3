//! DTLS 1.2 with certificates, raw public keys, ephemeral keys and resumption: both sides against each other, over
//! links with faults, and against everything that a stranger can send.
#![allow(missing_docs, unreachable_pub, reason = "these are tests")]

mod choice;
mod handshake;
mod hostile;
mod loss;
mod party;
mod resumption;
#[path = "../support/mod.rs"]
mod support;
mod world;
