//! The behaviour that draft-ietf-core-coap-pubsub-21 (and the RFCs it builds on) lays down, sentence by
//! sentence, with requests and answers as CoAP messages.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod access;
mod broker;
mod collection;
mod configuration;
mod data;
mod delivery;
mod life;
mod store;
mod subscribe;
