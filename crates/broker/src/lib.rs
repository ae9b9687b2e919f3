//! The Sedge broker: shards, sockets, store, configuration and administration.

pub mod admin;
pub mod config;
mod directory;
mod key;
pub mod store;

pub use directory::{Directory, Principal, Taken};
pub use key::{Key, KeyError};
