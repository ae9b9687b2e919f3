//! What a device embeds: connect, publish, subscribe; no heap.
//!
//! A [`Client`] dials out to one server, keeps one DTLS session with a Connection ID, and drops every datagram
//! that this session does not explain. It publishes, subscribes to several topics at once, and sends any other
//! CoAP request. A lost connection is made again by itself, with back-off and jitter, and so are the
//! subscriptions. Values that do not fit a datagram travel in blocks.
//!
//! On a host, over tokio (feature `tokio`):
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sedge_client::{ContentFormat, Credential, tokio::connect};
//!
//! let mut client = connect(&Credential::read("boiler.toml")?).await?;
//! client.publish("site/7/temp", ContentFormat::TEXT, b"21.5").await?;
//!
//! client.subscribe("site/7/valve").await?;
//! let mut buffer = [0; 1024];
//! let value = client.next(&mut buffer).await?;
//! println!("{}", String::from_utf8_lossy(value.payload));
//! # Ok(())
//! # }
//! ```
//!
//! # Who is who
//! [`Security`] says how the two know each other: by a pre-shared key, by raw public keys or by certificates. What of
//! DTLS a device carries is a type, the [`Profile`] in its memory: [`PskOnly`] is the smallest, [`Full`] does everything
//! in both versions. Of what a profile has, [`Config::endpoint`](Config) can leave out versions and suites.
//!
//! ```
//! # use sedge_client::{PublicKey, Secret, Security};
//! # fn device(broker: PublicKey, issuer: PublicKey, certificate: &'static [u8]) {
//! let key = Secret::new([7; 32]);
//! let by_raw_key = Security::raw_public_key(key.clone(), broker);
//! let by_certificate = Security::certificate(certificate, key, issuer, "broker.example");
//! # let _ = (by_raw_key, by_certificate);
//! # }
//! ```
//!
//! A session that is lost is resumed if the profile can and the memory has a place for it; to resume one after a sleep
//! that the memory does not outlive there is [`Client::export_resumption`].
//!
//! With the feature `log` or `defmt` the client says how its connection fares: handshakes, refusals, how long it waits
//! before the next attempt, sessions saved and taken up again. Neither what it carries nor any key is ever said.
//!
//! # On a device
//! The same methods are called, without the default features, and without a heap. All memory is one type,
//! [`ClientResources`], whose numbers say for how much there is room and whose `SIZE` the build can check. The device brings
//! four things, each a small trait whose page has it for an nRF chip:
//!
//! | what | trait | for |
//! |---|---|---|
//! | entropy | [`CryptoRng`] | keys, tokens, spreading things over time |
//! | time | [`Clock`] | everything that is sent again, renewed or given up |
//! | datagrams | [`Datagram`] | the radio, the modem, the network stack |
//! | storage, if wanted | [`Storage`] | sessions that outlive sleep and reset |
//!
//! ```
//! use sedge_client::{Client, ClientResources, Clock, Config, ContentFormat, Datagram, Error, Psk, PskOnly, Security};
//! use sedge_client::{CryptoRng, Duration};
//! use sedge_crypto::{Rfc7925, RustCrypto};
//!
//! /// Two subscriptions, and datagrams of 256 bytes.
//! type Resources<R> = ClientResources<PskOnly<Rfc7925<RustCrypto>>, R, 2, 3, 256>;
//!
//! async fn device<R: CryptoRng, D: Datagram, C: Clock>(
//!     (entropy, radio, clock): (R, D, C),
//!     key: Psk,
//! ) -> Result<(), Error<D::Error>> {
//!     let security = Security::Psk { identity: b"boiler-7", key };
//!     // What is not urgent may wait half a minute for the radio to be on anyway.
//!     let config = Config { slack: Duration::from_secs(30), ..Config::default() };
//!     let mut client: Client<Resources<R>, D, C> =
//!         Client::new(config, security, radio, clock, Rfc7925(RustCrypto), entropy)?;
//!     client.publish("site/7/temp", ContentFormat::TEXT, b"21.5").await?;
//!     client.subscribe("site/7/valve").await?;
//!     let mut buffer = [0; 1024];
//!     loop {
//!         let _value = client.next(&mut buffer).await?;
//!     }
//! }
//! ```
//!
//! Any executor will do. For a loop without one there is [`Polled`]: it is asked what to do next, and says until when to
//! sleep. Both are faces of one state machine, [`core::Core`].
//!
//! ## Sleep
//! While the memory is kept nothing has to be done: with its Connection ID the session goes on under whatever address the
//! device has when it wakes. Before a sleep without memory, [`suspend`](Client::suspend) saves the session, and
//! [`restore`](Client::restore) takes it up after the start, in place of a handshake. With
//! [`Config::reserve`] it is saved ahead, so that a reset or a power cut at any time costs no handshake either and no number is
//! used twice. How that is, and how it wears the flash, [`Storage`] says.
//!
//! ```
//! use sedge_client::{Config, Memory, Polled, SaveError, Storage};
//!
//! /// For every client that is to outlive a loss of power.
//! fn settings() -> Config {
//!     Config { reserve: 256, ..Config::default() }
//! }
//!
//! /// Before the power goes.
//! fn sleep<M: Memory, S: Storage>(client: &mut Polled<M>, flash: &mut S) -> Result<(), SaveError<S::Error>> {
//!     client.suspend(flash)
//! }
//!
//! /// With a new client, before anything else: `true` if it has a session again.
//! fn wake<M: Memory, S: Storage>(client: &mut Polled<M>, flash: &mut S) -> Result<bool, S::Error> {
//!     client.restore(flash)
//! }
//! # let _ = settings();
//! ```
//!
//! ## No open port
//! A client serves nothing. A datagram that neither the session nor a handshake explains is dropped, unanswered, and
//! [counted](Counters); [`Missed`] has the sum. A request, even one of the server's, is reset.
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

#[cfg(any(feature = "std", test))]
extern crate std;

mod client;
mod config;
pub mod core;
mod counters;
#[cfg(feature = "std")]
mod credential;
mod disconnect;
mod error;
mod io;
mod memory;
mod outbox;
mod polled;
pub mod protected;
mod request;
mod saved;
mod security;
mod tell;
mod token;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transfer;

pub use client::Client;
pub use config::{Backoff, Config, Endpoint};
pub use counters::Counters;
#[cfg(feature = "std")]
pub use credential::{BrokerKey, Credential, CredentialError, Login};
pub use disconnect::Disconnect;
pub use error::{Error, Failure};
pub use io::{Clock, Datagram};
#[cfg(feature = "std")]
pub use memory::Growing;
pub use memory::{ClientResources, Memory};
pub use polled::{Next, Polled};
pub use request::{Request, Response, TOPIC_DATA, Target};
pub use saved::{SAVED_LEN, SaveError, SavedSession, Storage};
pub use token::{Renewal, TokenError};
pub use transfer::Transfer;

pub use security::{Identity, NotBelieved, Security, SecurityError, Trust};

pub use self::core::{Missed, Notification, SubscriptionId};
pub use sedge_coap::{Code, ContentFormat, OptionNumber};
pub use sedge_crypto::{CryptoRng, PublicKey, Secret};
pub use sedge_dtls::{CipherSuite, Full, Profile, Psk, PskOnly, Versions};
#[cfg(feature = "std")]
pub use sedge_endpoint::memory::Hosted;
pub use sedge_endpoint::{Agreed, Authentication, Version};
pub use sedge_time::{Duration, Instant};
