//! COSE ([RFC 9052](https://www.rfc-editor.org/rfc/rfc9052)), CBOR Web Tokens
//! ([RFC 8392](https://www.rfc-editor.org/rfc/rfc8392)) and the strict CBOR that both are made of; without a heap.
//!
//! | module or type | what it is |
//! |---|---|
//! | [`cbor`] | deterministic CBOR: decoder, encoder, diagnostic notation |
//! | [`Encrypt0`], [`Mac0`], [`Sign1`] | messages: a view that checks once, and a way to make them |
//! | [`Headers`], [`Header`] | header parameters as they are read, and a bucket of them to be written |
//! | [`countersign`] | countersignatures, version 2 ([RFC 9338](https://www.rfc-editor.org/rfc/rfc9338)) |
//! | [`CoseKey`] | keys |
//! | [`Claims`] | what a token says, and whether it says so to us and now |
//!
//! Views borrow the message. What is encrypted is decrypted where it stands. What is signed or authenticated goes into
//! the hash piece by piece; only the additional data of a cipher is put together first, in [`MAX_AAD`] bytes.
//!
//! A message for one reader, as it protects a value end to end:
//!
//! ```
//! use sedge_cose::{Algorithm, Encrypt0, Envelope, Header, SymmetricKey};
//! use sedge_crypto::{RustCrypto, Secret};
//!
//! let (secret, nonce) = (Secret::new([7; 16]), [1; 13]);
//! let key = SymmetricKey::new(Algorithm::AES_CCM_16_64_128, secret.expose())?;
//!
//! let mut buffer = [0; 64];
//! let unprotected = Header { kid: Some(b"g1"), partial_iv: Some(&[5]), ..Header::default() };
//! let envelope = Envelope { unprotected, ..Envelope::default() };
//! let message = Encrypt0::seal(&RustCrypto, &key, &nonce, &envelope, b"21.5", &mut buffer)?;
//!
//! let received = Encrypt0::parse(message)?;
//! assert_eq!(received.headers().kid(), Some(&b"g1"[..]));
//! let plaintext = received.open(&RustCrypto, &key, &nonce, b"")?;
//! assert_eq!(plaintext, b"21.5");
//! # Ok::<_, sedge_cose::Error>(())
//! ```
//!
//! Left out, each an [`Error`] when met: recipients (COSE_Encrypt, COSE_Mac) and several signers (COSE_Sign), algorithms
//! beyond those of [`Algorithm`], compressed points, critical parameters other than the common ones of RFC 9052.
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

mod algorithm;
pub mod cbor;
mod claims;
mod confirmation;
pub mod countersign;
mod encrypt0;
mod error;
mod header;
mod key;
mod mac0;
mod message;
mod sign1;
mod structure;

pub use algorithm::{Algorithm, SymmetricKey};
pub use claims::{Audience, Claims, Expected, Invalid, NumericDate, Scope};
pub use confirmation::{Confirmation, OscoreInput};
pub use encrypt0::{Encrypt0, MAX_AAD};
pub use error::Error;
pub use header::{Header, Headers, Nonce};
pub use key::{CoseKey, Curve, KeyOp, KeyOps, Material, Y};
pub use mac0::Mac0;
pub use message::{CWT_TAG, Envelope, Message};
pub use sign1::Sign1;
