//! A small CA.
//!
//! [`Issuer`] signs what a [`Template`] says, whatever that is. [`Authority`] is the CA of a folder: it keeps the key,
//! chooses serial numbers, and remembers what it has issued, so that it can be revoked.
//!
//! Time and randomness are arguments here as everywhere. A chain with a fault, for a test:
//!
//! ```
//! # use sedge_crypto::{CryptoRng, RustCrypto};
//! # use sedge_x509::Validity;
//! # use sedge_x509::authority::{Issuer, PrivateKey, SerialNumber, Template};
//! # fn example(rng: &mut impl CryptoRng) -> Result<(), sedge_crypto::KeyError> {
//! let year = Validity { not_before: 1_767_225_600, not_after: 1_798_761_599 };
//! let root_key = PrivateKey::generate(&RustCrypto, rng)?;
//! let root = Template::ca("Example CA", Some(0), year);
//! let (issuer, root) = Issuer::self_signed(RustCrypto, &root_key, &root, &SerialNumber::random(rng), rng)?;
//!
//! let key = PrivateKey::generate(&RustCrypto, rng)?.public_key(&RustCrypto)?;
//! let expired = Template::client("boiler-7", Validity { not_before: 0, not_after: 1 });
//! let expired = issuer.issue(&expired, &SerialNumber::random(rng), &key, rng)?;
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod folder;
mod index;
mod issuer;
mod key;
mod list;
mod request;
mod template;
mod write;

pub use error::AuthorityError;
pub use file::{write_new, write_over};
pub use folder::{Authority, NewAuthority};
pub use index::Issued;
pub use issuer::{Issuer, SerialNumber};
pub use key::{PrivateKey, PrivateKeyError};
pub use list::RevocationList;
pub use request::{public_key_of_file, public_key_of_request};
pub use template::{AlternativeName, RawExtension, Template};
