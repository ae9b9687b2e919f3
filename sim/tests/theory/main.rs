//! The simulator beside the formulas it has to agree with. Seeds are fixed: a test that fails has changed.

mod access;
mod coap;
mod contention;
mod determinism;
mod energy;
mod fragments;
mod queue;
mod wire;
