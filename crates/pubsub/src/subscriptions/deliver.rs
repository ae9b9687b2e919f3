//! Handing notifications out: the sweep over a topic's observers, and what follows for one of them.

use alloc::vec::Vec;

use sedge_coap::Code;
use sedge_time::Instant;

use super::feed::Feed;
use super::notification::{Content, Handed, Notification, Resend};
use super::observation::{Observation, ObservationId};
use super::policy::Reliability;
use super::{Subscriptions, seconds};

/// What became of an attempt to give an observation what it is to see next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It got something, and may get more at once.
    More,
    /// It has everything, or has something under way.
    Idle,
    /// Its session can take nothing now.
    Busy,
    /// Nobody can.
    Blocked,
    /// Its session is no more; neither is it.
    Gone,
}

impl Subscriptions {
    /// Hands out what observers are still to see. A call visits at most `budget` observers, so that a large
    /// audience does not keep everything else waiting, and the next one goes on with another topic, so that
    /// it does not keep other audiences waiting. Returns whether there is more to do.
    pub fn deliver(
        &mut self,
        now: Instant,
        mut budget: usize,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) -> bool {
        while let Some(&index) = self.queue.front() {
            let Some(slot) = self.feeds.at_mut(index).and_then(Feed::unswept) else {
                self.queue.pop_front();
                if let Some(feed) = self.feeds.at_mut(index) {
                    feed.queued = false;
                }
                continue;
            };
            if budget == 0 {
                self.queue.rotate_left(1);
                return true;
            }
            budget -= 1;
            match self.step(now, slot, outlet) {
                Step::More | Step::Gone => {}
                Step::Idle | Step::Busy => {
                    if let Some(feed) = self.feeds.at_mut(index) {
                        feed.advance();
                    }
                }
                Step::Blocked => return true,
            }
        }
        false
    }

    /// Hears that a confirmable notification arrived; hands out what the session's observations are still to
    /// see.
    pub fn acknowledged(
        &mut self,
        now: Instant,
        session: u64,
        id: ObservationId,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        let Some(slot) = self.observations.find(id) else {
            // It has ended meanwhile, but others of its session may have waited.
            return self.ready(now, session, outlet);
        };
        let Some(observation) = self.observations.at_mut(slot) else { return };
        observation.set_in_flight(false);
        self.counters.acknowledged += 1;
        if observation.is_told() {
            self.take(slot);
            self.ready(now, session, outlet);
        } else {
            self.serve(now, session, slot, outlet);
        }
    }

    /// Hears that a notification was rejected, or never acknowledged, which ends the observation; hands out
    /// what others of the session are still to see.
    pub fn failed(
        &mut self,
        now: Instant,
        session: u64,
        id: ObservationId,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        if let Some(slot) = self.observations.find(id) {
            self.take(slot);
            self.counters.left += 1;
        }
        self.ready(now, session, outlet);
    }

    /// Hears that a session can take something (again); hands out what its observations are still to see.
    pub fn ready(
        &mut self,
        now: Instant,
        session: u64,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        if let Some(first) = self.sessions.first(session, &self.observations) {
            self.serve(now, session, first, outlet);
        }
    }

    /// What to send in place of a notification that was not acknowledged in time: the same value as long as
    /// it is kept, then the newest; `None` if the observation is no more.
    pub fn resend(&mut self, now: Instant, id: ObservationId) -> Option<Resend<'_>> {
        let slot = self.observations.find(id)?;
        let observation = self.observations.at_mut(slot)?;
        let feed = self.feeds.at(observation.feed)?;
        feed.end_if_broken(observation);
        let mut newer = false;
        if observation.is_ending() {
            newer = !observation.is_told();
            observation.set_told();
            self.counters.ended += u64::from(newer);
        } else if feed.value(observation.cursor).is_none() {
            let newest = feed.newest()?;
            newer = true;
            self.counters.coalesced += newest.sequence.saturating_sub(observation.cursor);
            self.counters.delivered += 1;
            self.counters.confirmable += 1;
            observation.cursor = newest.sequence;
            observation.set_fetching(false);
            if newest.payload.len() > observation.block().bytes() {
                self.start_fetch(now, slot);
            }
        }
        let observation = self.observations.at(slot)?;
        let content = match observation.end {
            Code::EMPTY => Content::Value(self.feeds.at(observation.feed)?.value(observation.cursor)?),
            code => Content::End(code),
        };
        let topic = self.feeds.at(observation.feed)?.audience.topic();
        Some(Resend { notification: Notification::new(id, observation, topic, content, true), newer })
    }

    /// Gives the observations of a session what they are still to see, each in its turn: those after `last`,
    /// which had something last, come first.
    fn serve(
        &mut self,
        now: Instant,
        session: u64,
        last: u32,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        let next = |this: &Self, slot| {
            let next = this.observations.at(slot).map(|observation| observation.next)?;
            this.observations.at(next).map(|_| next)
        };
        let head = |this: &Self| this.sessions.first(session, &this.observations);
        let Some(mut slot) = next(self, last).or_else(|| head(self)) else { return };
        loop {
            let following = next(self, slot).or_else(|| head(self));
            let mut step = Step::More;
            while step == Step::More {
                step = self.step(now, slot, outlet);
            }
            match step {
                Step::Gone => return self.close(session),
                Step::Blocked => return self.requeue(session),
                Step::Busy => return,
                Step::More | Step::Idle => {}
            }
            match following {
                Some(following) if slot != last => slot = following,
                _ => return,
            }
        }
    }

    /// Leaves the session's observations to [`deliver`](Self::deliver), since nothing can be sent now.
    fn requeue(&mut self, session: u64) {
        let slots = self.sessions.slots(session, &self.observations);
        let feeds: Vec<u32> = slots.filter_map(|slot| Some(self.observations.at(slot)?.feed)).collect();
        feeds.into_iter().for_each(|feed| self.enqueue(feed));
    }

    /// Gives one observation what it is to see next.
    pub(super) fn step(
        &mut self,
        now: Instant,
        slot: u32,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) -> Step {
        let id = self.observations.id(slot);
        let Some(observation) = self.observations.at_mut(slot) else { return Step::Idle };
        let Some(feed) = self.feeds.at(observation.feed) else { return Step::Idle };
        feed.end_if_broken(observation);
        if observation.is_in_flight() {
            return Step::Idle;
        }
        if observation.is_ending() {
            let content = Content::End(observation.end);
            return match outlet(Notification::new(id, observation, feed.audience.topic(), content, true)) {
                Handed::Sent => {
                    observation.set_in_flight(true);
                    observation.set_told();
                    self.counters.ended += 1;
                    Step::Idle
                }
                refused => self.refused(refused, slot),
            };
        }
        if observation.is_fetching() {
            return Step::Idle;
        }
        let Some(value) = feed.next(observation.cursor) else {
            let index = observation.feed;
            self.feeds.at_mut(index).into_iter().for_each(Feed::forget_older);
            return Step::Idle;
        };
        let confirmable = is_confirmable(self.policy.reliability, observation, feed.observer_check, now);
        let topic = feed.audience.topic();
        match outlet(Notification::new(id, observation, topic, Content::Value(value), confirmable)) {
            Handed::Denied(code) => {
                feed.end_observation(observation, code);
                Step::More
            }
            Handed::Sent => {
                self.counters.coalesced += value.sequence - observation.cursor - 1;
                observation.cursor = value.sequence;
                let is_long = value.payload.len() > observation.block().bytes();
                let is_newest = feed.next(value.sequence).is_none();
                self.handed_out(now, slot, confirmable);
                if is_long {
                    self.start_fetch(now, slot);
                }
                if confirmable || is_long || is_newest { Step::Idle } else { Step::More }
            }
            refused => self.refused(refused, slot),
        }
    }

    /// Notes that a value went out.
    pub(super) fn handed_out(&mut self, now: Instant, slot: u32, confirmable: bool) {
        let Some(observation) = self.observations.at_mut(slot) else { return };
        self.counters.delivered += 1;
        if confirmable {
            self.counters.confirmable += 1;
            observation.set_in_flight(true);
            observation.confirmed_at = seconds(now);
            observation.unconfirmed = 0;
        } else {
            observation.unconfirmed = observation.unconfirmed.saturating_add(1);
        }
    }

    fn refused(&mut self, refused: Handed, slot: u32) -> Step {
        match refused {
            Handed::Sent => Step::More,
            Handed::Busy => Step::Busy,
            Handed::Blocked => Step::Blocked,
            // Nothing is said of any topic by ending an observation.
            Handed::Gone | Handed::Denied(_) => {
                self.take(slot);
                self.counters.left += 1;
                Step::Gone
            }
        }
    }
}

fn is_confirmable(
    reliability: Reliability,
    observation: &Observation,
    observer_check: u32,
    now: Instant,
) -> bool {
    match reliability {
        Reliability::Confirmable => true,
        Reliability::EveryNth(others) => {
            observation.unconfirmed >= others
                || seconds(now).saturating_sub(observation.confirmed_at) >= observer_check
        }
    }
}
