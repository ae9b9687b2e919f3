//! Who subscribes to a topic, on all shards together: how many.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::TopicName;

/// The subscribers of one topic: how many there are and may be.
///
/// Shared by the topic and by every shard that has subscribers of it, so that a subscriber can go without
/// anyone taking the lock on the topics.
#[derive(Debug)]
pub(crate) struct Audience {
    topic: TopicName,
    count: AtomicU32,
    limit: AtomicU32,
}

// The two numbers guard no other memory, so relaxed order is enough.
impl Audience {
    pub(crate) fn new(topic: TopicName, limit: Option<u32>) -> Self {
        Self { topic, count: AtomicU32::new(0), limit: AtomicU32::new(limit.unwrap_or(u32::MAX)) }
    }

    pub(crate) fn topic(&self) -> &str {
        self.topic.as_str()
    }

    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: Option<u32>) {
        self.limit.store(limit.unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Counts one more, unless there are as many as may be.
    #[must_use]
    pub(crate) fn join(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let next = |count: u32| (count < limit).then(|| count + 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    pub(crate) fn leave(&self) {
        let _ = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_sub(1)));
    }

    /// Takes one away if there are more than may be, since the limit was lowered; says whether it did.
    #[must_use]
    pub(crate) fn shed(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let next = |count: u32| (count > limit).then(|| count - 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_up_to_its_limit() {
        let audience = Audience::new(TopicName::new("a").unwrap(), Some(2));
        assert!(audience.join() && audience.join());
        assert!(!audience.join());
        audience.leave();
        assert!(audience.join());
        audience.set_limit(Some(1));
        assert!(audience.shed());
        assert!(!audience.shed());
        audience.set_limit(None);
        assert!(audience.join());
        assert_eq!(audience.count(), 2);
    }
}
