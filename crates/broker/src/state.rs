//! What a broker knows, whether it is serving or only being administered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sedge_access::Policy;
use sedge_authority::Authority;
use sedge_authority::groups::Groups;
use sedge_crypto::PublicKey;
use sedge_pubsub::{Rate, Settings, Topics};
use tokio::sync::Notify;

use crate::Directory;
use crate::admin::unix_seconds;
use crate::audit::Audit;
use crate::authority;
use crate::clock::Clock;
use crate::config::Config;
use crate::first_start;
use crate::groups;
use crate::horizon::Horizon;
use crate::records::Records;
use crate::remote::Remote;
use crate::security;
use crate::store::{Change, DataDir, RedbOptions, RedbStore, Store, StoreError, Urgency};
use crate::tokens::Tokens;

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
    /// The record of who did what.
    pub(crate) audit: Audit,
    /// Which tokens there are.
    pub(crate) authority: Mutex<Authority>,
    /// Who is in the groups of protected topics, and their keys, if they are given out here.
    pub(crate) groups: Mutex<Option<Groups>>,
    /// What of both is not in the store yet.
    pub(crate) records: Records,
    /// Rung when somebody may be in a group who may not be any more.
    pub(crate) review_groups: Notify,
    /// Which of them the broker was shown.
    pub(crate) tokens: Tokens,
    /// Where tokens come from, if that is elsewhere.
    pub(crate) remote: Option<Arc<Remote>>,
    /// Whether there are topics here; otherwise this is an authorisation server alone.
    pub(crate) serves_topics: bool,
    /// The one that only goes forward.
    pub(crate) clock: Clock,
    /// By when what is over is forgotten.
    pub(crate) horizon: Horizon,
}

impl State {
    /// Reads what the folder's store keeps. The caller holds the folder's lock.
    pub(crate) async fn open(dir: &DataDir, config: &Config) -> Result<Self, StoreError> {
        let store = RedbStore::open(&dir.store(), RedbOptions::from(&config.store))?;
        let audit = Audit::open_existing(dir)?;
        Self::load(Arc::new(store), config, security::public_key(dir), audit, None).await
    }

    /// Reads what `store` keeps.
    pub(crate) async fn load(
        store: Arc<dyn Store>,
        config: &Config,
        public_key: Option<PublicKey>,
        audit: Audit,
        remote: Option<Arc<Remote>>,
    ) -> Result<Self, StoreError> {
        let snapshot = store.load().await?;
        let mut groups =
            groups::open(&config.groups).map_err(|error| StoreError::Unreadable(error.into()))?;
        if let Some(groups) = &mut groups {
            groups::restore(groups, &snapshot)?;
        }
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
        // The configuration has the last word; this is for those who work on the store alone.
        let policy = snapshot.policy.as_deref().map(minicbor::decode).and_then(Result::ok);
        let policy = policy.and_then(|definition| Policy::new(definition).ok()).unwrap_or_default();
        let set_up = first_start::is_over(&snapshot.secrets);
        let clock = Clock::start();
        let mut authority = Authority::new(authority::settings(config));
        for (key, record) in &snapshot.records {
            // Others' are kept in the same place.
            let _mine = authority.restore(key, record);
        }
        let audience =
            remote.as_deref().map_or(config.authority.audience.as_str(), Remote::audience).to_owned();
        let state = Self {
            store,
            directory,
            public_key,
            topics: Mutex::new(topics),
            policy: RwLock::new(Arc::new(policy)),
            set_up,
            audit,
            authority: Mutex::new(authority),
            groups: Mutex::new(groups),
            records: Records::default(),
            review_groups: Notify::new(),
            tokens: Tokens::new(
                clock,
                audience,
                config.authority.uri.clone(),
                config.limits.tokens,
                remote.clone(),
            ),
            serves_topics: config.topics.enabled,
            clock,
            horizon: Horizon::start(&snapshot.records, unix_seconds(), clock.now()),
            remote,
        };
        state.recall_remote(&snapshot.records);
        state.begin_authority().await?;
        Ok(state)
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
        // Into memory this cannot fail.
        let bytes = minicbor::to_vec(policy.definition()).unwrap_or_default();
        self.store.submit(Change::Policy(bytes), Urgency::Grouped, None);
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
