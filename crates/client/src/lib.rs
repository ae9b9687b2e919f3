//! What a device embeds: connect, publish, subscribe; no heap.
#![no_std]
