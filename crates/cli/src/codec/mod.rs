//! Payloads, for people and for scripts.

pub(crate) mod format;
pub(crate) mod hex;
pub(crate) mod senml;
pub(crate) mod value;
