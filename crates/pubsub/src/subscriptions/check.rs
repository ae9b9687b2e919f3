//! `observer-check`: every subscriber gets a confirmable notification in so many seconds, whether or not
//! anything is published, so that those who have forgotten are forgotten too.
//!
//! Instead of a timer for each of perhaps a million subscribers there is a look at all of them, sixteen times
//! in the shortest period of any topic.

use sedge_time::{Duration, Instant};

use super::notification::{Content, Handed, Notification};
use super::{Subscriptions, seconds};

impl Subscriptions {
    /// When [`expire`](Self::expire) is to be called; `None` if only an input can change anything.
    pub fn deadline(&self) -> Option<Instant> {
        let check = (!self.is_empty()).then_some(self.next_check);
        [check, self.fetch_deadline(), self.listings.deadline()].into_iter().flatten().min()
    }

    /// Does what the time has come for.
    pub fn expire(&mut self, now: Instant, outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized)) {
        self.expire_fetches(now, outlet);
        self.listings.expire(now);
        if self.next_check > now {
            return;
        }
        let shortest = self.feeds.iter().map(|feed| feed.observer_check).min().unwrap_or(u32::MAX);
        let interval = interval(shortest);
        self.next_check = now + interval;
        for slot in self.observations.slots() {
            if self.is_due(slot, now + interval) && self.check(now, slot, outlet) == Handed::Blocked {
                self.next_check = now + Duration::from_secs(1);
                return;
            }
        }
    }

    /// Has the next look come in time for a topic with this `observer-check`.
    pub(super) fn schedule_check(&mut self, now: Instant, observer_check: u32) {
        self.next_check = self.next_check.min(now + interval(observer_check));
    }

    /// Whether the subscriber is to be asked before `next_look`.
    fn is_due(&self, slot: u32, next_look: Instant) -> bool {
        let Some(observation) = self.observations.at(slot) else { return false };
        let Some(feed) = self.feeds.at(observation.feed) else { return false };
        !observation.is_in_flight()
            && !observation.is_fetching()
            && !observation.is_ending()
            && seconds(next_look).saturating_sub(observation.confirmed_at) >= feed.observer_check
    }

    /// Sends the newest value once more, to be acknowledged.
    fn check(
        &mut self,
        now: Instant,
        slot: u32,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) -> Handed {
        let id = self.observations.id(slot);
        let Some(observation) = self.observations.at_mut(slot) else { return Handed::Gone };
        let Some(feed) = self.feeds.at(observation.feed) else { return Handed::Gone };
        // Whoever has not seen the newest value is about to be sent one anyway.
        let Some(value) = feed.newest().filter(|newest| newest.sequence == observation.cursor) else {
            return Handed::Busy;
        };
        let content = Content::Value(value);
        let handed = outlet(Notification::new(id, observation, feed.audience.topic(), content, true));
        match handed {
            Handed::Sent => {
                self.counters.checks += 1;
                self.handed_out(now, slot, true);
            }
            Handed::Gone => {
                self.take(slot);
                self.counters.left += 1;
            }
            Handed::Denied(code) => {
                feed.end_observation(observation, code);
                let _ = self.step(now, slot, outlet);
            }
            Handed::Busy | Handed::Blocked => {}
        }
        handed
    }
}

/// The time between two looks at all subscribers.
fn interval(observer_check: u32) -> Duration {
    Duration::from_secs(u64::from(observer_check / 16).clamp(1, 3600))
}
