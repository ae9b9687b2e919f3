//! Which notification a rejection is about.

pub(super) use sedge_pubsub::Resets;
