//! Who observes which topic, and what each is still to be sent.

mod check;
mod deliver;
mod feed;
mod fetch;
mod listings;
mod notification;
mod observation;
mod policy;
mod sessions;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Token};
use sedge_time::Instant;

pub use notification::{Content, Handed, Notification, Resend};
pub use observation::ObservationId;
pub use policy::{Policy, Reliability};

use crate::counters::SubscriptionCounters;
use crate::{Settings, Topic, TopicId, Topics};
use feed::{Feed, Feeds};
use fetch::Fetches;
use listings::Listings;
use observation::{Observation, Observations};
use sessions::Sessions;

/// The subscriptions of one shard.
///
/// A subscriber that is ready gets the values of its topic one by one, as long as the topic still has them;
/// one that has fallen further behind goes on with the newest. While a confirmable notification is under way,
/// or the blocks of a large value are being fetched, it gets nothing else.
///
/// Notifications go out through a closure that the caller lends to every call, and that says what became of
/// each ([`Handed`]). Sessions are the caller's: any number that it does not use twice at a time.
///
/// - Getters: [`len`](Self::len), [`deadline`](Self::deadline), [`counters`](Self::counters).
/// - Inputs: [`sync`](Self::sync) when a topic has changed, [`acknowledged`](Self::acknowledged),
///   [`failed`](Self::failed), [`ready`](Self::ready), [`close`](Self::close), [`expire`](Self::expire), and
///   [`handle`](crate::handle) for requests.
/// - Commands: [`regrant`](Self::regrant), [`regrant_all`](Self::regrant_all), [`revoke`](Self::revoke),
///   [`end`](Self::end).
/// - Outputs: [`deliver`](Self::deliver), [`resend`](Self::resend).
#[derive(Debug)]
pub struct Subscriptions {
    policy: Policy,
    observations: Observations,
    sessions: Sessions,
    feeds: Feeds,
    /// Feeds with members that a sweep is still to visit.
    queue: VecDeque<u32>,
    fetches: Fetches,
    /// Lists of links that are fetched block by block.
    listings: Listings,
    next_check: Instant,
    counters: SubscriptionCounters,
}

/// What became of a wish to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// The subscription is there.
    Yes,
    /// There are too many already, of the topic or of the session.
    Full,
}

impl Subscriptions {
    /// No subscriptions yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            observations: Observations::default(),
            sessions: Sessions::default(),
            feeds: Feeds::default(),
            queue: VecDeque::new(),
            fetches: Fetches::default(),
            listings: Listings::default(),
            next_check: Instant::DISTANT_FUTURE,
            counters: SubscriptionCounters::default(),
        }
    }

    /// How many observations there are.
    pub fn len(&self) -> usize {
        self.observations.len()
    }

    /// Whether a session has any.
    pub fn has_any(&self, session: u64) -> bool {
        self.sessions.first(session, &self.observations).is_some()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the broker delivers.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What happened so far.
    pub const fn counters(&self) -> &SubscriptionCounters {
        &self.counters
    }

    /// Hears that a topic has changed: takes over its new values, and marks who is to go. What follows from
    /// it goes out by [`deliver`](Self::deliver).
    pub fn sync(&mut self, now: Instant, topics: &Topics, topic: TopicId) {
        let Some(index) = self.feeds.find(topic) else { return };
        let Some(feed) = self.feeds.at_mut(index) else { return };
        match topics.get(topic) {
            Some(topic) => feed.sync(topic, topics.settings()),
            None => feed.end(),
        }
        // The newest members go first when there are too many.
        for &slot in feed.members().iter().rev() {
            match self.observations.at_mut(slot) {
                Some(observation) if observation.is_ending() => {}
                Some(observation) if feed.audience.shed() => observation.end = Code::NOT_FOUND,
                _ => break,
            }
        }
        let observer_check = feed.observer_check;
        self.enqueue(index);
        self.schedule_check(now, observer_check);
    }

    /// Makes (or renews) the subscription of `session` with `token` to a topic that has a value.
    pub(crate) fn register(
        &mut self,
        now: Instant,
        topics: &Topics,
        id: TopicId,
        (session, token): (u64, Token),
        block: BlockSize,
    ) -> Registered {
        let Some(topic) = topics.get(id) else { return Registered::Full };
        let Some(newest) = topic.value() else { return Registered::Full };
        let known = self.sessions.find(session, token, &self.observations);
        if let Some(feed) = self.feeds.find(id).and_then(|index| self.feeds.at_mut(index)) {
            // So that a subscription that has been ended without this shard having heard is not renewed.
            feed.sync(topic, topics.settings());
        }
        let slot = match known.filter(|&slot| self.renew(slot, id, newest.sequence)) {
            Some(slot) => {
                self.counters.renewed += 1;
                slot
            }
            None => {
                // The token stood for another resource, or for one that has come anew.
                known.into_iter().for_each(|slot| self.take(slot));
                let held = self.sessions.slots(session, &self.observations);
                let max = self.policy.max_per_session;
                if held.take(max).count() == max || !topic.audience().join() {
                    self.counters.full += 1;
                    return Registered::Full;
                }
                self.counters.subscribed += 1;
                self.insert(now, (id, topic, topics.settings()), newest.sequence, (session, token))
            }
        };
        let Some(observation) = self.observations.at_mut(slot) else { return Registered::Full };
        observation.set_block(block);
        if !observation.is_in_flight() && newest.payload.len() > block.bytes() {
            self.start_fetch(now, slot);
        }
        self.schedule_check(now, topic.configuration().observer_check);
        Registered::Yes
    }

    fn insert(
        &mut self,
        now: Instant,
        (id, topic, settings): (TopicId, &Topic, &Settings),
        cursor: u64,
        (session, token): (u64, Token),
    ) -> u32 {
        let known = self.feeds.find(id);
        let index = known.unwrap_or_else(|| self.feeds.insert(Feed::new(id, topic, settings)));
        let slot = self.observations.insert(Observation::new(session, token, index, cursor, seconds(now)));
        self.sessions.add(session, slot, &mut self.observations);
        if let Some(feed) = self.feeds.at_mut(index) {
            feed.add(slot, &mut self.observations);
        }
        slot
    }

    /// Renews the observation in `slot`, if it is one of that topic and is to go on.
    fn renew(&mut self, slot: u32, topic: TopicId, newest: u64) -> bool {
        let Some(observation) = self.observations.at_mut(slot) else { return false };
        let Some(feed) = self.feeds.at(observation.feed) else { return false };
        feed.end_if_broken(observation);
        if feed.topic != topic || observation.is_ending() {
            return false;
        }
        // What is under way stays what it is, so that its retransmission is a retransmission.
        if !observation.is_in_flight() {
            observation.set_fetching(false);
            observation.cursor = newest;
        }
        true
    }

    /// Ends the subscription of `session` with `token`, as its subscriber asked.
    pub(crate) fn deregister(&mut self, session: u64, token: Token) {
        if let Some(slot) = self.sessions.find(session, token, &self.observations) {
            self.take(slot);
            self.counters.left += 1;
        }
    }

    /// Forgets a session that is no more, and all its observations.
    pub fn close(&mut self, session: u64) {
        self.listings.close(session);
        while let Some(slot) = self.sessions.first(session, &self.observations) {
            self.take(slot);
            self.counters.left += 1;
        }
    }

    /// Hears that what the owner of a session may do has changed: observations of topics for which `judge` gives a
    /// code are to end with it as their last notification, and no value goes out on them from here on. What follows
    /// goes out by [`ready`](Self::ready).
    pub fn regrant(&mut self, session: u64, mut judge: impl FnMut(&str) -> Option<Code>) {
        let slots: Vec<u32> = self.sessions.slots(session, &self.observations).collect();
        for slot in slots {
            let _ = self.judge(slot, |_, topic| judge(topic));
        }
    }

    /// Hears that the rules have changed for everyone: [`regrant`](Self::regrant) for all sessions. What follows
    /// goes out by [`deliver`](Self::deliver).
    pub fn regrant_all(&mut self, mut judge: impl FnMut(u64, &str) -> Option<Code>) {
        for slot in self.observations.slots() {
            if self.judge(slot, &mut judge)
                && let Some(feed) = self.observations.at(slot).map(|observation| observation.feed)
            {
                self.enqueue(feed);
            }
        }
    }

    /// Ends the observation that a notification was to be sent again for, with `code` as its last one.
    pub fn end(&mut self, id: ObservationId, code: Code) {
        if let Some(slot) = self.observations.find(id) {
            let _ = self.judge(slot, |_, _| Some(code));
        }
    }

    /// Marks an observation as ending if `judge` says so; says whether it did.
    fn judge(&mut self, slot: u32, judge: impl FnOnce(u64, &str) -> Option<Code>) -> bool {
        let Some(observation) = self.observations.at_mut(slot) else { return false };
        let Some(feed) = self.feeds.at(observation.feed) else { return false };
        if observation.is_ending() {
            return false;
        }
        let Some(code) = judge(observation.session, feed.audience.topic()) else { return false };
        feed.end_observation(observation, code);
        true
    }

    /// Ends all observations of a session, with `code` as their last notification.
    pub fn revoke(
        &mut self,
        now: Instant,
        session: u64,
        code: Code,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        self.regrant(session, |_| Some(code));
        self.ready(now, session, outlet);
    }

    /// Takes out the observation in `slot`, and the feed with its last member.
    fn take(&mut self, slot: u32) {
        let Some(&Observation { session, feed: index, position, .. }) = self.observations.at(slot) else {
            return;
        };
        let ending = self.observations.at(slot).is_some_and(Observation::is_ending);
        self.sessions.remove(session, slot, &mut self.observations);
        if let Some(feed) = self.feeds.at_mut(index) {
            feed.remove(position, &mut self.observations);
            // Whoever is to go was taken off the audience when that was decided.
            if !ending {
                feed.audience.leave();
            }
            if feed.members().is_empty() {
                self.feeds.remove(index);
            }
        }
        self.fetches.remove(slot);
        self.observations.remove(slot);
    }

    /// Has all members of the feed visited.
    fn enqueue(&mut self, index: u32) {
        if let Some(feed) = self.feeds.at_mut(index) {
            feed.sweep();
            if !core::mem::replace(&mut feed.queued, true) {
                self.queue.push_back(index);
            }
        }
    }
}

/// The instant in the seconds that records keep; 136 years of them.
fn seconds(now: Instant) -> u32 {
    now.saturating_since(Instant::EPOCH).as_secs() as u32
}
