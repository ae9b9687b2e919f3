//! What one shard has of one topic: its recent values, and who observes it here.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sedge_coap::Code;

use super::observation::{Observation, Observations};
use crate::audience::Audience;
use crate::ring::Ring;
use crate::topic::Break;
use crate::{Settings, Topic, TopicId, Value};

/// A topic as a shard sees it, without the lock on the topics.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) topic: TopicId,
    pub(crate) audience: Arc<Audience>,
    /// The longest time between two confirmable notifications, in seconds.
    pub(crate) observer_check: u32,
    values: Ring,
    pub(crate) last_break: Break,
    /// The slots of its observations: first those that a sweep has been at, then the others.
    members: Vec<u32>,
    swept: u32,
    /// Whether all members are to be visited once more when the sweep is through.
    again: bool,
    /// Whether it stands in the queue of feeds to be swept.
    pub(crate) queued: bool,
}

impl Feed {
    pub(crate) fn new(id: TopicId, topic: &Topic, settings: &Settings) -> Self {
        let mut feed = Self {
            topic: id,
            audience: topic.audience().clone(),
            observer_check: 0,
            values: Ring::default(),
            last_break: Break::NONE,
            members: Vec::new(),
            swept: 0,
            again: false,
            queued: false,
        };
        feed.sync(topic, settings);
        feed
    }

    /// Takes over what is new in the topic.
    pub(crate) fn sync(&mut self, topic: &Topic, settings: &Settings) {
        self.observer_check = topic.configuration().observer_check;
        self.last_break = topic.last_break();
        let known = self.newest().map_or(0, |value| value.sequence);
        if known < self.last_break.at {
            self.values.clear();
        }
        for value in topic.values_after(known) {
            self.values.push(value.clone(), topic.depth(settings));
        }
    }

    /// The topic is gone.
    pub(crate) fn end(&mut self) {
        self.last_break = Break::FOR_EVER;
        self.values.clear();
    }

    /// Marks the observation as ending, if it began before the last break.
    pub(crate) fn end_if_broken(&self, observation: &mut Observation) {
        if observation.cursor < self.last_break.at {
            self.end_observation(observation, self.last_break.code);
        }
    }

    /// Marks the observation as ending, and takes it off the audience.
    pub(crate) fn end_observation(&self, observation: &mut Observation, code: Code) {
        if !observation.is_ending() {
            observation.end = code;
            self.audience.leave();
        }
    }

    pub(crate) fn newest(&self) -> Option<&Arc<Value>> {
        self.values.newest()
    }

    /// Its only observer is up to date, so that older values are of no use until new ones come.
    pub(crate) fn forget_older(&mut self) {
        if self.members.len() == 1 {
            self.values.forget_older();
        }
    }

    /// The value with this sequence number, if it is still there.
    pub(crate) fn value(&self, sequence: u64) -> Option<&Arc<Value>> {
        self.values.get(sequence)
    }

    /// What someone who saw `cursor` last is to see next: the value after it, or the newest one if that is
    /// no longer there.
    pub(crate) fn next(&self, cursor: u64) -> Option<&Arc<Value>> {
        let newest = self.newest().filter(|newest| newest.sequence > cursor)?;
        Some(self.values.get(cursor + 1).unwrap_or(newest))
    }
}

/// The members, and the sweep that visits each of them once while members come and go.
impl Feed {
    pub(crate) fn members(&self) -> &[u32] {
        &self.members
    }

    /// Has every member visited. A sweep that is under way goes on to its end first: if it began anew each
    /// time, those at the end would wait for ever while someone publishes fast.
    pub(crate) fn sweep(&mut self) {
        self.again = true;
    }

    /// The member that the sweep is at.
    pub(crate) fn unswept(&mut self) -> Option<u32> {
        if self.swept as usize >= self.members.len() && core::mem::take(&mut self.again) {
            self.swept = 0;
        }
        self.members.get(self.swept as usize).copied()
    }

    pub(crate) fn advance(&mut self) {
        self.swept += 1;
    }

    pub(crate) fn add(&mut self, slot: u32, observations: &mut Observations) {
        let position = self.members.len();
        self.members.push(slot);
        self.moved(position, observations);
    }

    /// Takes out the member at `position`; the holes are filled from within each part, so that the sweep
    /// neither misses a member nor meets one twice.
    pub(crate) fn remove(&mut self, position: u32, observations: &mut Observations) {
        let mut hole = position as usize;
        if hole >= self.members.len() {
            return;
        }
        if position < self.swept {
            self.swept -= 1;
            let last_swept = self.swept as usize;
            self.members.swap(hole, last_swept);
            self.moved(hole, observations);
            hole = last_swept;
        }
        self.members.swap_remove(hole);
        self.moved(hole, observations);
    }

    fn moved(&self, position: usize, observations: &mut Observations) {
        let slot = self.members.get(position).copied();
        if let Some(observation) = slot.and_then(|slot| observations.at_mut(slot)) {
            observation.position = position as u32;
        }
    }
}

/// The feeds of a shard: those topics that have observers on it.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    slots: Vec<Option<Feed>>,
    free: Vec<u32>,
    by_topic: BTreeMap<TopicId, u32>,
}

impl Feeds {
    pub(crate) fn find(&self, topic: TopicId) -> Option<u32> {
        self.by_topic.get(&topic).copied()
    }

    pub(crate) fn at(&self, index: u32) -> Option<&Feed> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Feed> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Feed> {
        self.slots.iter().flatten()
    }

    pub(crate) fn insert(&mut self, feed: Feed) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.by_topic.insert(feed.topic, index);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Some(feed);
        }
        index
    }

    pub(crate) fn remove(&mut self, index: u32) {
        if let Some(feed) = self.slots.get_mut(index as usize).and_then(Option::take) {
            self.by_topic.remove(&feed.topic);
            self.free.push(index);
        }
    }
}
