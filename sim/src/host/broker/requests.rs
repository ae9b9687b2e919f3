//! What devices ask of the broker.

use sedge_access::{Caller, Subject};
use sedge_coap::block::{Block, BlockError};
use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer};
use sedge_endpoint::Ticket;
use sedge_pubsub::{self as pubsub, BodyError, Outcome, Received, Response, Stored};
use sedge_time::Instant;

use super::{Broker, unix};
use crate::host::device::name_of;
use crate::network::NodeId;

impl Broker {
    pub(super) fn request(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        let Some(block1) = message.block1().filter(|_| message.check(pubsub::understands).is_ok()) else {
            return self.dispatch(now, ticket, message, message.payload(), None);
        };
        match self.bodies.receive(now, ticket.session().to_u64(), message, block1) {
            Ok(Received::Complete(body)) => self.dispatch(now, ticket, message, &body, Some(block1)),
            Ok(Received::Continue) => self.answer_block(now, ticket, Code::CONTINUE, block1),
            Err(BodyError::Block(error)) => self.answer_block(now, ticket, error.code(), block1),
            Err(BodyError::TooMany) => {
                self.answer_block(now, ticket, BlockError::Incomplete.code(), block1);
            }
        }
    }

    fn answer_block(&mut self, now: Instant, ticket: Ticket, code: Code, block1: Block) {
        // A session that has ended meanwhile needs no answer.
        let _sent = self.link.endpoint.respond(now, ticket, &mut self.link.wire, code, |writer| {
            writer.block(OptionNumber::BLOCK1, block1);
        });
    }

    fn dispatch(
        &mut self,
        now: Instant,
        ticket: Ticket,
        message: &Message<'_>,
        body: &[u8],
        block1: Option<Block>,
    ) {
        let session = ticket.session();
        let directory = self.directory.clone();
        let subject = directory.subject(ticket.principal());
        let outcome = self.handle(now, session.to_u64(), subject, message, body);
        if let Some(response) = outcome.response.or(outcome.change.map(|_| Response::new(Code::CHANGED))) {
            let rendered = response.render(message.block2(), self.block());
            let _sent =
                self.link.endpoint.respond(now, ticket, &mut self.link.wire, rendered.code, |writer| {
                    rendered.write(writer, block1);
                });
        }
        if outcome.ready {
            self.ready(now, session);
        }
    }

    /// Has the topics and subscriptions do what is asked, and notes which message that was.
    fn handle(
        &mut self,
        now: Instant,
        session: u64,
        subject: &Subject,
        message: &Message<'_>,
        body: &[u8],
    ) -> Outcome {
        let caller = Caller { policy: &self.policy, subject };
        let request = pubsub::Request { now, unix: unix(now), session, caller, message, body };
        let outcome = pubsub::handle(&mut self.topics, &mut self.subscriptions, &request);
        if let Some(change) = &outcome.change {
            self.subscriptions.sync(now, &self.topics, change.topic);
            if let (Stored::Put(value), true) = (&change.persist.value, session > 0)
                && let Some(published) = name_of(&value.payload)
            {
                self.record.borrow_mut().arrived(now, NodeId(0), published);
            }
        }
        outcome
    }

    /// Publishes as an administrator would who is connected to the broker directly.
    pub(super) fn publish_as_operator(&mut self, now: Instant, topic: &str, body: &[u8]) {
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::PUT, 0, Token::EMPTY);
        writer.path(["d"].into_iter().chain(topic.split('/')));
        let Ok(len) = writer.finish() else { return };
        if let Ok(message) = Message::parse(&buffer[..len]) {
            let directory = self.directory.clone();
            let _answer = self.handle(now, 0, directory.operator(), &message, body);
        }
    }
}
