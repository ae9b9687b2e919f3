//! DTLS with Connection ID for constrained networks: sans-I/O, no heap.
#![no_std]
