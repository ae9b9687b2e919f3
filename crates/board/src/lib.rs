//! What a board has, as [`sedge_client`] wants it: adapters between the traits of the client and those that drivers and
//! network stacks for microcontrollers have in common. Each stands behind a feature; without features this is
//! [`credential`] alone.
//!
//! | the client asks for | feature | here |
//! |---|---|---|
//! | [`Datagram`](sedge_client::Datagram) | `embassy-net` | `embassy::Socket`: a socket of an embassy-net stack |
//! | | `edge-nal` | `edge::Socket`: whatever implements edge-nal's UDP traits |
//! | | `smoltcp` | `smoltcp::Socket`: smoltcp over a driver of your own |
//! | [`Clock`](sedge_client::Clock) | `embassy-time` | `embassy::Clock` |
//! | [`Storage`](sedge_client::Storage), [`SequenceStorage`](sedge_client::protected::SequenceStorage) | `nor-flash` | `flash::Pages`: pages of any `NorFlash` |
//!
//! Randomness needs no adapter: `rand_core::CryptoRng` is what drivers of generators implement.
//!
//! They are no part of the client because these stacks change their interfaces a few times a year, and each new one would
//! be a new version of the client.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod credential;
#[cfg(feature = "edge-nal")]
pub mod edge;
#[cfg(any(feature = "embassy-net", feature = "embassy-time"))]
pub mod embassy;
#[cfg(feature = "nor-flash")]
pub mod flash;
#[cfg(feature = "smoltcp")]
pub mod smoltcp;
