//! The key distribution centre in a broker's process: its key, what it is lent, and where its state goes.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, PoisonError};

use sedge_access::{Subject, Verb};
use sedge_authority::groups::{Evicted, GroupSettings, Groups, OperatorKey, PREFIX, Settings};
use sedge_authority::{Answer, Changes, Client, Clients, Context, Request};
use sedge_coap::Code;
use sedge_crypto::Entropy;
use sedge_group::keying::{Challenge, GroupPolicy};
use zeroize::Zeroizing;

use crate::admin::unix_seconds;
use crate::authority::{Lent, News};
use crate::config;
use crate::security::Provider;
use crate::state::State;
use crate::store::{Snapshot, StoreError};

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
    /// `tell` hears of new keys.
    ///
    /// # Errors
    /// It was done, and cannot be kept.
    pub(crate) async fn with_groups<T>(
        &self,
        run: impl FnOnce(&mut Groups, &mut Lent<'_>) -> T,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<Option<T>, StoreError> {
        self.for_member(None, run, tell).await
    }

    /// The same on behalf of whoever goes by these rights, and by no others.
    pub(crate) async fn for_member<T>(
        &self,
        member: Option<&Subject>,
        run: impl FnOnce(&mut Groups, &mut Lent<'_>) -> T,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<Option<T>, StoreError> {
        let mut run_out = None;
        self.lend_groups(member, |groups, lent| {
            let outcome = run(groups, lent);
            run_out = Some((outcome, groups.take_rekeyed(), groups.take_evicted()));
        });
        let Some((outcome, rekeyed, evicted)) = run_out else { return Ok(None) };
        for Evicted { member, topic } in &evicted {
            self.audit.evicted(member, topic);
        }
        // A key that nobody would know after a restart is told to nobody (RFC 9594 section 6).
        self.records.keep(&*self.store).await?;
        if !rekeyed.is_empty() {
            tell(News::Keys(Arc::new(rekeyed)));
        }
        Ok(Some(outcome))
    }

    /// What a member is told that observes what is at this path below `/ace-group`; `None` if no keys are given out here.
    pub(crate) fn group_observed(&self, member: &str, path: &[Vec<u8>]) -> Option<Answer> {
        let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let (code, content_format) = (Code::GET, None);
        let request =
            Request { requester: member, code, path: &path, query: &[], content_format, payload: &[] };
        let mut answer = None;
        self.lend_groups(None, |groups, lent| answer = Some(groups.observed(lent, &request)));
        answer
    }

    /// The challenge that a publisher is given with its token; `None` if no keys are given out here.
    pub(crate) fn group_challenge(&self, publisher: &str) -> Option<Challenge> {
        let mut challenge = None;
        self.lend_groups(None, |groups, lent| challenge = Some(groups.challenge_of(lent, publisher)));
        challenge
    }

    /// What it changes is noted in the order in which it happens.
    fn lend_groups(&self, member: Option<&Subject>, run: impl FnOnce(&mut Groups, &mut Lent<'_>)) {
        let mut changes = Changes::default();
        let mut rng = Entropy::new();
        // A panic elsewhere says nothing about the groups, each of which changes in one step.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lent = Context {
            // A key that was made while the clock was ahead would not grow old when that is put right.
            now: self.horizon.now(unix_seconds(), self.clock.now()),
            crypto: &Provider::default(),
            rng: &mut rng,
            clients: &Members { state: self, asking: member },
            store: &mut changes,
        };
        if let Some(groups) = groups.as_mut() {
            run(groups, &mut lent);
            self.records.note(changes);
        }
    }

    /// How groups are set up unless something else is said; `None` if no keys are given out here.
    pub(crate) fn group_defaults(&self) -> Option<GroupSettings> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.as_ref().map(Groups::defaults)
    }
}

/// Who may be in groups: enrolled devices, and whoever has shown a token, for as long as it is good. Both are known by one
/// name, so rights count together; but who asks to join is judged by what the session permits that it asks over.
struct Members<'s> {
    state: &'s State,
    asking: Option<&'s Subject>,
}

impl Clients for Members<'_> {
    fn client(&self, name: &str) -> Option<Client> {
        self.state.client(name)
    }

    fn resource_servers(&self) -> Vec<String> {
        self.state.resource_servers()
    }

    fn allows(&self, name: &str, verb: Verb, topic: &str) -> bool {
        let (now, policy) = (self.state.clock.now(), self.state.policy());
        let permits = |subject: &Subject| policy.decide(now, subject, verb, topic).is_allowed();
        match self.asking {
            Some(subject) if subject.name() == name => permits(subject),
            _ => {
                let bearers = || self.state.tokens.of_subject(name).into_iter();
                let tokens = || bearers().filter_map(|principal| self.state.subject_of_token(principal));
                self.state.allows(name, verb, topic) || tokens().any(|subject| permits(&subject))
            }
        }
    }
}
