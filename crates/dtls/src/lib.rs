//! DTLS with Connection ID for constrained networks: sans-I/O, no heap.
//!
//! DTLS 1.2 ([RFC 6347](https://www.rfc-editor.org/rfc/rfc6347)) and 1.3
//! ([RFC 9147](https://www.rfc-editor.org/rfc/rfc9147)), client and server: pre-shared keys, raw public keys and
//! certificates, ephemeral keys, Connection IDs, stateless cookies, resumption, return routability checks and record size
//! limits. Time, randomness, cryptography and memory are arguments; datagrams go in and out as byte slices and are opened
//! and sealed where they stand. What of all that a program carries is its [`Profile`]; who it is and whom it believes
//! are its [`Credentials`].
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
//! # Both, in memory
//! ```
//! use sedge_crypto::RustCrypto;
//! use sedge_dtls::*;
//! use sedge_time::Instant;
//!
//! # struct Rng(u64);
//! # impl sedge_crypto::TryRng for Rng {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(self.try_next_u64()? as u32) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
//! #         self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
//! #         Ok(self.0)
//! #     }
//! #     fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
//! #         dst.iter_mut().try_for_each(|byte| self.try_next_u64().map(|word| *byte = (word >> 56) as u8))
//! #     }
//! # }
//! # impl sedge_crypto::TryCryptoRng for Rng {}
//! # let mut rng = Rng(7);
//! let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
//! let cookies = CookieKeys::new(cx.crypto, cx.rng);
//! let psk = Psk::new(b"sixteen secrets!").unwrap();
//! let address = b"192.0.2.7:40000";
//! let (mut to_server, mut to_client) = ([0; 256], [0; 256]);
//!
//! type Profile = PskOnly<RustCrypto>;
//! let layer = Of::<Profile>::new(&RustCrypto);
//! let answers = ServerConfig::default();
//! let mut sensor = ClientPsk { identity: b"sensor-7", psk: &psk };
//! let mut devices = |identity: &[u8]| (identity == b"sensor-7").then(|| (psk.clone(), 42));
//!
//! let config = ClientConfig::default();
//! let mut client = ClientHandshake::<Profile>::connect(&mut cx, &mut sensor, &config).unwrap();
//!
//! // The first hello is answered with a cookie, and nothing is kept for it.
//! let len = client.poll_transmit(cx.crypto, &mut to_server).unwrap();
//! let reply = hello(&layer, &cookies, &answers, address, &to_server[..len], &mut to_client);
//! let Hello::Reply(len) = reply else { panic!() };
//! client.receive(&mut cx, &mut sensor, &mut to_client[..len]).unwrap();
//!
//! // The second one brings the cookie back.
//! let len = client.poll_transmit(cx.crypto, &mut to_server).unwrap();
//! let reply = hello(&layer, &cookies, &answers, address, &to_server[..len], &mut to_client);
//! let Hello::Accept(verified) = reply else { panic!() };
//! let cid = ConnectionId::new(b"slot0042").unwrap();
//! let mut server =
//!     ServerHandshake::<Profile>::accept(&mut cx, &mut devices, &answers, &verified, cid).unwrap();
//!
//! for _ in 0..2 {
//!     if let Some(len) = server.poll_transmit(cx.crypto, &mut to_client) {
//!         for record in Records::new(&mut to_client[..len], 0) {
//!             client.receive(&mut cx, &mut sensor, record).unwrap();
//!         }
//!     }
//!     if let Some(len) = client.poll_transmit(cx.crypto, &mut to_server) {
//!         for record in Records::new(&mut to_server[..len], cid.len()) {
//!             server.receive(&mut cx, &mut devices, record).unwrap();
//!         }
//!     }
//! }
//! let mut client = client.take_session().unwrap().session;
//! let Established { session: mut server, principal, .. } = server.take_session().unwrap();
//! assert_eq!(principal, 42);
//!
//! // A message is written where it will be sealed, and read where it was opened.
//! let at = client.headroom();
//! to_server[at..at + 4].copy_from_slice(b"21.5");
//! let len = client.seal(&RustCrypto, ContentType::APPLICATION_DATA, &mut to_server, 4).unwrap();
//! assert_eq!(peek_cid(&to_server[..len], 8), Some(&b"slot0042"[..]));
//! let opened = server.open(&RustCrypto, &mut to_server[..len]).unwrap();
//! let Content::ApplicationData(plaintext) = opened.content else { panic!() };
//! assert_eq!(plaintext, b"21.5");
//! ```
//!
//! # What arrives and should not
//! is a [`Discard`]: it gets no answer and is to be counted. Nobody who lacks the keys can end a session. A
//! handshake, which starts without keys, survives forged answers as long as the genuine ones get through.
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
mod client;
mod config;
mod cookie;
mod credentials;
mod discard;
mod dtls12;
mod dtls13;
mod handshake;
mod profile;
mod protection;
mod psk;
mod record;
mod replay;
mod rrc;
mod server;
mod session;
mod suite;
mod wire;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use cid::ConnectionId;
pub use client::ClientHandshake;
pub use config::{ClientCertificate, ClientConfig, ConfigError, ServerConfig, Versions};
pub use cookie::{
    CookieKeys, HELLO_REPLY_LEN, HELLO_VERIFY_REQUEST_LEN, Hello, VerifiedHello,
    dangerous_hello_without_cookie, hello, is_client_hello,
};
pub use credentials::{
    CertificateEntries, CertificateType, ClientPsk, Credentials, PeerCertificate, Verified,
};
pub use discard::Discard;
pub use handshake::resumption::Resumption;
pub use handshake::ticket::TicketKeys;
pub use handshake::{
    Authentication, Context, Established, Failure, KeyLog, Progress, Retransmission, Transport,
};
pub use profile::{
    Absent, Buffer, ClientOnly, Filled, Full, Never, Presence, Present, Profile, PskOnly, Slot,
};
pub use psk::{MAX_IDENTITY, Psk};
pub use record::{ContentType, Records, peek_cid};
pub use rrc::{PathMessage, PathMessageKind};
pub use server::{Refusal, ServerHandshake};
pub use session::{Content, ImportError, Of, Opened, RecordLayer, Role, SealError, Session, Ticket};
pub use suite::CipherSuite;
