//! Where the authority's state is kept.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

/// Records by key, each of which is written whole. Keys are ASCII, and begin with the name of the part that they are of.
///
/// What is put here during a call is to be on disk before the answer of that call leaves.
pub trait Store {
    /// Keeps a record, in place of the one that has this key.
    fn put(&mut self, key: &str, record: &[u8]);
    /// Forgets the record with this key.
    fn remove(&mut self, key: &str);
}

/// Something to be kept or forgotten: what a [`Changes`] has collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Keep this record under this key. It may hold secrets.
    Put(String, Zeroizing<Vec<u8>>),
    /// Forget the record with this key.
    Remove(String),
}

/// A store that notes what is to be done, for hosts that do it later and all at once.
#[derive(Clone, Debug, Default)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// What is to be done, in order.
    pub fn into_vec(self) -> Vec<Change> {
        self.0
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Store for Changes {
    fn put(&mut self, key: &str, record: &[u8]) {
        self.0.push(Change::Put(key.into(), Zeroizing::new(record.into())));
    }

    fn remove(&mut self, key: &str) {
        self.0.push(Change::Remove(key.into()));
    }
}
