//! The Sedge broker: shards, sockets, store, configuration and administration.
#![cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the shards that use it follow"))]

pub mod admin;
pub mod config;
mod directory;
mod first_start;
mod key;
mod state;
pub mod store;

pub use directory::{Directory, Principal, Taken};
pub use first_start::FirstStart;
pub use key::{Key, KeyError};
