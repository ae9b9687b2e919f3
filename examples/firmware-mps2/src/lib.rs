//! What a device of this folder stands on: one of two boards that QEMU emulates, and a network.
//!
//! A device of another board keeps `main.rs` and replaces this library.
#![no_std]

pub mod board;
pub mod command_line;
pub mod network;
