//! What outlives the process: credentials, topics, retained values and the broker's own secrets.
//!
//! Everything is read once, at the start ([`Store::load`]); from then on the broker works from memory and hands
//! [`Change`]s to the store. Values are committed in groups ([`Urgency::Grouped`]); what an administrator does is
//! committed at once. [`RedbStore`] is the embedded implementation.

mod device;
mod dir;
mod pending;
mod redb;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sedge_pubsub::{Persist, TopicRecord, Value};
use tokio::sync::oneshot;

pub use device::{Device, DeviceCredential};
pub use dir::{DataDir, Lock};
pub use redb::{RedbOptions, RedbStore};

/// A place that keeps the broker's state.
///
/// All methods may be called from any thread. [`Store::submit`] never waits, so that a shard can call it while it
/// serves datagrams.
#[async_trait]
pub trait Store: Send + Sync {
    /// Everything that is kept.
    async fn load(&self) -> Result<Snapshot, StoreError>;

    /// Hands over a change and returns at once. `done`, if there is one, is called with the outcome when the change
    /// is on disk or was refused, from whatever thread finds out.
    ///
    /// A topic's change that was refused is tried again until it succeeds or a newer one replaces it: the broker's
    /// memory has it already, and its publisher may have been answered. Any other change is forgotten.
    fn submit(&self, change: Change, urgency: Urgency, done: Option<Done>);

    /// Whether the last commit succeeded. While it did not, values must not be acknowledged.
    fn health(&self) -> Result<(), StoreError>;

    /// Commits a change at once and waits for it.
    async fn commit(&self, change: Change) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        let done: Done = Box::new(move |result| drop(done.send(result)));
        self.submit(change, Urgency::AtOnce, Some(done));
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until everything submitted before is on disk.
    async fn flush(&self) -> Result<(), StoreError> {
        self.commit(Change::Nothing).await
    }
}

/// Called once with the outcome of a change.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// When a change is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Together with what else arrives within the commit interval.
    Grouped,
    /// Without waiting for others.
    AtOnce,
}

/// One change. It happens wholly or not at all.
#[derive(Clone, Debug)]
pub enum Change {
    /// Enrols a device, or replaces the one of the same name.
    Device(Device),
    /// Forgets the device of this name.
    RemoveDevice(String),
    /// Keeps what becomes of a topic and its value.
    Topic(Persist),
    /// Keeps one of the broker's own secrets under a name.
    Secret(String, Vec<u8>),
    /// Keeps the rules that hold, as CBOR.
    Policy(Vec<u8>),
    /// Keeps and forgets records of the authorisation server, all at once.
    Records(Vec<sedge_authority::Change>),
    /// Changes nothing, and is done when everything before it is.
    Nothing,
}

/// Everything a store keeps, in the order of names.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Who may connect.
    pub devices: Vec<Device>,
    /// Every topic, with its newest value.
    pub topics: Vec<(TopicRecord, Option<Value>)>,
    /// The rules that held last.
    pub policy: Option<Vec<u8>>,
    /// The records of the authorisation server by key.
    pub records: Vec<(String, zeroize::Zeroizing<Vec<u8>>)>,
    /// The broker's own secrets by name.
    pub secrets: Vec<(String, zeroize::Zeroizing<Vec<u8>>)>,
}

/// Why something could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The disk, or the user's share of it, is full.
    Full,
    /// The disk refuses to write or read.
    Io(Arc<str>),
    /// The file is no store, or not one that this version can read.
    Unreadable(Arc<str>),
    /// Another process has the store open.
    InUse,
    /// The store was closed before the change was committed.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full: free some space, the broker goes on by itself"),
            Self::Io(what) => write!(f, "the disk refuses: {what}"),
            Self::Unreadable(what) => write!(f, "the store cannot be read: {what}"),
            Self::InUse => f.write_str("the store is in use by another process"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full,
            _ => Self::Io(error.to_string().into()),
        }
    }
}

#[cfg(test)]
mod redb_tests;
