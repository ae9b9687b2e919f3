//! CoAP: zero-copy codec, reliability, Observe and block-wise transfer, sans-I/O, no heap.
//!
//! [`Message`] is a validated view over a received datagram: [`Message::parse`] walks the bytes once and
//! copies nothing. [`Writer`] writes a message into memory that the caller lends. Everything that happens
//! between messages (retransmission, deduplication, Observe, block-wise transfer) is a small value type
//! without buffers, which is told the time and given its randomness.
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

#[cfg(test)]
extern crate std;

pub mod block;
#[cfg(feature = "coap-lite")]
mod coap_lite;
mod code;
mod conditions;
mod content_format;
mod duplicates;
pub mod echo;
mod exchange;
pub mod link_format;
mod message;
mod message_ids;
pub mod observe;
mod option;
mod parameters;
pub mod problem;
mod token;
mod transmission;
pub mod uri;
mod writer;

#[cfg(feature = "coap-lite")]
pub use coap_lite::PacketError;
pub use code::{Code, Type};
pub use content_format::ContentFormat;
pub use duplicates::{Duplicates, Entry, Key, Seen};
pub use exchange::{Incoming, Reply, Request};
pub use message::{Malformed, Message, Options, ParseError, Reaction, Rejected, Values};
pub use message_ids::MessageIds;
pub use option::{Definition, Format, OptionNumber};
pub use parameters::TransmissionParameters;
pub use token::{Token, Tokens};
pub use transmission::{Expiry, Interactions, Transmission};
pub use writer::{WriteError, Writer, empty_message};

/// The UDP port of the `coap` scheme ([RFC 7252 section 6.1](https://www.rfc-editor.org/rfc/rfc7252#section-6.1)).
pub const COAP_PORT: u16 = 5683;

/// The UDP port of the `coaps` scheme ([RFC 7252 section 6.2](https://www.rfc-editor.org/rfc/rfc7252#section-6.2)).
pub const COAPS_PORT: u16 = 5684;
