//! The Sedge broker: shards, sockets, store, configuration and administration.

pub mod config;
mod key;
pub mod store;

pub use key::{Key, KeyError};
