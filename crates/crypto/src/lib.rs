//! The cryptographic operations that Sedge needs, as one trait, and the RustCrypto provider.
#![no_std]
