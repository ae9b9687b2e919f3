//! One CoAP-over-DTLS endpoint: sessions, exchanges and timers, sans-I/O, no heap.
//!
//! An [`Endpoint`] is told what arrives and when ([`Endpoint::receive`], [`Endpoint::expire`]) and what to do
//! ([`Endpoint::connect`], [`Endpoint::request`], [`Endpoint::respond`], [`Endpoint::notify`]). It writes its
//! datagrams into a [`Host`] that is lent to every call, and says what happened as [`Event`]s. It knows no
//! clock, no socket and no allocator: the same code runs in firmware, in a broker with a hundred thousand
//! sessions and in a simulator.
//!
//! A session with a Connection ID follows its peer to another address, once the peer has shown that it receives there
//! ([`PathValidation`]); until then at most three times the bytes that came from there are sent there. How the two
//! know each other is the business of the host's [`Credentials`](sedge_dtls::Credentials), and [`Agreed`] says what
//! came of it.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets what it does not expect is to stop there"
    )
)]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod agreed;
mod client;
mod config;
mod counters;
mod duplicates;
mod endpoint;
mod event;
mod exchange;
mod expire;
mod handshake;
mod host;
mod key_log;
mod maintenance;
pub mod memory;
mod message;
mod path_validation;
mod receive;
mod server;
mod session;
mod transmit;

pub use agreed::{Agreed, Version};
pub use client::Request;
pub use config::{Config, PathValidation, Procedure};
pub use counters::Counters;
pub use duplicates::{Handled, Outcome};
pub use endpoint::{Endpoint, Parts};
pub use event::{CloseReason, Event, FailReason, Ticket};
pub use exchange::{Exchange, ExchangeId};
pub use handshake::{Connect, ConnectError, Handshake};
pub use host::{Host, HostOf};
pub use path_validation::Validation;
pub use receive::Incoming;
pub use sedge_dtls::Authentication;
pub use server::Notification;
pub use session::{CidLayout, MAX_CID_LENGTH, Peer, SessionId};
pub use transmit::SendError;

#[cfg(test)]
mod tests;
