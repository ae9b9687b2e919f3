//! The Sedge broker: shards, sockets, store, configuration and administration.
//!
//! [`Broker::start`] runs a broker in this process. Whoever administers one, running or not, begins at
//! [`admin::connect_local`].

pub mod admin;
mod audit;
mod authority;
mod broker;
mod clock;
pub mod config;
mod directory;
mod first_start;
mod groups;
mod horizon;
mod key;
mod live;
mod login;
mod net;
mod records;
mod remote;
mod security;
mod shard;
mod state;
pub mod store;
mod tokens;

pub use broker::{Broker, StartError};
pub(crate) use directory::{Directory, Principal};
pub use first_start::FirstStart;
pub use key::{Key, KeyError};
pub use login::{Auth, Login, pin};
