//! The cryptographic operations that Sedge needs, as one trait, and providers of them.
//!
//! Protocol code is generic over [`Crypto`] and never names an algorithm's implementation, so that firmware can
//! put its accelerator behind the same few methods. There are
//! - [`RustCrypto`], the portable provider: pure Rust, no heap, and on hosts it finds the processor's AES and SHA
//!   instructions at run time;
//! - [`Rfc7925`], which leaves out of another one what constrained nodes need not have;
//! - [`Layer`], for one that does some of it, such as an accelerator, and has another do the rest;
//! - `HostCrypto`, with the feature `host`: for servers, whose elliptic curves are AWS-LC's. It takes a C compiler
//!   to build. Beside it `Entropy` hands out the operating system's randomness.
//!
//! Randomness is an argument wherever it is needed, as [`CryptoRng`].
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

mod aead;
#[cfg(feature = "host")]
mod entropy;
mod hkdf;
#[cfg(feature = "host")]
mod host;
mod key;
mod layer;
mod provider;
mod rfc7925;
mod rustcrypto;
mod secret;
mod signature;
mod spki;

pub use aead::{Aead, AeadError, Tag};
#[cfg(feature = "host")]
pub use entropy::Entropy;
pub use hkdf::{hkdf_expand, hkdf_expand_into, hkdf_extract};
#[cfg(feature = "host")]
pub use host::{HostCrypto, HostEphemeralKey, HostSigningKey};
pub use key::{KeyError, KeyShare, NamedGroup, PublicKey};
pub use layer::Layer;
pub use provider::{Crypto, Hash, Mac};
pub use rand_core::{CryptoRng, Rng, TryCryptoRng, TryRng};
pub use rfc7925::Rfc7925;
pub use rustcrypto::{RustCrypto, RustEphemeralKey, RustHash, RustMac, RustSigningKey};
pub use secret::{Secret, constant_time_eq};
pub use signature::Signature;
pub use spki::{SUBJECT_PUBLIC_KEY_INFO_LEN, public_key_from_info, subject_public_key_info};
