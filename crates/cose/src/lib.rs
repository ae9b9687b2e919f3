//! COSE ([RFC 9052](https://www.rfc-editor.org/rfc/rfc9052)), CBOR Web Tokens
//! ([RFC 8392](https://www.rfc-editor.org/rfc/rfc8392)) and the strict CBOR that both are made of; without a heap.
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

pub mod cbor;
