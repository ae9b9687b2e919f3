//! Disks that refuse, and recover.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sedge_access::{Grants, Permissions};
use sedge_authority::Issue;
use sedge_authority::groups::{GroupSettings, Groups};

use crate::audit::{Actor, Audit};
use crate::config::Config;
use crate::state::State;
use crate::store::{Change, DataDir, Done, RedbOptions, RedbStore, Snapshot, Store, StoreError, Urgency};

/// A store whose disk is full at times.
struct Moody {
    store: RedbStore,
    full: AtomicBool,
}

#[async_trait]
impl Store for Moody {
    async fn load(&self) -> Result<Snapshot, StoreError> {
        self.store.load().await
    }

    fn submit(&self, change: Change, urgency: Urgency, done: Option<Done>) {
        match done {
            Some(done) if self.full.load(Ordering::SeqCst) => done(Err(StoreError::Full)),
            done => self.store.submit(change, urgency, done),
        }
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

async fn open(dir: &DataDir, config: &Config) -> (State, Arc<Moody>) {
    let store = RedbStore::open(&dir.store(), RedbOptions::from(&config.store)).unwrap();
    let store = Arc::new(Moody { store, full: AtomicBool::new(false) });
    let audit = Audit::open_existing(dir).unwrap();
    (State::load(store.clone(), config, None, audit, None).await.unwrap(), store)
}

/// A token that was revoked while the disk was full is revoked, at once and after a restart.
#[tokio::test]
async fn what_was_revoked_on_a_full_disk_stays_revoked() {
    let temporary = tempfile::tempdir().unwrap();
    let (dir, config) = (DataDir::new(temporary.path()), Config::default());
    let (state, store) = open(&dir, &config).await;
    let by = Actor::process();
    let scope = Grants::none().with("a".parse().unwrap(), Permissions::READ);
    let issue = Issue {
        subject: "visitor",
        audience: None,
        scope: Some(&scope),
        lifetime: Some(3600),
        not_before: None,
        format: None,
        public_key: None,
    };
    let issued = state.authorise(&by, |authority, lent| authority.issue(&issue, lent), &|_| {}).await;
    let issued = issued.unwrap().unwrap();
    store.full.store(true, Ordering::SeqCst);
    let revoke = || {
        state.authorise(&by, |authority, lent| authority.revoke(&issued.issued.id, lent).is_some(), &|_| {})
    };
    assert_eq!(revoke().await, Err(StoreError::Full));
    assert!(state.tokens.is_revoked(&issued.token), "nobody has to wait for a disk to be shut out");
    assert_eq!(revoke().await, Err(StoreError::Full), "it is still not kept");
    store.full.store(false, Ordering::SeqCst);
    assert_eq!(revoke().await, Ok(false), "there is nothing to do but to keep it");
    drop((state, store));
    let (state, _store) = open(&dir, &config).await;
    assert!(state.tokens.is_revoked(&issued.token));
}

/// A key that would be forgotten by a restart is told to nobody, not even to who asks later.
#[tokio::test]
async fn nobody_is_told_of_a_group_that_is_not_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let key = temporary.path().join("groups.key");
    std::fs::write(&key, [b'7'; 64]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut config = Config::default();
    (config.groups.enabled, config.groups.key_file) = (true, key);
    let dir = DataDir::new(temporary.path().join("broker"));
    dir.create().unwrap();
    let (state, store) = open(&dir, &config).await;
    let settings = GroupSettings::default();
    let known = |groups: &mut Groups| groups.list().count();
    store.full.store(true, Ordering::SeqCst);
    let created = state.with_groups(|groups, lent| groups.create(lent, "a", settings).is_ok(), &|_| {});
    assert_eq!(created.await, Err(StoreError::Full));
    assert_eq!(state.with_groups(|groups, _| known(groups), &|_| {}).await, Err(StoreError::Full));
    store.full.store(false, Ordering::SeqCst);
    assert_eq!(state.with_groups(|groups, _| known(groups), &|_| {}).await, Ok(Some(1)));
    drop((state, store));
    let (state, _store) = open(&dir, &config).await;
    assert_eq!(state.with_groups(|groups, _| known(groups), &|_| {}).await, Ok(Some(1)));
}
