//! Hostile datagrams against a real broker: each has no effect but on a counter that says why, and no other
//! session notices.
//!
//! Every case was a real failure of some implementation.

mod addresses;
mod flood;
mod forge;
mod handshakes;
mod messages;
mod records;
mod scene;
