//! The Sedge broker: shards, sockets, store, configuration and administration.

pub mod config;
