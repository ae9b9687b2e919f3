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

pub mod revocation;
