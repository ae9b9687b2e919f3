//! What a handshake accepts, learned by trying: the language must be the RFC's and nothing more.
//!
//! A script plays the other side, with a transcript, keys and a Finished that fit whatever it sends: so a state machine
//! that can be talked into skipping a step (a missing CertificateVerify, an early Finished) is caught, which replaying
//! or reordering recorded datagrams would not do.
//!
//! From the start, every letter of the alphabet is tried; from wherever one was accepted, every letter again; and so
//! on until nothing new is accepted. What comes out is the whole tree of accepted prefixes, to be compared with the
//! words that the RFC allows.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

mod dtls12;
mod dtls13;
mod language;
#[path = "../scripts/mod.rs"]
mod scripts;
