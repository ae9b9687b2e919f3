//! The authorisation server of ACE-OAuth ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200)), without sockets, clock and
//! disk: who gets which token, which tokens are revoked, and the keys behind them.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a failing test should panic where it fails"
    )
)]

extern crate alloc;

mod authority;
mod cnf;
mod endpoints;
pub mod groups;
mod hex;
mod issue;
mod issued;
mod keys;
mod message;
pub mod revocation;
mod scope;
mod seal;
mod settings;
mod store;

pub use authority::{Authority, Happened, Issue, IssueError};
pub use issue::NewToken;
pub use issued::{Issued, TokenId};
pub use keys::KeyId;
pub use message::{Answer, Client, Clients, Context, Request};
pub use settings::{Format, Settings, UnknownFormat};
pub use store::{Change, Changes, Store};
