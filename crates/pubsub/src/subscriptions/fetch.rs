//! Values that are too long for one message: the subscriber fetches the other blocks of what it was notified
//! of ([RFC 7959 §2.6](https://www.rfc-editor.org/rfc/rfc7959#section-2.6)), and gets nothing newer meanwhile.

use alloc::sync::Arc;

use sedge_coap::block::{Block, BlockSize};
use sedge_time::Instant;

use super::observation::ObservationId;
use super::{Handed, Notification, Subscriptions};
use crate::{Response, TopicId, Value};

/// When to stop waiting for a subscriber that is fetching blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetch {
    patience_ends: Instant,
    observation: ObservationId,
    /// The value that is being fetched.
    sequence: u64,
}

impl Subscriptions {
    /// Notes that the subscriber was sent the first block of the value its cursor is at.
    pub(super) fn start_fetch(&mut self, now: Instant, slot: u32) {
        let observation = self.observations.id(slot);
        let Some(record) = self.observations.at_mut(slot) else { return };
        record.set_fetching(true);
        let patience_ends = now + self.policy.fetch_patience;
        self.fetches.push_back(Fetch { patience_ends, observation, sequence: record.cursor });
    }

    /// The value whose blocks a session is fetching from a topic, if it is; `block` is the one it asks for
    /// now. With it comes whether that was the last one, so that the session is ready for more.
    pub(crate) fn fetch(&mut self, session: u64, topic: TopicId, block: Block) -> Option<(Arc<Value>, bool)> {
        let size = self.block(Some(block)).bytes();
        let index = self.feeds.find(topic)?;
        let slot = self.sessions.slots(session, &self.observations).find(|&slot| {
            let observation = self.observations.at(slot);
            observation.is_some_and(|observation| observation.feed == index && observation.is_fetching())
        })?;
        let observation = self.observations.at_mut(slot)?;
        let value = self.feeds.at(index)?.value(observation.cursor)?.clone();
        let was_last = block.offset() + size >= value.payload.len();
        if was_last {
            observation.set_fetching(false);
        } else {
            observation.touch();
        }
        Some((value, was_last && !observation.is_in_flight()))
    }

    /// A list of links, as `write` makes it: for later blocks of a long one, the list that the first block was
    /// of. `request` is what the requests for all its blocks share.
    pub(crate) fn fetch_list(
        &mut self,
        now: Instant,
        (session, request): (u64, u64),
        asked: Option<Block>,
        write: impl FnOnce() -> Response,
    ) -> Response {
        let kept = self.listings.find(session, request);
        if let Some(kept) = kept.filter(|_| asked.is_some_and(|block| block.num() > 0)) {
            return kept.clone();
        }
        let response = write();
        if response.payload().len() > self.block(asked).bytes() {
            let patience_ends = now + self.policy.fetch_patience;
            self.listings.keep(session, request, response.clone(), patience_ends);
        }
        response
    }

    /// The size of the blocks for a client that asks for this one.
    pub(crate) fn block(&self, asked: Option<Block>) -> BlockSize {
        let largest = self.policy.block;
        asked.map_or(largest, |block| block.size().min(largest))
    }

    pub(super) fn fetch_deadline(&self) -> Option<Instant> {
        self.fetches.front().map(|fetch| fetch.patience_ends)
    }

    /// Stops waiting for those who have been silent for too long.
    pub(super) fn expire_fetches(
        &mut self,
        now: Instant,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        while let Some(&fetch) = self.fetches.front().filter(|fetch| fetch.patience_ends <= now) {
            self.fetches.pop_front();
            let Some(slot) = self.observations.find(fetch.observation) else { continue };
            let Some(observation) = self.observations.at_mut(slot) else { continue };
            if !observation.is_fetching() || observation.cursor != fetch.sequence {
                continue;
            }
            // Before the first block arrives there is nothing to fetch the others of.
            if observation.is_in_flight() || observation.take_touched() {
                let patience_ends = now + self.policy.fetch_patience;
                self.fetches.push_back(Fetch { patience_ends, ..fetch });
            } else {
                observation.set_fetching(false);
                let session = observation.session;
                self.ready(now, session, outlet);
            }
        }
    }
}
