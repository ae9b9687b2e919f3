//! What a broker does between its endpoint and the topics: the same for each shard of a broker and for a simulated one.

use alloc::borrow::Cow;

use sedge_coap::block::{Block, BlockError, BlockSize};
use sedge_coap::problem::Problem;
use sedge_coap::{Code, ContentFormat, Message};
use sedge_endpoint::{Event, ExchangeId};
use sedge_time::Instant;

use crate::{
    Bodies, BodyError, BodyLimits, Content, Handed, Notification, ObservationId, Outcome, Payload, Policy,
    Received, Request, Resend, Resets, Response, Subscriptions, Topics, handle, understands,
};

/// The way of notifications out of a broker, and the rules that they go by.
pub trait Outlet {
    /// The code that an observation is to end with, if its session may not read the topic any more.
    fn judge(&mut self, session: u64, topic: &str) -> Option<Code>;

    /// Sends a notification, most often by [`notify`](crate::notify).
    fn send(&mut self, resets: &mut Resets, notification: &Notification<'_>) -> Handed;

    /// Sends a notification again, most often by [`renotify`](crate::renotify).
    fn send_again(&mut self, exchange: ExchangeId, resend: &Resend<'_>);
}

/// One shard's observations and half-received bodies, driven by what its endpoint says.
///
/// A host gives each [`Event`] that it has no use for itself to [`event`](Self::event), each request to
/// [`intake`](Self::intake) and then, with its body, to [`handle`](Self::handle); and calls [`expire`](Self::expire) when
/// it is time and [`deliver`](Self::deliver) when topics have changed.
#[derive(Debug)]
pub struct Frontend {
    subscriptions: Subscriptions,
    bodies: Bodies,
    resets: Resets,
    limits: BodyLimits,
    block: BlockSize,
}

/// What has come of a request.
#[derive(Debug)]
pub enum Intake<'m> {
    /// All of it.
    Whole {
        /// The body.
        body: Cow<'m, [u8]>,
        /// What confirms the last block of the body in the answer, if it came in blocks.
        block1: Option<Block>,
    },
    /// A part, or too much.
    Part {
        /// The answer to that.
        response: Response,
        /// What confirms the block in the answer.
        block1: Option<Block>,
    },
}

impl Frontend {
    /// No observations and no bodies yet. Answers and notifications go out in the blocks of `policy`.
    pub fn new(policy: Policy, limits: BodyLimits) -> Self {
        Self {
            subscriptions: Subscriptions::new(policy),
            bodies: Bodies::new(limits),
            resets: Resets::new(),
            limits,
            block: policy.block,
        }
    }

    /// Who observes what.
    pub const fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// The same, for changes that have nothing to do with the endpoint.
    pub const fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    /// How many bodies are being assembled.
    pub const fn open_bodies(&self) -> usize {
        self.bodies.len()
    }

    /// The largest block that is sent.
    pub const fn block(&self) -> BlockSize {
        self.block
    }

    /// When [`expire`](Self::expire) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.subscriptions.deadline()
    }

    /// Sees to an event that concerns observations; others are none of its business.
    pub fn event(&mut self, now: Instant, event: &Event<'_>, outlet: &mut impl Outlet) {
        match *event {
            Event::Acknowledged { session, key } => {
                let (session, id) = (session.to_u64(), ObservationId::from_u64(key));
                let Self { subscriptions, resets, .. } = self;
                subscriptions
                    .acknowledged(now, session, id, &mut |notification| give(resets, outlet, &notification));
            }
            Event::Rejected { session, key } | Event::Lost { session, key } => {
                self.failed(now, session.to_u64(), ObservationId::from_u64(key), outlet);
            }
            Event::Reset { session, message_id } => {
                if let Some(observation) = self.resets.rejected(session.to_u64(), message_id) {
                    self.failed(now, session.to_u64(), observation, outlet);
                }
            }
            Event::Delivered { session } | Event::Moved { session } => {
                self.ready(now, session.to_u64(), outlet);
            }
            Event::Render { notification, key, .. } => self.send_again(now, notification, key, outlet),
            _ => {}
        }
    }

    /// Takes a request in: of one whose body comes in blocks, the block
    /// ([RFC 7959 section 2.5](https://www.rfc-editor.org/rfc/rfc7959#section-2.5)). What is not understood is refused by
    /// whoever handles the request, and nothing is kept of it.
    pub fn intake<'m>(&mut self, now: Instant, session: u64, message: &Message<'m>) -> Intake<'m> {
        let Some(block1) = message.block1().filter(|_| message.check(understands).is_ok()) else {
            return Intake::Whole { body: Cow::Borrowed(message.payload()), block1: None };
        };
        let part = |code| Intake::Part { response: Response::new(code), block1: Some(block1) };
        match self.bodies.receive(now, session, message, block1) {
            Ok(Received::Complete(body)) => Intake::Whole { body: Cow::Owned(body), block1: Some(block1) },
            Ok(Received::Continue) => part(Code::CONTINUE),
            Err(BodyError::Block(BlockError::TooLarge)) => {
                // What would not be (RFC 7959 section 2.9.3).
                let size1 = Some(u32::try_from(self.limits.bytes).unwrap_or(u32::MAX));
                let response = Response { size1, ..Response::new(Code::REQUEST_ENTITY_TOO_LARGE) };
                Intake::Part { response, block1: None }
            }
            Err(BodyError::Block(error)) => part(error.code()),
            Err(BodyError::TooMany) => Intake::Part { response: busy(), block1: Some(block1) },
        }
    }

    /// Answers a request to the topics, and puts what it has changed in line for the observers here. Other shards are
    /// told by the caller.
    pub fn handle(&mut self, topics: &mut Topics, request: &Request<'_>) -> Outcome {
        let outcome = handle(topics, &mut self.subscriptions, request);
        if let Some(change) = &outcome.change {
            self.subscriptions.sync(request.now, topics, change.topic);
        }
        outcome
    }

    /// Hands out what a session can take now.
    pub fn ready(&mut self, now: Instant, session: u64, outlet: &mut impl Outlet) {
        let Self { subscriptions, resets, .. } = self;
        subscriptions.ready(now, session, &mut |notification| give(resets, outlet, &notification));
    }

    /// Hands out at most so many notifications; says whether there are more.
    pub fn deliver(&mut self, now: Instant, budget: usize, outlet: &mut impl Outlet) -> bool {
        let Self { subscriptions, resets, .. } = self;
        subscriptions.deliver(now, budget, &mut |notification| give(resets, outlet, &notification))
    }

    /// Does for observations what is due.
    pub fn expire(&mut self, now: Instant, outlet: &mut impl Outlet) {
        let Self { subscriptions, resets, .. } = self;
        subscriptions.expire(now, &mut |notification| give(resets, outlet, &notification));
    }

    /// Drops bodies of which nothing has come for too long. Once a second is often enough.
    pub fn expire_bodies(&mut self, now: Instant) {
        self.bodies.expire(now);
    }

    /// Ends the observations of a session that it may not have any more.
    pub fn recheck(&mut self, now: Instant, session: u64, outlet: &mut impl Outlet) {
        self.subscriptions.regrant(session, |topic| outlet.judge(session, topic));
        self.ready(now, session, outlet);
    }

    /// The same for all sessions, because the rules have changed. What follows goes out by [`deliver`](Self::deliver).
    pub fn recheck_all(&mut self, outlet: &mut impl Outlet) {
        self.subscriptions.regrant_all(|session, topic| outlet.judge(session, topic));
    }

    /// Forgets a session that is no more.
    pub fn close(&mut self, session: u64) {
        self.subscriptions.close(session);
        self.bodies.close(session);
    }

    /// Ends an observation whose notification came to nothing, and hands out what its session can take now.
    fn failed(&mut self, now: Instant, session: u64, id: ObservationId, outlet: &mut impl Outlet) {
        let Self { subscriptions, resets, .. } = self;
        subscriptions.failed(now, session, id, &mut |notification| give(resets, outlet, &notification));
    }

    /// Sends a notification again that was not acknowledged in time, or the end of its observation if its session may
    /// not have it any more.
    fn send_again(&mut self, now: Instant, exchange: ExchangeId, key: u64, outlet: &mut impl Outlet) {
        let id = ObservationId::from_u64(key);
        let resend = self.subscriptions.resend(now, id);
        if let Some(code) = resend.and_then(|resend| judge(outlet, &resend.notification)) {
            self.subscriptions.end(id, code);
        }
        if let Some(resend) = self.subscriptions.resend(now, id) {
            outlet.send_again(exchange, &resend);
        }
    }
}

/// Sends a notification, if its session may have it.
fn give(resets: &mut Resets, outlet: &mut impl Outlet, notification: &Notification<'_>) -> Handed {
    match judge(outlet, notification) {
        Some(code) => Handed::Denied(code),
        None => outlet.send(resets, notification),
    }
}

/// Everybody may hear that it is over.
fn judge(outlet: &mut impl Outlet, notification: &Notification<'_>) -> Option<Code> {
    match notification.content {
        Content::Value(_) => outlet.judge(notification.session, notification.topic),
        Content::End(_) => None,
    }
}

/// The answer to somebody who begins one body too many.
fn busy() -> Response {
    let mut body = alloc::vec::Vec::new();
    Problem::new("too many bodies in blocks").encode(|part| body.extend_from_slice(part));
    Response {
        content_format: Some(ContentFormat::PROBLEM_DETAILS),
        max_age: Some(1),
        payload: Payload::Bytes(body),
        ..Response::new(Code::SERVICE_UNAVAILABLE)
    }
}

#[cfg(test)]
mod tests {
    use sedge_coap::{OptionNumber, Token, Type, Writer};
    use sedge_time::Duration;

    use super::*;

    /// What is said of block `number` of a body of 16-byte blocks, from this session.
    fn block(frontend: &mut Frontend, session: u64, number: u32, more: bool) -> (Code, Option<u32>, usize) {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::PUT, 1, Token::EMPTY);
        let block1 = Block::new(number, more, BlockSize::at_most(16)).unwrap();
        writer.path(["d", "t"]).block(OptionNumber::BLOCK1, block1).payload(&[7; 16]);
        let len = writer.finish().unwrap();
        let message = Message::parse(&buffer[..len]).unwrap();
        match frontend.intake(Instant::EPOCH, session, &message) {
            Intake::Whole { body, block1: confirmed } => {
                assert_eq!(confirmed, Some(block1));
                (Code::CHANGED, None, body.len())
            }
            Intake::Part { response, .. } => (response.code, response.size1, 0),
        }
    }

    #[test]
    fn a_body_in_blocks_is_whole_at_its_last_and_refused_with_its_reason() {
        let limits = BodyLimits { bytes: 40, bodies: 1, per_session: 1, timeout: Duration::from_secs(1) };
        let mut frontend = Frontend::new(Policy::default(), limits);
        assert_eq!(block(&mut frontend, 1, 0, true), (Code::CONTINUE, None, 0));
        assert_eq!(block(&mut frontend, 2, 0, true), (Code::SERVICE_UNAVAILABLE, None, 0));
        assert_eq!(block(&mut frontend, 1, 1, false), (Code::CHANGED, None, 32));
        assert_eq!(block(&mut frontend, 1, 1, true), (Code::REQUEST_ENTITY_INCOMPLETE, None, 0));
        for (number, code, size1) in [
            (0, Code::CONTINUE, None),
            (1, Code::CONTINUE, None),
            (2, Code::REQUEST_ENTITY_TOO_LARGE, Some(40)),
        ] {
            assert_eq!(block(&mut frontend, 1, number, true), (code, size1, 0));
        }
        assert_eq!(frontend.open_bodies(), 0);
    }
}
