//! The messages of ACE-OAuth ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200)): how a client asks an authorisation
//! server for a token, how it shows it to a resource server, and how both hear that it was revoked.
//!
//! Every message is a view that borrows the bytes it was read from, and writes itself into a buffer of the caller's.
//! Reading is strict ([`sedge_cose::cbor`]): what could be read in two ways is refused; parameters that are not known
//! are passed over, as the RFCs want it.
//!
//! ```
//! use sedge_ace::{Scope, TokenRequest};
//!
//! let scope = Scope::Bytes(&[0x81, 0x82, 0x61, b't', 0x04]);
//! let request = TokenRequest { audience: Some("plant-a"), scope: Some(scope), ..TokenRequest::default() };
//! let mut buffer = [0; 64];
//! let body = request.encode(&mut buffer)?;
//! assert_eq!(TokenRequest::decode(body), Ok(request));
//! # Ok::<_, sedge_cose::cbor::NoRoom>(())
//! ```
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

mod access_token;
mod error;
mod hints;
mod introspection;
mod parameter;
mod psk_identity;
mod scope;
mod token;
mod token_hash;
mod token_keys;
mod trl;

pub use access_token::{TokenError, open_token};
pub use error::{ErrorCode, ErrorResponse};
pub use hints::CreationHints;
pub use introspection::{IntrospectionRequest, IntrospectionResponse};
pub use psk_identity::{DERIVED_KEY_LEN, PskIdentity, derive_key};
pub use scope::Profile;
pub use sedge_cose::Scope;
pub use token::{TokenRequest, TokenRequestError, TokenResponse};
pub use token_hash::TokenHash;
pub use token_keys::TokenKeys;
pub use trl::{Patch, TrlError, TrlQuery, TrlResponse, encode_diff, encode_full};

#[cfg(test)]
mod same_work;
#[cfg(test)]
mod tests;
