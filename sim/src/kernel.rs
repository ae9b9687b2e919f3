//! Virtual time: what happens when, which chances, and the fingerprint of a run.
//!
//! A run has one thread and no clock. A [`Queue`] orders what will happen by time and then by the order in which
//! it was asked for; [`Streams`] splits one seed into a sequence for each purpose, so that one more draw in one
//! place changes nothing elsewhere; a [`Fingerprint`] takes in every event, so that two runs can be told apart by
//! 32 bytes.

mod fingerprint;
mod queue;
mod streams;

pub use fingerprint::Fingerprint;
pub use queue::Queue;
pub use streams::{Purpose, Streams};
