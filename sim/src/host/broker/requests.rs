//! What devices ask of the broker.

use sedge_access::{Caller, Subject};
use sedge_coap::block::Block;
use sedge_coap::{Code, Message, Token, Type, Writer};
use sedge_endpoint::Ticket;
use sedge_pubsub::{self as pubsub, Intake, Outcome, Response, Stored};
use sedge_time::Instant;

use super::wire::{Link, Outlet};
use super::{Broker, unix};
use crate::host::protection::PROTECTED;
use crate::network::NodeId;
use crate::record::MessageId;

impl Broker {
    pub(super) fn request(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        let session = ticket.session();
        let (body, block1) = match self.frontend.intake(now, session.to_u64(), message) {
            Intake::Whole { body, block1 } => (body, block1),
            Intake::Part { response, block1 } => {
                return self.respond(now, ticket, message, &response, block1);
            }
        };
        let directory = self.directory.clone();
        let subject = directory.subject(ticket.principal());
        let outcome = self.handle(now, session.to_u64(), subject, message, &body);
        if let Some(response) = outcome.response {
            self.respond(now, ticket, message, &response, block1);
        }
        if outcome.ready {
            self.frontend.ready(now, session.to_u64(), &mut Outlet { link: &mut self.link, now });
        }
    }

    fn respond(
        &mut self,
        now: Instant,
        ticket: Ticket,
        message: &Message<'_>,
        response: &Response,
        block1: Option<Block>,
    ) {
        let rendered = response.render(message.block2(), self.frontend.block());
        let Link { endpoint, wire } = &mut self.link;
        // A session that has ended meanwhile needs no answer.
        let _sent =
            endpoint.respond(now, ticket, wire, rendered.code, |writer| rendered.write(writer, block1));
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
        let outcome = self.frontend.handle(&mut self.topics, &request);
        if let Some(change) = &outcome.change
            && let (Stored::Put(value), true) = (&change.persist.value, session > 0)
            && let Some(published) = self.named(&value.payload)
        {
            self.record.borrow_mut().arrived(now, NodeId(0), published);
        }
        outcome
    }

    fn named(&self, body: &[u8]) -> Option<MessageId> {
        self.record.borrow().named(body)
    }

    /// Publishes as an administrator would who is connected to the broker directly.
    pub(super) fn publish_as_operator(&mut self, now: Instant, topic: &str, body: &[u8], protected: bool) {
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::PUT, 0, Token::EMPTY);
        writer.path(["d"].into_iter().chain(topic.split('/')));
        if protected {
            writer.content_format(PROTECTED);
        }
        let Ok(len) = writer.finish() else { return };
        if let Ok(message) = Message::parse(&buffer[..len]) {
            let directory = self.directory.clone();
            let _answer = self.handle(now, 0, directory.operator(), &message, body);
        }
    }
}
