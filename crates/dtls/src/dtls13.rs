//! DTLS 1.3 (RFC 9147).

pub(crate) mod ack;
pub(crate) mod extension;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod protection;
pub(crate) mod record;
pub(crate) mod schedule;
pub(crate) mod transcript;
