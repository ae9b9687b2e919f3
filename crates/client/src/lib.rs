//! What a device embeds: connect, publish, subscribe; no heap.
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
mod credential;

#[cfg(feature = "std")]
pub use credential::{Credential, CredentialError};
