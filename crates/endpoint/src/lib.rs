//! One CoAP-over-DTLS endpoint: sessions, exchanges and timers, sans-I/O, no heap.
#![no_std]
