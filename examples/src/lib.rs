//! Quick starts for people who embed the client: the programs in `src/bin`.
//!
//! They need a broker and a credential each, which two commands make:
//!
//! ```text
//! sedge broker --data ./broker
//! sedge device add boiler --publish 'site/#' --subscribe 'site/#' --data ./broker
//! cargo run -p sedge-examples --bin publish -- boiler.toml
//! cargo run -p sedge-examples --bin subscribe -- boiler.toml
//! ```
