//! Changes on their way to the disk. Values coalesce: however fast a topic is published to, it waits here once, so
//! that a slow or failing disk cannot make the queue grow beyond one value per topic.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Change, Done, Retained, Snapshot, StoreError, Urgency};

/// The queue between those who submit and the thread that commits.
#[derive(Default)]
pub(super) struct Pending {
    batch: Mutex<Batch>,
    arrived: Condvar,
}

/// What the next commit will contain.
#[derive(Default)]
pub(super) struct Batch {
    /// The newest value per topic id; `None` forgets it. Kept over a failed commit.
    pub(super) values: HashMap<Arc<str>, Option<Retained>>,
    /// Those who wait for `values`.
    pub(super) waiting: Vec<Done>,
    /// Changes to be made before the values, in order. Each is dropped when the commit fails.
    pub(super) at_once: Vec<(Change, Option<Done>)>,
    /// Requests for everything that is kept.
    pub(super) loads: Vec<oneshot::Sender<Result<Snapshot, StoreError>>>,
    /// When the oldest of `values` arrived.
    since: Option<Instant>,
    /// Whether some value does not wait for the interval.
    hurry: bool,
    closing: bool,
}

/// What the committing thread is woken for.
pub(super) enum Work {
    /// Commit this.
    Commit(Batch),
    /// Nothing is left and nothing will come.
    Closed,
}

impl Pending {
    pub(super) fn submit(&self, change: Change, urgency: Urgency, done: Option<Done>) {
        let mut batch = self.lock();
        if batch.closing {
            drop(batch);
            if let Some(done) = done {
                done(Err(StoreError::Closed));
            }
            return;
        }
        let (topic, value) = match change {
            Change::Retain(topic, value) => (topic, Some(value)),
            Change::Forget(topic) => (topic, None),
            change => {
                batch.at_once.push((change, done));
                self.arrived.notify_one();
                return;
            }
        };
        drop(batch.values.insert(topic, value));
        batch.waiting.extend(done);
        // The thread sleeps until its interval is over: waking it for the first of a group is enough.
        if batch.since.is_none() || urgency == Urgency::AtOnce {
            batch.since.get_or_insert_with(Instant::now);
            batch.hurry |= urgency == Urgency::AtOnce;
            self.arrived.notify_one();
        }
    }

    pub(super) fn load(&self, answer: oneshot::Sender<Result<Snapshot, StoreError>>) {
        self.lock().loads.push(answer);
        self.arrived.notify_one();
    }

    /// Lets the thread finish what is there and then end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_one();
    }

    /// Waits until there is something to commit: values that are `interval` old, or anything that does not wait.
    pub(super) fn next(&self, interval: Duration) -> Work {
        let mut batch = self.lock();
        loop {
            let hurry = batch.hurry || !batch.at_once.is_empty() || !batch.loads.is_empty();
            if hurry || (batch.closing && batch.since.is_some()) {
                break;
            }
            if batch.closing {
                return Work::Closed;
            }
            let Some(since) = batch.since else {
                batch = self.arrived.wait(batch).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = interval.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            batch = self.arrived.wait_timeout(batch, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let closing = batch.closing;
        let taken = std::mem::take(&mut *batch);
        batch.closing = closing;
        Work::Commit(taken)
    }

    /// Takes back values whose commit failed, unless newer ones have arrived; they are tried again after the
    /// interval, unless the queue is closing.
    pub(super) fn put_back(&self, values: HashMap<Arc<str>, Option<Retained>>) {
        let mut batch = self.lock();
        if batch.closing || values.is_empty() {
            return;
        }
        for (topic, value) in values {
            let _ = batch.values.entry(topic).or_insert(value);
        }
        batch.since = Some(Instant::now());
    }

    // A panic elsewhere leaves the batch whole: every change to it is a single insertion.
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
