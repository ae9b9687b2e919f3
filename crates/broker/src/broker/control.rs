//! What waits, so that shards need not.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak, mpsc};
use std::task::{Context, Poll, Wake};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::admin::unix_seconds;
use crate::audit::Actor;
use crate::clock;
use crate::security::count;
use crate::shard::Shared;
use crate::state::State;
use crate::store::{Change, Urgency};

/// The thread on which everything waits that shards cannot wait for.
pub(super) struct Control {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Control {
    pub(super) fn start(state: Arc<State>) -> io::Result<(Self, tokio::runtime::Handle)> {
        let (stop, stopped) = oneshot::channel();
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new().name("sedge-control".into()).spawn(move || {
            // Lives as long as the tasks that use it.
            let _state = state;
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    drop(started.send(Ok(runtime.handle().clone())));
                    let _told = runtime.block_on(stopped);
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let handle = outcome.recv().unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))?;
        Ok((Self { stop, thread }, handle))
    }

    pub(super) fn stop(self) {
        // If it has ended already, all the better.
        let _ended = self.stop.send(());
        let _ended = self.thread.join();
    }
}

/// Once a second, removes topics whose `expiration-date` has come, and records what came again and again.
pub(super) async fn do_chores(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.state.audit.tell_due();
        loop {
            let mut topics = shared.state.topics();
            let Some(change) = topics.expire(clock::unix()) else { break };
            shared.state.store.submit(Change::Topic(change.persist), Urgency::Grouped, None);
            drop(topics);
            shared.topic_changed(change.topic, None);
        }
    }
}

/// Replaces the keys of tickets, so that none is good for longer than twice its time.
pub(super) async fn rotate_tickets(shared: Weak<Shared>) {
    loop {
        let Some(lifetime) = shared.upgrade().map(|shared| shared.security.ticket_lifetime) else { return };
        if lifetime.is_zero() {
            return;
        }
        tokio::time::sleep(lifetime).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.security.rotate_tickets();
    }
}

/// Forgets tokens that are over, and replaces the keys of the authorisation server in their time.
pub(super) async fn keep_tokens(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let Some(shared) = shared.upgrade() else { return };
        let state = &shared.state;
        state.tokens.expire();
        let rotation = shared.config.authority.rotation.as_secs();
        let tell = |news| shared.tell(news);
        let kept = state.keep_tokens(unix_seconds(), shared.clock.now(), rotation, &tell);
        if let Err(error) = kept.await {
            tracing::error!(%error, "what became of tokens is not kept");
        }
    }
}

/// How often groups are looked at though nothing has happened to them.
const REVIEW: std::time::Duration = std::time::Duration::from_secs(2);

/// Takes those out of groups who may not be in them any more, and replaces keys in their time.
pub(super) async fn review_groups(shared: Weak<Shared>) {
    let mut is_told = false;
    loop {
        let Some(state) = shared.upgrade().map(|shared| shared.state.clone()) else { return };
        // Soon after somebody's rights have changed; but a thousand changes are looked at once.
        let _due = tokio::time::timeout(REVIEW, state.review_groups.notified()).await;
        drop(state);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let Some(shared) = shared.upgrade() else { return };
        let tell = |news| shared.tell(news);
        let reviewed = shared.state.with_groups(|groups, lent| groups.review(lent), &tell).await;
        match reviewed {
            Ok(Some(())) => is_told = false,
            Ok(None) => return,
            Err(error) if !is_told => {
                is_told = true;
                tracing::error!(%error, "what became of groups is not kept");
            }
            Err(_) => {}
        }
    }
}

/// Reads lists of revoked certificates again when they change, and lets those go who stand on them.
pub(super) async fn watch_revocation(shared: Weak<Shared>) {
    loop {
        let Some(dtls) = shared.upgrade().map(|shared| shared.config.dtls.clone()) else { return };
        if dtls.revocation_lists.is_empty() {
            return;
        }
        tokio::time::sleep(dtls.revocation_check).await;
        let Some(shared) = shared.upgrade() else { return };
        let security = &shared.security;
        match security.trust.refresh() {
            Ok(false) => {}
            Ok(true) => {
                // Who resumes is not looked at again: all have to show their certificates anew.
                security.forget_tickets();
                let revoked = security.trust.revoked(unix_seconds());
                for principal in &revoked {
                    if let Some(device) = shared.state.directory.by_principal(*principal) {
                        let by = Actor::process();
                        shared.state.audit.revoked(&by, &device.name, "its certificate was revoked");
                    }
                    shared.end_sessions(*principal);
                }
                tracing::info!(ended = revoked.len(), "lists of revoked certificates were read again");
            }
            Err(error) => {
                count(&security.counters.revocation_list_unreadable);
                tracing::error!(%error, "the lists of before go on to count");
            }
        }
    }
}

/// Waits for something that only threads of this crate work on, wherever it is called from.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}
