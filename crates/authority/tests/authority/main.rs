//! The authorisation server as its clients, its resource servers and its administrators see it.

mod endpoints;
mod keeping;
mod support;
