//! DTLS 1.3, from the outside.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should panic where it fails"
)]

mod bytes;
mod early;
mod handshake;
mod hostile;
mod loss;
mod party;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
mod versions;
mod world;
