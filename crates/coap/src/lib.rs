//! CoAP: zero-copy codec, reliability, Observe and block-wise transfer, sans-I/O, no heap.
#![no_std]
