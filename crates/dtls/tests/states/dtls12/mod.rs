//! The language of DTLS 1.2.

mod client;
mod server;
