//! One topic and its life.
//!
//! ```text
//!                HALF                          FULLY
//!               CREATED       delete          CREATED
//!                            topic data                 publish
//!  ----------->  (    )  <-------------------  (    )  --------.
//!    create      (    )  ------------------->  (    )  <-------'
//!                   |          publish            |   subscribe
//!                   |                             |
//!                   '--------> DELETED <----------'
//!                     delete topic, expiration-date
//! ```
//! ([draft-ietf-core-coap-pubsub-21 §3.1](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21#section-3.1))
//!
//! Everything that happens to a topic's data takes the next number of one sequence: a publication, and a
//! *break*, at which whoever subscribed before must be told to go. So a subscriber needs no more than the
//! number of what it saw last to know what it is still to see.

use alloc::sync::Arc;
use alloc::vec::Vec;

use sedge_coap::Code;
use sedge_time::Instant;

use crate::audience::Audience;
use crate::configuration::{self, Configuration, Identity};
use crate::rate::Bucket;
use crate::ring::{Depth, Ring};
use crate::value::ETag;
use crate::{Property, Publication, Refusal, Settings, TopicOptions, TopicRecord, UnixTime, Value};

/// One topic.
#[derive(Debug)]
pub struct Topic {
    identity: Identity,
    configuration: Configuration,
    options: TopicOptions,
    number: u32,
    sequence: u64,
    recent: Ring,
    last_break: Break,
    bucket: Bucket,
    audience: Arc<Audience>,
}

/// The point before which all subscriptions have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Break {
    /// The sequence number of what ended them.
    pub(crate) at: u64,
    /// The code of their last notification.
    pub(crate) code: Code,
}

impl Break {
    pub(crate) const NONE: Self = Self { at: 0, code: Code::NOT_FOUND };
    /// The topic is gone, and so is everyone who will ever have subscribed to it.
    pub(crate) const FOR_EVER: Self = Self { at: u64::MAX, code: Code::NOT_FOUND };
}

impl Topic {
    pub(crate) fn new(record: TopicRecord) -> Self {
        let TopicRecord { identity, configuration, options, number, sequence } = record;
        let audience = Arc::new(Audience::new(identity.name.clone(), configuration.max_subscribers));
        Self {
            identity,
            configuration,
            options,
            number,
            sequence,
            recent: Ring::default(),
            last_break: Break::NONE,
            bucket: Bucket::default(),
            audience,
        }
    }

    /// The properties that it keeps for life.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The properties that can change.
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What the broker's administrator set.
    pub const fn options(&self) -> TopicOptions {
        self.options
    }

    /// The number in the path of its configuration resource.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its value: what was published last; `None` while it is half created.
    pub fn value(&self) -> Option<&Arc<Value>> {
        self.recent.newest()
    }

    /// How many subscribers it has, on all shards together.
    pub fn subscribers(&self) -> u32 {
        self.audience.count()
    }

    /// The representation of its configuration resource.
    pub fn representation(&self) -> Vec<u8> {
        self.partial_representation(|_| true)
    }

    /// Of its representation, those properties that `wanted` names.
    pub(crate) fn partial_representation(&self, wanted: impl Fn(Property) -> bool) -> Vec<u8> {
        configuration::representation(&self.identity, &self.configuration, wanted)
    }

    pub(crate) fn record(&self) -> TopicRecord {
        TopicRecord {
            identity: self.identity.clone(),
            configuration: self.configuration.clone(),
            options: self.options,
            number: self.number,
            sequence: self.sequence,
        }
    }

    pub(crate) fn configuration_cloned(&self) -> Configuration {
        self.configuration.clone()
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn etag(&self) -> Option<ETag> {
        self.value().map(|value| value.etag)
    }

    pub(crate) fn is_durable(&self, settings: &Settings) -> bool {
        self.options.durable.unwrap_or(settings.durable)
    }

    /// Takes a publication, which makes the topic fully created.
    pub(crate) fn publish(
        &mut self,
        publication: Publication<'_>,
        settings: &Settings,
        now: Instant,
        unix: UnixTime,
    ) -> Result<Arc<Value>, Refusal> {
        let fixed = self.configuration.content_format;
        if fixed.is_some() && publication.content_format != fixed {
            return Err(Refusal::UnsupportedFormat);
        }
        self.bucket.take(settings.rate, now).map_err(|wait| {
            let seconds = wait.as_micros().div_ceil(1_000_000);
            Refusal::TooFast(u32::try_from(seconds).unwrap_or(u32::MAX))
        })?;
        Ok(self.set(publication, settings, unix))
    }

    /// Makes the publication the topic's value, whatever its format and however fast it comes.
    pub(crate) fn set(
        &mut self,
        publication: Publication<'_>,
        settings: &Settings,
        unix: UnixTime,
    ) -> Arc<Value> {
        self.sequence += 1;
        let format = publication.content_format;
        if self.value().is_some_and(|value| value.content_format != format) {
            // RFC 7641 §4.2: notifications keep the format of the response that began them, or end with 4.06.
            self.last_break = Break { at: self.sequence, code: Code::NOT_ACCEPTABLE };
            self.recent.clear();
        }
        let value = Arc::new(Value::new(publication, self.sequence, unix));
        self.recent.push(value.clone(), self.depth(settings));
        value
    }

    /// Takes up after a restart where the store's value, if it has one, was left.
    pub(crate) fn restore(&mut self, value: Option<Value>, settings: &Settings) {
        let last = value.as_ref().map_or(0, |value| value.sequence);
        self.sequence = self.sequence.max(last).saturating_add(RESTART_GAP);
        if let Some(value) = value {
            let value = Value { sequence: self.sequence, ..value };
            self.recent.push(Arc::new(value), self.depth(settings));
        }
    }

    /// Deletes the data, which makes the topic half created and ends all subscriptions.
    pub(crate) fn clear(&mut self) {
        self.sequence += 1;
        self.last_break = Break { at: self.sequence, code: Code::NOT_FOUND };
        self.recent.clear();
    }

    pub(crate) fn configure(&mut self, configuration: Configuration) {
        self.audience.set_limit(configuration.max_subscribers);
        self.configuration = configuration;
    }

    pub(crate) fn set_options(&mut self, options: TopicOptions) {
        self.options = options;
    }
}

/// What a shard needs to know of a topic that it has subscribers of.
impl Topic {
    pub(crate) const fn audience(&self) -> &Arc<Audience> {
        &self.audience
    }

    pub(crate) const fn last_break(&self) -> Break {
        self.last_break
    }

    /// The values since `sequence`, as far as they are kept.
    pub(crate) fn values_after(&self, sequence: u64) -> impl Iterator<Item = &Arc<Value>> {
        self.recent.after(sequence)
    }

    pub(crate) fn depth(&self, settings: &Settings) -> Depth {
        let values = self.options.history.unwrap_or(settings.history);
        Depth { values: usize::from(values), bytes: settings.history_bytes }
    }
}

/// How far a topic's sequence jumps at a restart: more than can have been published in the moment before a
/// crash that the store does not remember, so that subscribers never see a number twice.
const RESTART_GAP: u64 = 1 << 16;
