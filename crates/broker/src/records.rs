//! Records of the authorisation server and of the key distribution centre, on their way to the store.
//!
//! The memory has changed by then, so what cannot be kept is not forgotten: whoever comes next, and the process itself every
//! now and then, tries again. Otherwise a token that was revoked while the disk was full would be good again after a
//! restart, for nothing revokes it twice. And who asks meanwhile has to wait, so that nobody is told what a restart would
//! take back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sedge_authority::{Change, Changes};

use crate::store::{self, Store, StoreError};

/// What is to be kept, in the order in which it came about.
#[derive(Default)]
pub(crate) struct Records {
    noted: Mutex<Vec<Change>>,
    /// What is being kept, or could not be, by name.
    due: tokio::sync::Mutex<BTreeMap<String, Change>>,
}

impl Records {
    /// Notes changes. To be called while what they are about is locked: of the same record the last one counts.
    pub(crate) fn note(&self, changes: Changes) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(changes.into_vec());
    }

    /// Waits until everything noted before is kept.
    ///
    /// # Errors
    /// It cannot be kept, and is tried again by the next call.
    pub(crate) async fn keep(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut due = self.due.lock().await;
        for change in self.noted.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let (Change::Put(name, _) | Change::Remove(name)) = &change;
            let _older = due.insert(name.clone(), change);
        }
        if !due.is_empty() {
            store.commit(store::Change::Records(due.values().cloned().collect())).await?;
            due.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
