//! COSE and token claims against published examples, with each provider of cryptography.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should panic where it fails"
)]

/// Runs tests, functions of `&impl Crypto`, with each provider that there is.
macro_rules! for_every_provider {
    ($($test:ident),* $(,)?) => {
        mod rustcrypto {
            $(#[test] fn $test() { super::$test(&sedge_crypto::RustCrypto); })*
        }
        #[cfg(target_pointer_width = "64")]
        mod host {
            $(#[test] fn $test() { super::$test(&sedge_crypto::HostCrypto); })*
        }
    };
}

mod claims;
mod countersign;
mod examples;
mod headers;
mod keys;
mod messages;
mod support;
