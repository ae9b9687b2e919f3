//! A broker whose tokens come from an authorisation server elsewhere: who that is, how the broker stands with it, and what
//! the broker has from it.
//!
//! The keys of tokens and the list of those that are revoked are kept in the store, so that a broker that starts while the
//! authorisation server is away knows what it knew before.

mod follow;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sedge_ace::{TokenHash, TokenKeys, TrlResponse};
use sedge_authority as authority;
use sedge_client::Credential;
use sedge_client::tokio::Address;
use sedge_pubsub::ETag;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::authority::News;
use crate::config;
use crate::state::State;
use crate::store::{Change, StoreError};

pub(crate) use follow::follow;

/// An authorisation server elsewhere, and how the broker stands with it.
pub(crate) struct Remote {
    address: Address,
    credential: Credential,
    poll: Duration,
    standing: Mutex<Standing>,
    /// What the store has of it.
    kept_keys: Mutex<Option<ETag>>,
    kept_list: Mutex<Option<ETag>>,
    /// Tokens to ask about, if that is to be done.
    questions: Option<mpsc::Sender<Zeroizing<Vec<u8>>>>,
    asked: Mutex<Option<mpsc::Receiver<Zeroizing<Vec<u8>>>>>,
    counters: Counters,
}

/// Whether it can be heard.
#[derive(Debug)]
enum Standing {
    Connected,
    Away { since: Instant, why: String },
}

#[derive(Debug, Default)]
struct Counters {
    connected: AtomicU64,
    lost: AtomicU64,
    failed: AtomicU64,
    keys: AtomicU64,
    lists: AtomicU64,
    revoked: AtomicU64,
    introspected: AtomicU64,
    not_understood: AtomicU64,
}

/// Something that the authorisation server says, and may say again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Keys,
    Revoked,
}

/// So many tokens wait to be asked about; what exceeds it is not asked about.
const QUESTIONS: usize = 256;

fn count(counter: &AtomicU64) {
    let _before = counter.fetch_add(1, Ordering::Relaxed);
}

impl Remote {
    /// The one that the configuration names, if any.
    ///
    /// # Errors
    /// Its credential cannot be used, as one line that says what to do.
    pub(crate) fn open(config: &config::Authority) -> Result<Option<Self>, String> {
        if config.credential.as_os_str().is_empty() {
            return Ok(None);
        }
        let path = config.credential.display();
        let credential = Credential::read(&config.credential)
            .map_err(|error| format!("authority.credential: {error}; `sedge authority add-rs` writes one"))?;
        let uri = if config.remote.is_empty() { &credential.broker } else { &config.remote };
        let address = Address::parse(uri).map_err(|error| format!("authority.remote: {error}"))?;
        if !address.secure {
            return Err(format!("authority.remote: {uri} is not secure: it has to be coaps://"));
        }
        let _usable =
            credential.security().map_err(|error| format!("authority.credential {path}: {error}"))?;
        let (questions, asked) = mpsc::channel(QUESTIONS);
        Ok(Some(Self {
            address,
            credential,
            poll: config.poll,
            standing: Mutex::new(Standing::Away { since: Instant::now(), why: "not reached yet".into() }),
            kept_keys: Mutex::default(),
            kept_list: Mutex::default(),
            questions: config.introspection.then_some(questions),
            asked: Mutex::new(Some(asked)),
            counters: Counters::default(),
        }))
    }

    /// Where it is.
    pub(crate) fn uri(&self) -> String {
        self.address.to_string()
    }

    /// As what it knows the broker.
    pub(crate) fn audience(&self) -> &str {
        &self.credential.name
    }

    /// Has it asked whether a token is good that was just shown, if that is configured.
    pub(crate) fn ask_about(&self, token: &[u8]) {
        if let Some(questions) = &self.questions {
            // Whatever is not asked about is still on the list when it is revoked.
            let _full = questions.try_send(Zeroizing::new(token.to_vec()));
        }
    }

    /// What an operator should know, if it is away.
    pub(crate) fn warning(&self) -> Option<String> {
        match &*lock(&self.standing) {
            Standing::Connected => None,
            Standing::Away { since, why } => Some(format!(
                "the authorisation server {} has been away for {} s ({why}): tokens are good until they end, and \
                 those that are revoked meanwhile are not known",
                self.uri(),
                since.elapsed().as_secs(),
            )),
        }
    }

    /// Every counter by its name.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let Counters { connected, lost, failed, keys, lists, revoked, introspected, not_understood } =
            &self.counters;
        let now = u64::from(matches!(*lock(&self.standing), Standing::Connected));
        let counted = [
            ("connected", connected),
            ("lost", lost),
            ("failed", failed),
            ("keys", keys),
            ("lists", lists),
            ("revoked", revoked),
            ("introspected", introspected),
            ("not_understood", not_understood),
        ];
        let counted = counted.map(|(name, counter)| (name, counter.load(Ordering::Relaxed)));
        let entries = counted.into_iter().chain([("connected_now", now)]);
        entries.map(|(name, value)| (format!("authority.{name}"), value))
    }

    /// How often it was heard after it was not.
    fn times_connected(&self) -> u64 {
        self.counters.connected.load(Ordering::Relaxed)
    }

    fn is_connected(&self) {
        count(&self.counters.connected);
        tracing::info!(authority = self.uri(), "the authorisation server is heard");
        *lock(&self.standing) = Standing::Connected;
    }

    fn is_away(&self, why: String) {
        let mut standing = lock(&self.standing);
        match &mut *standing {
            Standing::Away { why: before, .. } => {
                count(&self.counters.failed);
                if *before != why {
                    tracing::warn!(authority = self.uri(), why, "the authorisation server is not reached");
                    *before = why;
                }
            }
            Standing::Connected => {
                count(&self.counters.lost);
                tracing::warn!(
                    authority = self.uri(),
                    why,
                    "the authorisation server is away: tokens are good until they end"
                );
                *standing = Standing::Away { since: Instant::now(), why };
            }
        }
    }

    /// The name of the record that keeps this. What another authorisation server said is not taken for this one's.
    fn record(&self, said: Said) -> String {
        let what = match said {
            Said::Keys => "token-keys",
            Said::Revoked => "trl",
        };
        format!("remote/{}/{}/{what}", self.uri(), self.audience())
    }
}

impl State {
    /// Knows again what was known of the authorisation server elsewhere.
    pub(crate) fn recall_remote(&self, records: &[(String, Zeroizing<Vec<u8>>)]) {
        let Some(remote) = &self.remote else { return };
        for said in [Said::Keys, Said::Revoked] {
            let name = remote.record(said);
            let Some((_, record)) = records.iter().find(|(key, _)| *key == name) else { continue };
            match self.understand(said, record) {
                Some(revoked) => drop(self.tokens.revoke(revoked)),
                None => tracing::error!(name, "a record is not understood, and left out"),
            }
        }
    }

    /// Acts upon what the authorisation server says, and keeps it. `tell` hears whose rights have ended.
    ///
    /// # Errors
    /// It is done, and cannot be kept.
    async fn hear_remote(
        &self,
        remote: &Remote,
        said: Said,
        body: &[u8],
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<(), StoreError> {
        let Some(revoked) = self.understand(said, body) else {
            count(&remote.counters.not_understood);
            tracing::error!(
                ?said,
                authority = remote.uri(),
                "what the authorisation server says makes no sense"
            );
            return Ok(());
        };
        self.end_tokens(remote, revoked, tell);
        let digest = ETag::of(body, None);
        let (counter, kept) = match said {
            Said::Keys => (&remote.counters.keys, &remote.kept_keys),
            Said::Revoked => (&remote.counters.lists, &remote.kept_list),
        };
        count(counter);
        if *lock(kept) == Some(digest) {
            return Ok(());
        }
        let record = authority::Change::Put(remote.record(said), Zeroizing::new(body.to_vec()));
        self.store.commit(Change::Records(vec![record])).await?;
        *lock(kept) = Some(digest);
        Ok(())
    }

    /// Ends what tokens permitted, for good; of those that nobody has shown yet, too.
    fn end_tokens(&self, remote: &Remote, hashes: Vec<TokenHash>, tell: &(dyn Fn(News) + Sync)) {
        for (principal, token) in self.tokens.revoke(hashes) {
            count(&remote.counters.revoked);
            self.audit.revoked_elsewhere(&remote.uri(), &token.subject, &token.id);
            tell(News::Rights(principal));
        }
    }

    /// Takes up what was said; gives the tokens that are revoked by it. `None` if it makes no sense.
    fn understand(&self, said: Said, body: &[u8]) -> Option<Vec<TokenHash>> {
        let mut revoked = Vec::new();
        match said {
            Said::Keys => {
                let mut keys = Vec::new();
                TokenKeys::decode_set(body, |generation| keys.push(generation)).ok()?;
                self.tokens.set_keys(keys);
            }
            Said::Revoked => {
                let is_whole = TrlResponse::decode(body).ok()?.each_revoked(|hash| revoked.push(hash));
                is_whole.then_some(())?;
            }
        }
        Some(revoked)
    }
}

// Each of these is one value, so a panic elsewhere leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
