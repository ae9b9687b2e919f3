//! Values that are too long for one message: the subscriber fetches the other blocks of what it was notified
//! of ([RFC 7959 §2.6](https://www.rfc-editor.org/rfc/rfc7959#section-2.6)), and gets nothing newer meanwhile.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sedge_coap::block::{Block, BlockSize};
use sedge_time::Instant;

use super::{Handed, Notification, Subscriptions};
use crate::{Response, TopicId, Value};

/// What subscribers are fetching, or were fetching last, by the slots of their observations.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    by_slot: BTreeMap<u32, Fetch>,
    /// Not after the first time that patience with one of them ends.
    due: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Fetch {
    /// The value.
    sequence: u64,
    /// How many bytes of it have been asked for so far.
    asked: usize,
    /// The value before it, whose last block may be asked for again if the answer was lost; or 0.
    before: u64,
    patience_ends: Instant,
}

impl Fetches {
    pub(crate) fn remove(&mut self, slot: u32) {
        self.by_slot.remove(&slot);
    }
}

impl Subscriptions {
    /// Notes that the subscriber was sent the first block of the value its cursor is at.
    pub(super) fn start_fetch(&mut self, now: Instant, slot: u32) {
        let Some(observation) = self.observations.at_mut(slot) else { return };
        observation.set_fetching(true);
        let patience_ends = now + self.policy.fetch_patience;
        let Fetches { by_slot, due } = &mut self.fetches;
        *due = if by_slot.is_empty() { patience_ends } else { patience_ends.min(*due) };
        let before = by_slot.get(&slot).map_or(0, |fetch| fetch.sequence);
        let asked = observation.block().bytes();
        by_slot.insert(slot, Fetch { sequence: observation.cursor, asked, before, patience_ends });
    }

    /// The value whose blocks a session is fetching from a topic, if it is; `block` is the one it asks for
    /// now. With it comes whether that was the last one, so that the session is ready for more.
    pub(crate) fn fetch(
        &mut self,
        now: Instant,
        session: u64,
        topic: TopicId,
        block: Block,
    ) -> Option<(Arc<Value>, bool)> {
        let size = self.block(Some(block)).bytes();
        let index = self.feeds.find(topic)?;
        let feed = self.feeds.at(index)?;
        let slot = self.sessions.slots(session, &self.observations).find(|slot| {
            let observation = self.observations.at(*slot);
            observation.is_some_and(|observation| observation.feed == index)
                && self.fetches.by_slot.contains_key(slot)
        })?;
        let fetch = self.fetches.by_slot.get_mut(&slot)?;
        let observation = self.observations.at_mut(slot)?;
        fetch.patience_ends = now + self.policy.fetch_patience;
        if block.offset() > fetch.asked
            && let Some(before) = feed.value(fetch.before)
        {
            // Blocks are asked for one after the other: this one is not the next of the new value.
            return Some((before.clone(), false));
        }
        let value = feed.value(fetch.sequence)?.clone();
        fetch.asked = fetch.asked.max(block.offset() + size);
        let is_over = observation.is_fetching() && fetch.asked >= value.payload.len();
        if is_over {
            observation.set_fetching(false);
        }
        Some((value, is_over && !observation.is_in_flight()))
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
        (!self.fetches.by_slot.is_empty()).then_some(self.fetches.due)
    }

    /// Stops waiting for those who have been silent for too long.
    pub(super) fn expire_fetches(
        &mut self,
        now: Instant,
        outlet: &mut (impl FnMut(Notification<'_>) -> Handed + ?Sized),
    ) {
        if self.fetch_deadline().is_none_or(|due| due > now) {
            return;
        }
        let patience_ends = now + self.policy.fetch_patience;
        let mut over = Vec::new();
        for (&slot, fetch) in &mut self.fetches.by_slot {
            let Some(observation) = self.observations.at_mut(slot) else { continue };
            if fetch.patience_ends > now {
                continue;
            }
            if observation.is_in_flight() && observation.is_fetching() {
                // Before the first block arrives there is nothing to fetch the others of.
                fetch.patience_ends = patience_ends;
                continue;
            }
            observation.set_fetching(false);
            over.push((slot, observation.session));
        }
        over.iter().for_each(|(slot, _)| self.fetches.remove(*slot));
        let first = self.fetches.by_slot.values().map(|fetch| fetch.patience_ends).min();
        self.fetches.due = first.unwrap_or(patience_ends);
        over.iter().for_each(|(_, session)| self.ready(now, *session, outlet));
    }
}
