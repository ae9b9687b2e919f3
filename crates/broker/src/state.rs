//! What a broker knows, whether it is serving or only being administered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sedge_access::Policy;
use sedge_crypto::PublicKey;
use sedge_pubsub::{Rate, Settings, Topics};

use crate::Directory;
use crate::config::Config;
use crate::first_start;
use crate::security;
use crate::store::{DataDir, RedbOptions, RedbStore, Store, StoreError};

/// The broker's memory, and the store behind it. Shared by all shards and by administration.
pub(crate) struct State {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) directory: Directory,
    /// The broker's own.
    pub(crate) public_key: Option<PublicKey>,
    topics: Mutex<Topics>,
    /// The rules that hold: replaced as a whole.
    policy: RwLock<Arc<Policy>>,
    set_up: bool,
}

impl State {
    /// Reads what the folder's store keeps. The caller holds the folder's lock.
    pub(crate) async fn open(dir: &DataDir, config: &Config) -> Result<Self, StoreError> {
        let store = RedbStore::open(&dir.store(), RedbOptions::from(&config.store))?;
        Self::load(Arc::new(store), config, security::public_key(dir)).await
    }

    /// Reads what `store` keeps.
    pub(crate) async fn load(
        store: Arc<dyn Store>,
        config: &Config,
        public_key: Option<PublicKey>,
    ) -> Result<Self, StoreError> {
        let snapshot = store.load().await?;
        let directory = Directory::default();
        for device in snapshot.devices {
            let name = device.name.clone();
            if let Err(taken) = directory.insert(device) {
                tracing::error!(device = name, ?taken, "the store holds a device twice; it was left out");
            }
        }
        let mut topics = Topics::new(settings(config));
        for (record, value) in snapshot.topics {
            let name = record.identity.name.clone();
            if let Err(refusal) = topics.restore(record, value) {
                tracing::error!(topic = name.as_str(), %refusal, "the store holds a topic twice; it was left out");
            }
        }
        let set_up = first_start::is_over(&snapshot.secrets);
        Ok(Self {
            store,
            directory,
            public_key,
            topics: Mutex::new(topics),
            policy: RwLock::default(),
            set_up,
        })
    }

    /// Whether the first start on this store is over.
    pub(crate) const fn is_set_up(&self) -> bool {
        self.set_up
    }

    /// The rules that hold.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has other rules hold. Whoever works by the old ones is to be told.
    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// All topics. Calls on them are short: the lock is never held while anything is waited for.
    pub(crate) fn topics(&self) -> MutexGuard<'_, Topics> {
        // A panic elsewhere says nothing about the topics, each of which changes in one step.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        auto_create: config.topics.auto_create,
        max_topics: config.topics.max,
        history: config.topics.history,
        history_bytes: config.topics.history_bytes,
        max_value: u32::try_from(config.limits.body_bytes).unwrap_or(u32::MAX),
        rate: Rate { per_second: config.topics.publishes_per_second, burst: config.topics.publish_burst },
        durable: config.topics.durable,
    }
}
