//! The authorisation server in a broker's process: what it is lent, where its state goes, and who hears of what it does.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use sedge_access::{Grants, Subject, Verb};
use sedge_authority::revocation::Share;
use sedge_authority::{Authority, Changes, Client, Clients, Context, Happened, Settings};
use sedge_crypto::Entropy;
use sedge_time::Instant;

use crate::Principal;
use crate::admin::unix_seconds;
use crate::audit::Actor;
use crate::config::{self, Config};
use crate::security::Provider;
use crate::state::State;
use crate::store::{Change, DeviceCredential, StoreError};

/// What an authorisation server is lent here.
pub(crate) type Lent<'a> = Context<'a, Provider, Entropy>;

/// What others have to hear of what the authorisation server, or the key distribution centre, has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Whoever has this number may do something else now.
    Rights(Principal),
    /// What can be observed has changed: the list of revoked tokens, or the keys of resource servers.
    Lists,
    /// The groups of these topics have new keys, or are no more.
    Keys(Arc<BTreeSet<String>>),
}

impl State {
    /// Has the authorisation server do something on behalf of `by`, and waits until what it changes is kept. What follows
    /// for tokens that the broker itself was shown is done, and recorded; `tell` hears what it changes for others.
    ///
    /// # Errors
    /// It was done, and cannot be kept.
    pub(crate) async fn authorise<T>(
        &self,
        by: &Actor,
        run: impl FnOnce(&mut Authority, &mut Lent<'_>) -> T,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<T, StoreError> {
        self.authorise_at(unix_seconds(), by, run, tell).await
    }

    /// Forgets what is over, and replaces the keys if they are older than `rotation`: by the [horizon](crate::horizon), not
    /// by the wall clock alone, which says `wall`.
    ///
    /// # Errors
    /// It was done, and cannot be kept.
    pub(crate) async fn keep_tokens(
        &self,
        wall: u64,
        now: Instant,
        rotation: u64,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<(), StoreError> {
        self.records.keep(&*self.store).await?;
        if let Some(change) = self.horizon.due(wall, now) {
            self.store.commit(Change::Records(vec![change])).await?;
        }
        let now = self.horizon.now(wall, now);
        let (is_over, is_old) = {
            let authority = self.authority();
            let is_old = |since: u64| since.saturating_add(rotation) <= now;
            (authority.deadline().is_some_and(|end| end <= now), authority.keys_since().is_some_and(is_old))
        };
        if !is_over && !is_old {
            return Ok(());
        }
        let by = Actor::process();
        let keep = |authority: &mut Authority, lent: &mut Lent<'_>| {
            _ = authority.expire(lent);
            if is_old {
                authority.rotate(lent);
                tracing::info!("the keys of tokens were replaced");
            }
        };
        self.authorise_at(now, &by, keep, tell).await
    }

    async fn authorise_at<T>(
        &self,
        now: u64,
        by: &Actor,
        run: impl FnOnce(&mut Authority, &mut Lent<'_>) -> T,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<T, StoreError> {
        let (outcome, happened, lists) = self.lend(now, |authority, lent| {
            let before = authority.revision();
            let outcome = run(authority, lent);
            let lists = authority.revision() != before;
            if lists {
                self.believe(authority);
            }
            (outcome, authority.take_happened(), lists)
        });
        let kept = self.records.keep(&*self.store).await;
        let mut revoked = Vec::new();
        for happened in &happened {
            // Nobody is shut out later because a disk is full.
            let Happened::Revoked(token) = happened else {
                if kept.is_ok() {
                    self.audit.tokens(by, happened);
                }
                continue;
            };
            self.audit.tokens(by, happened);
            revoked.push(token.hash);
        }
        for (principal, _) in self.tokens.revoke(revoked) {
            tell(News::Rights(principal));
        }
        if lists {
            tell(News::Lists);
        }
        kept.map(|()| outcome)
    }

    /// What an operator should know of the wall clock, if anything hangs on it.
    pub(crate) fn clock_warning(&self) -> Option<String> {
        let wall = unix_seconds();
        let looks_over = self.authority().deadline().is_some_and(|end| end <= wall);
        self.horizon.warning(wall, self.clock.now(), looks_over)
    }

    /// Asks the authorisation server something that changes nothing.
    pub(crate) fn consult<T>(&self, ask: impl FnOnce(&Authority, &Lent<'_>) -> T) -> T {
        self.lend(unix_seconds(), |authority, lent| ask(authority, lent))
    }

    /// Makes the first keys if there are none, and has tokens under them believed.
    pub(crate) async fn begin_authority(&self) -> Result<(), StoreError> {
        self.authorise(&Actor::process(), |authority, lent| authority.begin(lent), &|_| {}).await?;
        let authority = self.authority();
        let _shown = self.tokens.revoke(authority.revoked().full(Share::All).copied());
        self.believe(&authority);
        Ok(())
    }

    /// Issues tokens as the configuration of a broker says that starts, and has those do so who work on its store later.
    ///
    /// # Errors
    /// That cannot be kept.
    pub(crate) async fn configure_authority(&self, config: &Config) -> Result<(), StoreError> {
        let wanted = settings(config);
        if *self.authority().settings() != wanted {
            let by = Actor::process();
            self.authorise(&by, |authority, lent| authority.configure(wanted, lent), &|_| {}).await?;
        }
        Ok(())
    }

    /// The authorisation server.
    pub(crate) fn authority(&self) -> MutexGuard<'_, Authority> {
        // A panic elsewhere says nothing about the tokens, each of which changes in one step.
        self.authority.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it changes is noted in the order in which it happens.
    fn lend<T>(&self, now: u64, run: impl FnOnce(&mut Authority, &mut Lent<'_>) -> T) -> T {
        let mut changes = Changes::default();
        let mut rng = Entropy::new();
        let mut authority = self.authority();
        let mut lent =
            Context { now, crypto: &Provider::default(), rng: &mut rng, clients: self, store: &mut changes };
        let outcome = run(&mut authority, &mut lent);
        self.records.note(changes);
        outcome
    }

    /// Believes the tokens that this authorisation server issues, for whichever resource server they are: those that are
    /// for another one are then known to be. Where there are no topics, or tokens come from elsewhere, none of them.
    fn believe(&self, authority: &Authority) {
        if !self.serves_topics || self.remote.is_some() {
            return;
        }
        let crypto = Provider::default();
        let audiences = self.audiences(authority);
        let audiences = audiences.iter().flat_map(|audience| authority.audience_keys(&crypto, audience));
        self.tokens.set_keys(audiences.collect());
    }

    /// The resource servers for which there are tokens here.
    pub(crate) fn audiences(&self, authority: &Authority) -> Vec<String> {
        let configured = authority.settings().audiences.iter().cloned();
        configured.chain(self.resource_servers()).collect()
    }
}

impl State {
    /// What whoever has this number may do by its token. The segment is that of the device that the token was issued to.
    pub(crate) fn subject_of_token(&self, principal: Principal) -> Option<Arc<Subject>> {
        let shown = self.tokens.get(principal)?;
        let device = self.directory.by_name(&shown.subject);
        let segment = device.as_ref().and_then(|device| device.segment.as_deref());
        self.tokens.subject(principal, segment)
    }
}

/// How the configuration has tokens issued.
pub(crate) fn settings(config: &Config) -> Settings {
    let config::Config { authority: config, topics, .. } = config;
    let own = topics.enabled.then(|| config.audience.clone());
    Settings {
        audiences: own.into_iter().chain(config.audiences.iter().cloned()).collect(),
        lifetime: config.lifetime.as_secs(),
        format: config.protection.into(),
        max_tokens: config.max_tokens,
    }
}

impl Clients for State {
    fn client(&self, name: &str) -> Option<Client> {
        let device = self.directory.by_name(name)?;
        let policy = self.policy();
        let mut grants = device.grants.clone();
        if !grants.is_administrator() {
            let roles = policy.definition().roles.iter().filter(|role| device.roles.contains(&role.name));
            let own = grants.list().iter().cloned();
            grants = own.chain(roles.flat_map(|role| role.grants.list().iter().cloned())).collect::<Grants>();
        }
        let public_key = match &device.credential {
            DeviceCredential::PublicKey(key) => Some(*key),
            DeviceCredential::Psk { .. } | DeviceCredential::Certificate(_) => None,
        };
        Some(Client { grants, public_key, is_resource_server: device.resource_server })
    }

    fn resource_servers(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.directory.page("", |device| {
            if device.resource_server {
                names.push(device.name.clone());
            }
            true
        });
        names
    }

    fn allows(&self, name: &str, verb: Verb, topic: &str) -> bool {
        let device = self.directory.by_name(name);
        // Devices' rights do not end by themselves, so the time does not matter.
        let now = sedge_time::Instant::EPOCH;
        device.is_some_and(|device| self.policy().decide(now, &device.subject(), verb, topic).is_allowed())
    }
}

#[cfg(test)]
mod tests {
    use sedge_access::Permissions;
    use sedge_authority::Issue;
    use sedge_time::Duration;

    use super::*;
    use crate::store::DataDir;

    const HOUR: u64 = 3600;

    /// The numbers of tokens that are known, and of those that are known to be revoked; and how old the keys are.
    fn known(state: &State) -> (usize, usize, Option<u64>) {
        let authority = state.authority();
        (authority.tokens().count(), authority.revoked().full(Share::All).count(), authority.keys_since())
    }

    /// Over two starts with a clock that is a year ahead nothing is forgotten and no key is replaced, and what ends does so
    /// in its time when the clock is right again.
    #[tokio::test]
    async fn a_clock_that_was_ahead_has_nothing_forgotten() {
        let temporary = tempfile::tempdir().unwrap();
        let (dir, config) = (DataDir::new(temporary.path()), Config::default());
        let (right, rotation) = (unix_seconds(), config.authority.rotation.as_secs());
        let scope = Grants::none().with("a".parse().unwrap(), Permissions::READ);
        let issue = Issue {
            subject: "visitor",
            audience: None,
            scope: Some(&scope),
            lifetime: Some(4 * HOUR),
            not_before: None,
            format: None,
            public_key: None,
        };
        let mut before = None;
        for _ in 0..2 {
            let state = State::open(&dir, &config).await.unwrap();
            if before.is_none() {
                let by = Actor::process();
                let issued = state.authorise(
                    &by,
                    |authority, lent| {
                        let _good = authority.issue(&issue, lent).unwrap();
                        let revoked = authority.issue(&issue, lent).unwrap().issued.id;
                        authority.revoke(&revoked, lent)
                    },
                    &|_| {},
                );
                assert!(issued.await.unwrap().is_some());
                before = Some(known(&state));
            }
            let (ahead, now) = (right + 365 * 24 * HOUR, state.clock.now());
            for second in [0, 1, HOUR / 2] {
                let later = now + Duration::from_secs(second);
                state.keep_tokens(ahead + second, later, rotation, &|_| {}).await.unwrap();
                assert_eq!(Some(known(&state)), before);
            }
        }
        let state = State::open(&dir, &config).await.unwrap();
        assert_eq!(Some(known(&state)), before);
        for (passed, left) in [(4 * HOUR - 60, 2), (4 * HOUR + 60, 0)] {
            let now = state.clock.now() + Duration::from_secs(passed);
            state.keep_tokens(right + passed, now, rotation, &|_| {}).await.unwrap();
            assert_eq!(known(&state).0, left);
        }
        assert_eq!(known(&state).1, 0);
    }
}
