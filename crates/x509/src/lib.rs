//! X.509 certificates for constrained devices.
//!
//! One kind of certificate only: version 3, a P-256 key, signed with ECDSA and SHA-256, as the profiles for
//! constrained devices have it ([RFC 7925](https://www.rfc-editor.org/rfc/rfc7925)). Everything else is refused with
//! an [`Error`] that knows its TLS alert.
//!
//! - [`Certificate`] is a strict view over the bytes of a certificate. It needs no heap.
//! - [`PinnedIssuer`] is the check that a device can afford: one issuer, known by its key.
//!
//! With the feature `std`, for hosts:
//!
//! - `Verifier` validates chains up to trust anchors, with revocation.
//! - `authority` is a small CA. It makes whatever certificate it is told to, faulty ones for tests included.
#![cfg_attr(not(feature = "std"), no_std)]
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

mod certificate;
mod der;
mod error;
mod expected;
mod extension;
mod general_name;
mod name;
mod pinned;
mod time;

#[cfg(feature = "std")]
mod anchors;
#[cfg(feature = "std")]
pub mod authority;
#[cfg(feature = "std")]
mod crl;
#[cfg(feature = "std")]
mod pem;
#[cfg(feature = "std")]
mod signatures;
#[cfg(feature = "std")]
mod verifier;

pub use certificate::Certificate;
pub use error::Error;
pub use expected::{Expected, PeerName, Usage};
pub use extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
pub use general_name::{GeneralName, SubjectAltName};
pub use name::Name;
pub use pinned::PinnedIssuer;
pub use time::Validity;

#[cfg(feature = "std")]
pub use anchors::TrustAnchors;
#[cfg(feature = "std")]
pub use crl::{CertificateRevocationList, Revocation};
#[cfg(feature = "std")]
pub use pem::{FileError, FileErrorReason, certificates, to_pem};
#[cfg(feature = "std")]
pub use signatures::EcdsaP256Sha256;
#[cfg(feature = "std")]
pub use verifier::{Limits, Verifier};
