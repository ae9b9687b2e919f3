//! DTLS with Connection ID for constrained networks: sans-I/O, no heap.
//!
//! DTLS 1.2 ([RFC 6347](https://www.rfc-editor.org/rfc/rfc6347)) with pre-shared keys and AES-CCM, extended
//! master secret, Connection IDs ([RFC 9146](https://www.rfc-editor.org/rfc/rfc9146)), stateless cookies and
//! record size limits, client and server. Time, randomness, cryptography and memory are arguments; datagrams go
//! in and out as byte slices and are opened and sealed where they stand.
//!
//! # A server
//! 1. A datagram for which [`is_client_hello`] holds goes to [`hello`], which keeps nothing. Only its
//!    [`Hello::Accept`] is worth memory: [`ServerHandshake::accept`].
//! 2. Any other datagram is for whom its Connection ID names ([`peek_cid`]), or else its sender's address. Cut it
//!    with [`Records`] and give each record to [`ServerHandshake::receive`] or [`Session::open`].
//! 3. After every call into a handshake send what [`ServerHandshake::poll_transmit`] yields, until it
//!    yields nothing, and note [`ServerHandshake::deadline`].
//! 4. On [`Progress::Complete`] take the [`Session`] and drop the handshake. The session answers by itself
//!    if the client missed the last flight ([`Content::FinishedAgain`]).
//!
//! # A client
//! [`ClientHandshake::connect`], then as from step 2.
//!
//! # What arrives and should not
//! is a [`Discard`]: it changed nothing, gets no answer, and is to be counted. Nobody who lacks the keys can end
//! a session or a handshake.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a failing test should panic where it fails"
    )
)]

mod alert;
mod cid;
mod cookie;
mod discard;
mod handshake;
mod protection;
mod psk;
mod record;
mod replay;
mod schedule;
mod session;
mod suite;
mod wire;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use cid::ConnectionId;
pub use cookie::{CookieKeys, HELLO_VERIFY_REQUEST_LEN, Hello, VerifiedHello, hello, is_client_hello};
pub use discard::Discard;
pub use handshake::client::{ClientConfig, ClientHandshake, ConfigError};
pub use handshake::server::{Refusal, ServerConfig, ServerHandshake};
pub use handshake::{Context, Established, Failure, KeyLog, Progress, Retransmission, Transport};
pub use psk::{MAX_IDENTITY, Psk, PskLookup};
pub use record::{ContentType, Records, peek_cid};
pub use session::{Content, ImportError, Opened, Role, SealError, Session};
pub use suite::CipherSuite;
