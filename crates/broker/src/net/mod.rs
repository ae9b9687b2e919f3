//! Datagrams in batches: many per system call, in buffers that are made once, without a task per peer.

mod family;
mod inbox;
mod outbox;
mod path;
mod socket;

pub(crate) use inbox::{Head, Inbox};
pub(crate) use outbox::{Outbox, OutboxCounters};
pub(crate) use path::{Path, Via, Vias};
pub(crate) use socket::{Listener, open};

/// Datagrams per system call.
const BATCH: usize = 32;
