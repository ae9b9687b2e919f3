//! The authorisation server in a broker's process: what it is lent, and where its state goes.

use std::sync::{Arc, MutexGuard, PoisonError};

use sedge_access::{Grants, Subject, Verb};
use sedge_authority::revocation::Share;
use sedge_authority::{Authority, Changes, Client, Clients, Context, Settings};
use sedge_crypto::Entropy;

use crate::Principal;
use crate::admin::unix_seconds;
use crate::config;
use crate::security::Provider;
use crate::state::State;
use crate::store::{Change, DeviceCredential, StoreError};

/// What an authorisation server is lent here.
pub(crate) type Lent<'a> = Context<'a, Provider, Entropy>;

impl State {
    /// Has the authorisation server do something, and waits until what it changes is kept. What follows for tokens that
    /// the broker itself was shown is done; `changed` hears whose rights that changes.
    ///
    /// # Errors
    /// It was done, and cannot be kept.
    pub(crate) async fn authorise<T>(
        &self,
        run: impl FnOnce(&mut Authority, &mut Lent<'_>) -> T,
        changed: &(dyn Fn(Principal) + Sync),
    ) -> Result<T, StoreError> {
        let (outcome, changes, revoked) = self.run_authority(run);
        if !changes.is_empty() {
            self.store.commit(Change::Records(changes.into_vec())).await?;
        }
        self.tokens.revoke(revoked).into_iter().for_each(changed);
        Ok(outcome)
    }

    /// Makes the first keys if there are none, and has tokens under them believed.
    pub(crate) async fn begin_authority(&self) -> Result<(), StoreError> {
        self.authorise(|authority, lent| authority.begin(lent), &|_| {}).await?;
        let authority = self.authority();
        self.tokens.revoke(authority.revoked().full(Share::All).copied());
        self.believe(&authority);
        Ok(())
    }

    /// Issues tokens as the configuration of a broker says that starts, and has those do so who work on its store later.
    ///
    /// # Errors
    /// That cannot be kept.
    pub(crate) async fn configure_authority(&self, config: &config::Authority) -> Result<(), StoreError> {
        let wanted = settings(config);
        if *self.authority().settings() != wanted {
            self.authorise(|authority, lent| authority.configure(wanted, lent), &|_| {}).await?;
        }
        Ok(())
    }

    /// The authorisation server.
    pub(crate) fn authority(&self) -> MutexGuard<'_, Authority> {
        // A panic elsewhere says nothing about the tokens, each of which changes in one step.
        self.authority.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_authority<T>(
        &self,
        run: impl FnOnce(&mut Authority, &mut Lent<'_>) -> T,
    ) -> (T, Changes, Vec<sedge_ace::TokenHash>) {
        let mut changes = Changes::default();
        let mut rng = Entropy::new();
        let mut authority = self.authority();
        let mut lent = Context {
            now: unix_seconds(),
            crypto: &Provider::default(),
            rng: &mut rng,
            clients: self,
            store: &mut changes,
        };
        let outcome = run(&mut authority, &mut lent);
        let revoked = authority.take_revoked();
        if !changes.is_empty() {
            self.believe(&authority);
        }
        (outcome, changes, revoked)
    }

    /// Believes the tokens that this authorisation server issues, for whichever resource server they are: those that are
    /// for another one are then known to be.
    pub(crate) fn believe(&self, authority: &Authority) {
        let crypto = Provider::default();
        let audiences = authority.settings().audiences.iter();
        let keys = audiences.flat_map(|audience| authority.audience_keys(&crypto, audience)).collect();
        self.tokens.set_keys(keys);
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
pub(crate) fn settings(config: &config::Authority) -> Settings {
    let own = std::iter::once(config.audience.clone());
    Settings {
        audiences: own.chain(config.audiences.iter().cloned()).collect(),
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
        Some(Client { grants, public_key })
    }

    fn allows(&self, name: &str, verb: Verb, topic: &str) -> bool {
        let device = self.directory.by_name(name);
        // Devices' rights do not end by themselves, so the time does not matter.
        let now = sedge_time::Instant::EPOCH;
        device.is_some_and(|device| self.policy().decide(now, &device.subject(), verb, topic).is_allowed())
    }
}
