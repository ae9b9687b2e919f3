//! Sedge and implementations that nobody here wrote, over real sockets.
//!
//! `tests/interop/setup` installs the others.

mod broker;
mod capture;
mod cose;
mod dtls_client;
mod dtls_server;
mod matrix;
mod peer;
mod peers_alone;
mod servers;
mod tokens;
