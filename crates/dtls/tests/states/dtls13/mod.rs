//! The language of DTLS 1.3.

mod client;
mod server;
