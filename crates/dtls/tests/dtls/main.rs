//! The engine seen from outside: client and server in memory, with a scripted link between them.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should panic where it fails"
)]

mod bytes;
mod cookies;
mod handshake;
mod hostile;
mod loss;
mod properties;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod world;
