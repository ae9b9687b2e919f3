//! The key distribution centre in a broker's process: its key, what it is lent, and where its state goes.

use std::os::unix::fs::MetadataExt as _;
use std::sync::PoisonError;

use sedge_authority::groups::{GroupSettings, Groups, OperatorKey, PREFIX, Settings};
use sedge_authority::{Changes, Context};
use sedge_crypto::Entropy;
use sedge_group::keying::GroupPolicy;
use zeroize::Zeroizing;

use crate::admin::unix_seconds;
use crate::authority::Lent;
use crate::config;
use crate::security::Provider;
use crate::state::State;
use crate::store::{Change, Snapshot, StoreError};

/// The centre that the configuration asks for, without groups yet.
///
/// # Errors
/// There is no key to seal with, as one line that says what to do.
pub(crate) fn open(config: &config::Groups) -> Result<Option<Groups>, String> {
    if !config.enabled {
        return Ok(None);
    }
    let path = &config.key_file;
    let make =
        "make one with `(umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > groups.key)`";
    if path.as_os_str().is_empty() {
        return Err(format!(
            "[groups] enabled = true needs key_file, the key that group keys are sealed under: {make}"
        ));
    }
    let in_file = |what: &dyn std::fmt::Display| format!("groups.key_file {}: {what}", path.display());
    let bytes = std::fs::read(path).map_err(|error| in_file(&format_args!("{error}: {make}")))?;
    let bytes = Zeroizing::new(bytes);
    let mode = path.metadata().map_err(|error| in_file(&error))?.mode();
    if mode & 0o077 != 0 {
        return Err(in_file(&"others can read it: chmod 600"));
    }
    let crypto = Provider::default();
    let key = OperatorKey::new(&crypto, &bytes).map_err(|error| in_file(&format_args!("{error}: {make}")))?;
    Ok(Some(Groups::new(&crypto, key, settings(config))))
}

fn settings(config: &config::Groups) -> Settings {
    let check_interval = u32::try_from(config.check_interval.as_secs()).unwrap_or(u32::MAX);
    let policy =
        GroupPolicy { signed: config.signed, check_interval: Some(check_interval), content_format: None };
    Settings {
        auto_create: config.auto_create,
        group: GroupSettings { cipher: config.cipher, policy, key_lifetime: config.key_lifetime.as_secs() },
        max_groups: config.max,
    }
}

/// Takes in what the store has of groups.
pub(crate) fn restore(groups: &mut Groups, snapshot: &Snapshot) -> Result<(), StoreError> {
    let mine = snapshot.records.iter().filter(|(key, _)| key.starts_with(PREFIX));
    for (key, record) in mine {
        let restored = groups.restore(&Provider::default(), key, record);
        restored.map_err(|error| {
            let what = format!("{error}: is groups.key_file the right one?");
            StoreError::Unreadable(what.into())
        })?;
    }
    Ok(())
}

impl State {
    /// Has the key distribution centre do something, and waits until what it changes is kept; `None` if there is none.
    ///
    /// # Errors
    /// It was done, and cannot be kept.
    pub(crate) async fn with_groups<T>(
        &self,
        run: impl FnOnce(&mut Groups, &mut Lent<'_>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let (outcome, changes) = self.run_groups(run);
        if !changes.is_empty() {
            self.store.commit(Change::Records(changes.into_vec())).await?;
        }
        Ok(outcome)
    }

    fn run_groups<T>(&self, run: impl FnOnce(&mut Groups, &mut Lent<'_>) -> T) -> (Option<T>, Changes) {
        let mut changes = Changes::default();
        let mut rng = Entropy::new();
        // A panic elsewhere says nothing about the groups, each of which changes in one step.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lent = Context {
            now: unix_seconds(),
            crypto: &Provider::default(),
            rng: &mut rng,
            clients: self,
            store: &mut changes,
        };
        let outcome = groups.as_mut().map(|groups| run(groups, &mut lent));
        (outcome, changes)
    }

    /// How groups are set up unless something else is said; `None` if no keys are given out here.
    pub(crate) fn group_defaults(&self) -> Option<GroupSettings> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.as_ref().map(Groups::defaults)
    }
}
