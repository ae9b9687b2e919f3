//! The messages of ACE-OAuth ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200)): how a client asks an authorisation
//! server for a token, how it shows it to a resource server, and how both hear that it was revoked.
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

mod token_hash;

pub use token_hash::TokenHash;
