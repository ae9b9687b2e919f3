//! All subscriptions: registering them, and what comes of it.

use sedge_coap::{Code, Message, OptionNumber, Type};
use sedge_endpoint::memory::Buffer;
use sedge_endpoint::{ExchangeId, HostOf, Request as Head, SendError, SessionId};
use sedge_time::Instant;

use super::{Core, Entry, Kind, State, Subscription, SubscriptionId};
use crate::disconnect::Disconnect;
use crate::memory::Memory;
use crate::request::{Request, Target};

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
        let (Target::Topic(text) | Target::Path(text)) = target;
        let is_topic = matches!(target, Target::Topic(_));
        let mut name = M::Name::default();
        if !name.store(text.as_bytes()) {
            return Err(SubscribeError::NameTooLong);
        }
        let mut slots = (0..).zip(self.subscriptions.as_mut());
        let (slot, place) = slots.find(|(_, place)| place.is_none()).ok_or(SubscribeError::NoRoom)?;
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        let state = State::Due(now);
        *place = Some(Subscription { serial, name, is_topic, state, seen: 0, answered: false });
        Ok(SubscriptionId { slot, serial })
    }

    /// Ends a subscription; the server learns it by the reset of its next notification, or with a message of
    /// its own if there is room for one. Says whether there was such a subscription.
    pub fn unsubscribe<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        subscription: SubscriptionId,
        host: &mut H,
    ) -> bool {
        let Some(ended) = self.place(subscription).and_then(Option::take) else { return false };
        self.inbox.forget(subscription);
        if let Some(exchange) = ended.exchange() {
            match self.endpoint.deregister(now, exchange, host) {
                Ok(_) => {}
                Err(_) => {
                    let _cancelled = self.endpoint.cancel(exchange);
                }
            }
        }
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

    /// The value with this key was handed on: the same one need not be again.
    pub(crate) fn handed_on(&mut self, subscription: SubscriptionId, key: u64) {
        if let Some(Some(known)) = self.place(subscription) {
            known.seen = key;
        }
    }

    /// Whether the value with this key was the last one handed on.
    pub(crate) fn is_known(&self, subscription: SubscriptionId, key: u64) -> bool {
        key != 0 && self.subscription(subscription).is_some_and(|known| known.seen == key)
    }

    /// Frees the place of a subscription that is over.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) {
        if let Some(place) = self.place(subscription) {
            *place = None;
        }
    }

    /// When the next registration is due.
    pub(super) fn next_registration(&self) -> Option<Instant> {
        let due = |subscription: &Subscription<M::Name>| match subscription.state {
            State::Due(at) => Some(at),
            _ => None,
        };
        self.subscriptions.as_ref().iter().flatten().filter_map(due).min()
    }

    /// Sends one registration that is due; says whether it did.
    pub(super) fn register_next<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        session: SessionId,
        host: &mut H,
    ) -> bool {
        self.registration_waits = false;
        let mut all = self.subscriptions.as_mut().iter_mut().flatten();
        let Some(subscription) = all.find(|one| matches!(one.state, State::Due(at) if at <= now)) else {
            return false;
        };
        let request = Request::new(Code::GET, subscription.target());
        let head = Head { observe: true, ..Head::confirmable(Code::GET) };
        let sent = self.endpoint.request(now, session, head, host, |writer| {
            request.write(writer, &[Some((OptionNumber::OBSERVE, 0))]);
        });
        match sent {
            Ok(exchange) => {
                subscription.state = State::Asked(exchange);
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

    /// An answer to a registration, or a notification.
    pub(super) fn notified(&mut self, now: Instant, exchange: ExchangeId, message: &Message<'_>, last: bool) {
        let Some((id, subscription)) = find::<M>(&mut self.subscriptions, exchange) else { return };
        let code = message.code();
        let asked = matches!(subscription.state, State::Asked(_));
        if last && !code.is_success() && asked {
            if code == Code::NOT_FOUND && subscription.is_topic {
                // Nobody has published yet.
                subscription.answered = true;
                subscription.state = State::Due(now + self.config.topic_poll);
            } else {
                self.over(id, code);
            }
            return;
        }
        if last && code == Code::NOT_ACCEPTABLE {
            // The format of the values has changed, which ends an observation (RFC 7641 section 4.2).
            subscription.state = State::Due(now);
            return;
        }
        if last && !code.is_success() {
            subscription.state = State::Over(code);
            self.inbox.push(&Entry {
                subscription: id,
                kind: Kind::End(code),
                content_format: None,
                key: 0,
                payload: &[],
            });
            return;
        }
        let key = message.response_key();
        // The answer to a repeated registration brings what is there, and that is usually known.
        let repeated = key != 0 && key == subscription.seen && (asked || message.kind() == Type::Ack);
        if last {
            self.over(id, code);
        } else {
            subscription.answered = true;
            subscription.state = State::Observing(exchange);
        }
        if repeated {
            return;
        }
        let kind = match message.block2() {
            Some(block) if block.more() => Kind::FirstBlock(block.size()),
            _ => Kind::Value,
        };
        if kind == Kind::Value
            && let Some(Some(known)) = self.place(id)
        {
            known.seen = key;
        }
        self.inbox.push(&Entry {
            subscription: id,
            kind,
            content_format: message.content_format(),
            key,
            payload: message.payload(),
        });
    }

    /// A registration or an observation was given up.
    pub(super) fn registration_failed(&mut self, now: Instant, exchange: ExchangeId) {
        if let Some((_, subscription)) = find::<M>(&mut self.subscriptions, exchange) {
            subscription.state = State::Due(now);
        }
    }

    /// All observations went with their session.
    pub(super) fn subscriptions_lost(&mut self, now: Instant) {
        for subscription in self.subscriptions.as_mut().iter_mut().flatten() {
            if subscription.exchange().is_some() {
                subscription.state = State::Due(now);
            }
        }
    }

    /// The server refuses, for the first time or at a later registration. Who waits in `subscribe` sees it in
    /// the standing; everyone else is told like a last notification.
    fn over(&mut self, id: SubscriptionId, code: Code) {
        let Some(Some(subscription)) = self.place(id) else { return };
        subscription.state = State::Over(code);
        if subscription.answered {
            let kind = Kind::End(code);
            self.inbox.push(&Entry { subscription: id, kind, content_format: None, key: 0, payload: &[] });
        }
    }

    fn subscription(&self, id: SubscriptionId) -> Option<&Subscription<M::Name>> {
        self.subscriptions.as_ref().get(usize::from(id.slot))?.as_ref().filter(|one| one.serial == id.serial)
    }

    fn place(&mut self, id: SubscriptionId) -> Option<&mut Option<Subscription<M::Name>>> {
        let place = self.subscriptions.as_mut().get_mut(usize::from(id.slot))?;
        place.as_ref().is_some_and(|one| one.serial == id.serial).then_some(place)
    }
}

/// The subscription whose registration or observation is `exchange`.
fn find<M: Memory>(
    subscriptions: &mut M::Subscriptions,
    exchange: ExchangeId,
) -> Option<(SubscriptionId, &mut Subscription<M::Name>)> {
    let slots = (0..).zip(subscriptions.as_mut());
    let mut known = slots.filter_map(|(slot, place)| place.as_mut().map(|one| (slot, one)));
    let (slot, subscription) = known.find(|(_, one)| one.exchange() == Some(exchange))?;
    Some((SubscriptionId { slot, serial: subscription.serial }, subscription))
}
