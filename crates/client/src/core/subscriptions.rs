//! All subscriptions: registering them, and what comes of it.

use sedge_coap::block::Block;
use sedge_coap::{Code, Message, Type, observe};
use sedge_endpoint::SendError;
use sedge_endpoint::memory::Buffer;
use sedge_time::Instant;

use super::{Core, Entry, Kind, Number, Outgoing, State, Subscription, SubscriptionId};
use crate::disconnect::Disconnect;
use crate::memory::Memory;
use crate::request::{Named, Target};
use crate::tell::tell;

/// What a subscription has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The server has not answered yet.
    Pending,
    /// Values come as they are published; if nobody has published yet, from then on.
    Established,
    /// The server refused with this code; a success means that it gave the value but does not notify.
    Refused(Code),
    /// There is no such subscription.
    Unknown,
}

/// Why there is no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// There are as many as there is memory for.
    NoRoom,
    /// The topic's name is longer than the memory for it.
    NameTooLong,
}

impl<M: Memory> Core<M> {
    /// Subscribes to a topic or observes another resource, now and after every reconnection.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, now: Instant, target: Target<'_>) -> Result<SubscriptionId, SubscribeError> {
        let (named, text) = target.parts();
        let mut name = M::Name::default();
        if !name.store(text.as_bytes()) {
            return Err(SubscribeError::NameTooLong);
        }
        let mut slots = (0..).zip(self.subscriptions.as_mut());
        let (slot, place) =
            slots.find(|(_, place)| place.state == State::Free).ok_or(SubscribeError::NoRoom)?;
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        let state = State::Due(now);
        *place = Subscription { serial, name, named, state, seen: 0, answered: false };
        Ok(SubscriptionId { slot, serial })
    }

    /// Ends a subscription and tells the server. Says whether there was such a subscription.
    pub fn unsubscribe(&mut self, now: Instant, subscription: SubscriptionId) -> bool {
        let Some(ended) = place::<M>(&mut self.subscriptions, subscription) else { return false };
        self.inbox.forget(subscription);
        let message = Outgoing::Observation(ended.place(), observe::DEREGISTER);
        self.line.deregister(now, number(subscription.slot), &message);
        ended.state = State::Free;
        true
    }

    /// What a subscription has come to.
    pub fn standing(&self, subscription: SubscriptionId) -> Standing {
        match self.subscription(subscription) {
            None => Standing::Unknown,
            Some(Subscription { state: State::Over(code), .. }) => Standing::Refused(*code),
            Some(Subscription { answered: true, .. }) => Standing::Established,
            Some(_) => Standing::Pending,
        }
    }

    /// What a subscription is about.
    pub fn target(&self, subscription: SubscriptionId) -> Option<Target<'_>> {
        self.subscription(subscription).map(Subscription::target)
    }

    /// What came first of all that nobody has taken yet, with the name by which it is removed.
    pub(crate) fn front(&self) -> Option<(u32, Entry<'_>)> {
        self.inbox.front()
    }

    /// Takes what [`front`](Self::front) returned out of the queue.
    pub(crate) fn remove_front(&mut self, name: u32) {
        self.inbox.remove(name);
    }

    /// Takes the newest of what came for a subscription out of turn, and drops what came before it. Says what it was,
    /// and how many of its bytes are in `buffer`: none if they do not fit.
    pub(crate) fn take_newest(
        &mut self,
        subscription: SubscriptionId,
        buffer: &mut [u8],
    ) -> Option<(Kind, usize)> {
        self.inbox.take_newest(subscription, buffer)
    }

    /// The value with this key was handed on: the same one need not be again.
    pub(crate) fn handed_on(&mut self, subscription: SubscriptionId, key: u64) {
        if let Some(known) = place::<M>(&mut self.subscriptions, subscription) {
            known.seen = key;
        }
    }

    /// Whether the value with this key was the last one handed on.
    pub(crate) fn is_known(&self, subscription: SubscriptionId, key: u64) -> bool {
        key != 0 && self.subscription(subscription).is_some_and(|known| known.seen == key)
    }

    /// Frees the place of a subscription that is over.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) {
        if let Some(over) = place::<M>(&mut self.subscriptions, subscription) {
            over.state = State::Free;
        }
    }

    /// When the next registration is due; never is [`Instant::DISTANT_FUTURE`].
    pub(super) fn next_registration(&self) -> Instant {
        let mut earliest = Instant::DISTANT_FUTURE;
        for subscription in self.subscriptions.as_ref() {
            if let State::Due(at) = subscription.state {
                earliest = earliest.min(at);
            }
        }
        earliest
    }

    /// Sends one registration that is due; says whether it did.
    pub(super) fn register_next(&mut self, now: Instant) -> bool {
        self.registration_waits = false;
        let mut all = (1..).zip(self.subscriptions.as_mut());
        let due = all.find(|(_, one)| matches!(one.state, State::Due(at) if at <= now));
        let Some((number, subscription)) = due else { return false };
        let message = Outgoing::Observation(subscription.place(), observe::REGISTER);
        match self.line.begin(now, number, &message) {
            Ok(_) => {
                subscription.state = State::Asked;
                true
            }
            Err(SendError::Gone | SendError::NotConnected) => {
                self.lost(now, Disconnect::Silent);
                true
            }
            Err(SendError::TooLong | SendError::Malformed) => {
                subscription.state = State::Over(Code::BAD_REQUEST);
                true
            }
            // There will be an event, and with it another call.
            Err(SendError::Busy | SendError::Full | SendError::NoRoom) => {
                self.registration_waits = true;
                false
            }
        }
    }

    /// Sends a registration once more that was not acknowledged, or renews an observation
    /// ([RFC 7641 section 3.3.1](https://www.rfc-editor.org/rfc/rfc7641#section-3.3.1)).
    pub(super) fn repeat_registration(&mut self, now: Instant, number: Number) {
        let Some((_, subscription)) = find::<M>(&mut self.subscriptions, number) else {
            self.line.cancel(number);
            return;
        };
        let message = Outgoing::Observation(subscription.place(), observe::REGISTER);
        if self.line.is_observing(number) {
            if self.line.send(now, number, &message).is_err() {
                self.line.cancel(number);
                subscription.state = State::Due(now);
            }
        } else {
            // A refusal is a lost datagram: the next repetition makes up for it.
            let _lost = self.line.send_again(number, &message);
        }
    }

    /// An answer to a registration, or a notification.
    pub(super) fn notified(&mut self, now: Instant, number: Number, message: &Message<'_>, last: bool) {
        let Some((id, subscription)) = find::<M>(&mut self.subscriptions, number) else { return };
        let code = message.code();
        let asked = subscription.state == State::Asked;
        if last && !code.is_success() {
            if asked && code == Code::NOT_FOUND && subscription.named == Named::Topic {
                // Nobody has published yet.
                subscription.answered = true;
                subscription.state = State::Due(now + self.line.config.topic_poll);
            } else if !asked && code == Code::NOT_ACCEPTABLE {
                // The format of the values has changed, which ends an observation (RFC 7641 section 4.2).
                subscription.state = State::Due(now);
            } else {
                self.over(id, code);
            }
            return;
        }
        let key = message.response_key();
        // The answer to a repeated registration brings what is there, and that is usually known.
        let repeated = key != 0 && key == subscription.seen && (asked || message.kind() == Type::Ack);
        let block = message.block2().filter(|block| block.more()).map(Block::size);
        if block.is_none() {
            subscription.seen = key;
        }
        if last {
            self.over(id, code);
        } else {
            subscription.answered = true;
            subscription.state = State::Observing;
        }
        if repeated {
            return;
        }
        self.inbox.push(&Entry::value(id, block, message.content_format(), key, message.payload()));
    }

    /// A registration or an observation was given up.
    pub(super) fn registration_failed(&mut self, now: Instant, number: Number) {
        if let Some((_, subscription)) = find::<M>(&mut self.subscriptions, number) {
            subscription.state = State::Due(now);
        }
    }

    /// All observations went with their session.
    pub(super) fn subscriptions_lost(&mut self, now: Instant) {
        for subscription in self.subscriptions.as_mut() {
            if subscription.is_under_way() {
                subscription.state = State::Due(now);
            }
        }
    }

    /// The server refuses, for the first time or at a later registration. Who waits in `subscribe` sees it in
    /// the standing; everyone else is told like a last notification.
    fn over(&mut self, id: SubscriptionId, code: Code) {
        tell!(warn, "subscription {} is over: {}.{:02}", id.slot, code.0 >> 5, code.0 & 31);
        let Some(subscription) = place::<M>(&mut self.subscriptions, id) else { return };
        subscription.state = State::Over(code);
        if subscription.answered {
            self.inbox.push(&Entry::end(id, code));
        }
    }

    fn subscription(&self, id: SubscriptionId) -> Option<&Subscription<M::Name>> {
        self.subscriptions.as_ref().get(usize::from(id.slot)).filter(|one| one.is(id))
    }
}

/// The place of a subscription that there still is.
fn place<M: Memory>(
    subscriptions: &mut M::Subscriptions,
    id: SubscriptionId,
) -> Option<&mut Subscription<M::Name>> {
    subscriptions.as_mut().get_mut(usize::from(id.slot)).filter(|one| one.is(id))
}

/// The exchange of the subscription in a slot: the first one is the request's.
const fn number(slot: u8) -> Number {
    slot.saturating_add(1)
}

/// The subscription whose exchange this is, if something is under way for it.
fn find<M: Memory>(
    subscriptions: &mut M::Subscriptions,
    number: Number,
) -> Option<(SubscriptionId, &mut Subscription<M::Name>)> {
    let slot = number.checked_sub(1)?;
    let subscription = subscriptions.as_mut().get_mut(usize::from(slot))?;
    let id = SubscriptionId { slot, serial: subscription.serial };
    subscription.is_under_way().then_some((id, subscription))
}
