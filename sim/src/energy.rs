//! What a node's parts draw, for how long, and what a battery makes of it.

mod meter;
mod processor;
mod profile;

pub use meter::{Battery, Energy, Meter};
pub use processor::Processor;
pub use profile::{Figure, Profile, ProfileError};
