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
//! On a device the same methods are called; [`Client::new`] is given the device's [`Datagram`] socket, [`Clock`],
//! cryptography and randomness, and [`ClientResources`] says how much memory it takes. Any executor will do, or none:
//! [`core::Core`] is the same client as a state machine.
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
pub use sedge_crypto::{PublicKey, Secret};
pub use sedge_dtls::{CipherSuite, Full, Profile, Psk, PskOnly, Versions};
#[cfg(feature = "std")]
pub use sedge_endpoint::memory::Hosted;
pub use sedge_endpoint::{Agreed, Authentication, Version};
pub use sedge_time::{Duration, Instant};
