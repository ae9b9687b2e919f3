//! Networks in which every device has one link, to a base station or a central: models of their states and times,
//! not of their frames.
//!
//! Node 0 is the base station or central, with everything behind it; packets between two devices go through it.

mod ble;
mod cellular;

pub use ble::Ble;
pub(crate) use ble::Connections;
pub(crate) use cellular::Cell;
pub use cellular::Cellular;

#[cfg(test)]
mod tests;
