//! All topics of a broker.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sedge_time::Instant;

use crate::change::{Change, Persist, Stored, TopicId, TopicOptions, TopicRecord};
use crate::configuration::{Configuration, Identity};
use crate::counters::TopicCounters;
use crate::value::fingerprint;
use crate::{Publication, Refusal, Settings, Topic, TopicName, UnixTime, Value};

/// All topics of a broker, with their values. One for all shards: calls are short, so that it can stand
/// behind a lock.
///
/// - Getters: [`len`](Self::len), [`find`](Self::find), [`get`](Self::get), [`iter`](Self::iter),
///   [`deadline`](Self::deadline), [`counters`](Self::counters).
/// - Inputs: [`restore`](Self::restore), [`expire`](Self::expire), and [`handle`](crate::handle) for requests.
/// - Commands, for the broker and its administrator: [`create`](Self::create),
///   [`configure`](Self::configure), [`set_options`](Self::set_options), [`publish`](Self::publish),
///   [`clear`](Self::clear), [`remove`](Self::remove). What a caller may do is asked in `handle`, not here.
#[derive(Debug, Default)]
pub struct Topics {
    settings: Settings,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_name: BTreeMap<TopicName, u32>,
    by_number: BTreeMap<u32, u32>,
    expirations: BTreeSet<(UnixTime, u32)>,
    /// Where the sequences of new topics begin: behind those of all topics removed, so that what a subscriber
    /// still had under way from a topic never looks newer than what it gets from the next one of that name.
    first_sequence: u64,
    pub(crate) counters: TopicCounters,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    topic: Option<Topic>,
}

/// What became of a publication.
#[derive(Clone, Debug)]
pub struct Published {
    /// Whether it was the first one, which made the topic fully created.
    pub first: bool,
    /// What follows from it.
    pub change: Change,
}

impl Topics {
    /// No topics yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What the operator chose.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The topic of this name.
    pub fn find(&self, name: &str) -> Option<(TopicId, &Topic)> {
        self.at(*self.by_name.get(name)?)
    }

    /// The topic whose configuration resource has this number in its path.
    pub fn find_number(&self, number: u32) -> Option<(TopicId, &Topic)> {
        self.at(*self.by_number.get(&number)?)
    }

    /// This topic, unless it is gone.
    pub fn get(&self, id: TopicId) -> Option<&Topic> {
        let slot = self.slots.get(id.slot as usize)?;
        slot.topic.as_ref().filter(|_| slot.generation == id.generation)
    }

    /// All topics, by name.
    pub fn iter(&self) -> impl Iterator<Item = (TopicId, &Topic)> {
        self.by_name.values().filter_map(|&slot| self.at(slot))
    }

    /// The topics whose names are not before `first`, by name.
    pub(crate) fn iter_from(&self, first: &str) -> impl Iterator<Item = (TopicId, &Topic)> {
        let range = (core::ops::Bound::Included(first), core::ops::Bound::Unbounded);
        self.by_name.range::<str, _>(range).filter_map(|(_, &slot)| self.at(slot))
    }

    /// When [`expire`](Self::expire) is to be called, by the wall clock.
    pub fn deadline(&self) -> Option<UnixTime> {
        self.expirations.first().map(|(date, _)| *date)
    }

    /// What happened so far.
    pub const fn counters(&self) -> &TopicCounters {
        &self.counters
    }

    /// Takes back a topic, and the value that it had, from the store.
    ///
    /// # Errors
    /// There is a topic of this name, or with this number, already.
    pub fn restore(&mut self, record: TopicRecord, value: Option<Value>) -> Result<TopicId, Refusal> {
        if self.by_name.contains_key(&record.identity.name) || self.by_number.contains_key(&record.number) {
            return Err(Refusal::NameInUse);
        }
        let mut topic = Topic::new(record);
        topic.restore(value, &self.settings);
        self.first_sequence = self.first_sequence.max(topic.sequence());
        Ok(self.insert(topic))
    }

    /// Removes a topic whose `expiration-date` has come; to be called until there is none.
    pub fn expire(&mut self, now: UnixTime) -> Option<Change> {
        let &(date, slot) = self.expirations.first()?;
        if date > now {
            return None;
        }
        let (id, _) = self.at(slot)?;
        self.counters.expired += 1;
        self.remove(id)
    }

    /// Creates a topic. With `initialize` it is fully created at once.
    ///
    /// # Errors
    /// The name is in use, there are too many topics, or another server is to hold the data that
    /// `initialize` would set here.
    pub fn create(
        &mut self,
        identity: Identity,
        configuration: Configuration,
        options: TopicOptions,
        now: UnixTime,
    ) -> Result<Change, Refusal> {
        if self.by_name.contains_key(&identity.name) {
            return Err(Refusal::NameInUse);
        }
        if self.len() >= self.settings.max_topics {
            return Err(Refusal::TooManyTopics);
        }
        let initial = configuration.initialize.clone();
        if initial.is_some() && identity.elsewhere.is_some() {
            return Err(Refusal::Invalid(crate::Property::Initialize));
        }
        if initial.as_ref().is_some_and(|value| value.len() > self.settings.max_value as usize) {
            return Err(Refusal::TooLarge(self.settings.max_value));
        }
        let number = self.unused_number(&identity.name, now);
        let sequence = self.first_sequence;
        let mut topic = Topic::new(TopicRecord { identity, configuration, options, number, sequence });
        let value = initial.map(|payload| {
            let content_format = topic.configuration().content_format;
            let publication = Publication { payload: &payload, content_format, max_age: None };
            topic.set(publication, &self.settings, now)
        });
        self.counters.created += 1;
        let persist = Persist {
            name: topic.identity().name.clone(),
            topic: Stored::Put(topic.record()),
            value: value.map_or(Stored::Keep, Stored::Put),
        };
        let durable = topic.is_durable(&self.settings);
        let topic = self.insert(topic);
        Ok(Change { topic, persist, durable })
    }

    /// Gives a topic another configuration; `None` if it is gone.
    pub fn configure(&mut self, id: TopicId, configuration: Configuration) -> Option<Change> {
        let (settings, topic) = self.get_mut(id)?;
        let (before, after) = (topic.configuration().expiration, configuration.expiration);
        topic.configure(configuration);
        let change = record_change(id, topic, settings);
        if let Some(date) = before {
            self.expirations.remove(&(date, id.slot));
        }
        if let Some(date) = after {
            self.expirations.insert((date, id.slot));
        }
        Some(change)
    }

    /// Gives a topic other options; `None` if it is gone.
    pub fn set_options(&mut self, id: TopicId, options: TopicOptions) -> Option<Change> {
        let (settings, topic) = self.get_mut(id)?;
        topic.set_options(options);
        Some(record_change(id, topic, settings))
    }

    /// Publishes to a topic.
    ///
    /// # Errors
    /// The topic is gone or its data are another server's, the value is too large or has the wrong format,
    /// or it comes too fast.
    pub fn publish(
        &mut self,
        id: TopicId,
        publication: Publication<'_>,
        now: Instant,
        unix: UnixTime,
    ) -> Result<Published, Refusal> {
        let (settings, topic) = self.get_mut(id).ok_or(Refusal::NotFound)?;
        if topic.identity().elsewhere.is_some() {
            return Err(Refusal::NotFound);
        }
        if publication.payload.len() > settings.max_value as usize {
            return Err(Refusal::TooLarge(settings.max_value));
        }
        let first = topic.value().is_none();
        let value = topic.publish(publication, settings, now, unix)?;
        let name = topic.identity().name.clone();
        let durable = topic.is_durable(settings);
        self.counters.published += 1;
        let persist = Persist { name, topic: Stored::Keep, value: Stored::Put(value) };
        Ok(Published { first, change: Change { topic: id, persist, durable } })
    }

    /// Deletes a topic's data; `None` if there are none.
    pub fn clear(&mut self, id: TopicId) -> Option<Change> {
        let (settings, topic) = self.get_mut(id)?;
        topic.value()?;
        topic.clear();
        let mut change = record_change(id, topic, settings);
        change.persist.value = Stored::Remove;
        self.counters.cleared += 1;
        Some(change)
    }

    /// Removes a topic and its data; `None` if it is gone already.
    pub fn remove(&mut self, id: TopicId) -> Option<Change> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        let topic = slot.topic.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.first_sequence = self.first_sequence.max(topic.sequence());
        self.free.push(id.slot);
        let name = topic.identity().name.clone();
        self.by_name.remove(&name);
        self.by_number.remove(&topic.number());
        if let Some(date) = topic.configuration().expiration {
            self.expirations.remove(&(date, id.slot));
        }
        self.counters.removed += 1;
        let persist = Persist { name, topic: Stored::Remove, value: Stored::Remove };
        Some(Change { topic: id, persist, durable: topic.is_durable(&self.settings) })
    }

    fn at(&self, slot: u32) -> Option<(TopicId, &Topic)> {
        let Slot { generation, topic } = self.slots.get(slot as usize)?;
        Some((TopicId { slot, generation: *generation }, topic.as_ref()?))
    }

    fn get_mut(&mut self, id: TopicId) -> Option<(&Settings, &mut Topic)> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        Some((&self.settings, slot.topic.as_mut()?))
    }

    fn insert(&mut self, topic: Topic) -> TopicId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.by_name.insert(topic.identity().name.clone(), index);
        self.by_number.insert(topic.number(), index);
        if let Some(date) = topic.configuration().expiration {
            self.expirations.insert((date, index));
        }
        let mut id = TopicId { slot: index, generation: 0 };
        if let Some(slot) = self.slots.get_mut(index as usize) {
            id.generation = slot.generation;
            slot.topic = Some(topic);
        }
        id
    }

    /// A number for the configuration resource of a new topic. It follows from the name and the time, so that
    /// the URI of a removed topic's configuration does not soon become another topic's.
    fn unused_number(&self, name: &TopicName, now: UnixTime) -> u32 {
        let mut number = fingerprint(now.0, name.as_str().as_bytes()) as u32;
        while self.by_number.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        number
    }
}

fn record_change(id: TopicId, topic: &Topic, settings: &Settings) -> Change {
    let persist = Persist {
        name: topic.identity().name.clone(),
        topic: Stored::Put(topic.record()),
        value: Stored::<Arc<Value>>::Keep,
    };
    Change { topic: id, persist, durable: topic.is_durable(settings) }
}
