//! Changes on their way to the disk. Those of a topic coalesce: however fast it is published to, it waits here once, so
//! that a slow or failing disk cannot make the queue grow beyond one value per topic.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sedge_pubsub::{Persist, Stored, TopicName, TopicRecord, Value};
use tokio::sync::oneshot;

use super::{Change, Done, Snapshot, StoreError, Urgency};

/// The queue between those who submit and the thread that commits.
#[derive(Default)]
pub(super) struct Pending {
    batch: Mutex<Batch>,
    arrived: Condvar,
}

/// What the next commit will contain.
#[derive(Default)]
pub(super) struct Batch {
    /// What becomes of topics. Kept over a failed commit.
    pub(super) topics: HashMap<TopicName, Fate>,
    /// Those who wait for `topics`.
    pub(super) waiting: Vec<Done>,
    /// Other changes, in order. Each is dropped when the commit fails.
    pub(super) others: Vec<(Change, Option<Done>)>,
    /// Requests for everything that is kept.
    pub(super) loads: Vec<oneshot::Sender<Result<Snapshot, StoreError>>>,
    /// When the oldest of `topics` arrived.
    since: Option<Instant>,
    /// Whether one of them does not wait for the interval.
    hurry: bool,
    closing: bool,
}

/// What becomes of one topic.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) record: Stored<TopicRecord>,
    pub(super) value: Stored<Arc<Value>>,
}

impl Fate {
    const UNCHANGED: Self = Self { record: Stored::Keep, value: Stored::Keep };

    /// What becomes of it when `later` happens after this.
    fn then(&mut self, later: Self) {
        if later.record != Stored::Keep {
            self.record = later.record;
        }
        if later.value != Stored::Keep {
            self.value = later.value;
        }
    }
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
        let Change::Topic(Persist { name, topic: record, value }) = change else {
            batch.others.push((change, done));
            self.arrived.notify_one();
            return;
        };
        batch.topics.entry(name).or_insert(Fate::UNCHANGED).then(Fate { record, value });
        batch.waiting.extend(done);
        // The thread sleeps until its interval is over: waking it for the first of a group is enough.
        let hurry = urgency == Urgency::AtOnce;
        if batch.since.is_none() || hurry {
            let _ = batch.since.get_or_insert_with(Instant::now);
            batch.hurry |= hurry;
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

    /// Waits until there is something to commit: topics that are `interval` old, or anything that does not wait.
    pub(super) fn next(&self, interval: Duration) -> Work {
        let mut batch = self.lock();
        loop {
            let hurry = batch.hurry || !batch.others.is_empty() || !batch.loads.is_empty();
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

    /// Takes back what failed to be committed, beneath what has arrived since; it is tried again after the interval,
    /// unless the queue is closing.
    pub(super) fn put_back(&self, topics: HashMap<TopicName, Fate>) {
        let mut batch = self.lock();
        if batch.closing || topics.is_empty() {
            return;
        }
        let newer = std::mem::replace(&mut batch.topics, topics);
        for (name, fate) in newer {
            batch.topics.entry(name).or_insert(Fate::UNCHANGED).then(fate);
        }
        batch.since = Some(Instant::now());
    }

    // A panic elsewhere leaves the batch whole: every change to it is a single insertion.
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
