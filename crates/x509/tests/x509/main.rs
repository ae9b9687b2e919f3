//! Certificates good and bad, made by this crate and by OpenSSL, judged by both.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should panic where it fails"
)]

mod counting;
mod faults;
mod folder;
mod form;
mod names;
mod openssl;
mod support;
