//! Hostile datagrams against a real broker: each has no effect but on a counter that says why, and no other
//! session notices.
//!
//! Every case was a real failure of some implementation.

mod addresses;
mod certificates;
mod downgrade;
mod every_way;
mod flood;
mod forge;
mod fragments;
mod handshakes;
mod messages;
mod party;
mod paths;
mod records;
mod scene;
mod sessions;
mod site;
mod tickets;
mod tokens;
