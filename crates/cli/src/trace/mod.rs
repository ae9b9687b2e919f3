//! What goes over the wire, seen at the two places where a client touches it: its cryptography, where messages
//! are in the clear, and its socket, where datagrams have their size.

mod crypto;
pub(crate) mod dtls;
pub(crate) mod handshake;
mod message;
mod socket;
mod tape;

pub(crate) use crypto::TapCrypto;
pub(crate) use socket::TapSocket;
pub(crate) use tape::{Tape, Traffic};
