//! Requests: whose they are, what they are for, and how they are answered.

use sedge_access::{Caller, Subject};
use sedge_coap::block::Block;
use sedge_coap::link_format::is_discovery;
use sedge_coap::{Code, Message, OptionNumber, Reaction};
use sedge_endpoint::Ticket;
use sedge_pubsub::{self as pubsub, Intake, Response};
use sedge_time::Instant;

use super::answers::{links, problem, unavailable};
use super::authorize::{Endpoint, is_authz_info};
use super::groups::is_group;
use super::mail::Answer;
use super::proof::Proof;
use super::{Order, Shard};
use crate::admin::ADMIN_PATH;
use crate::clock;
use crate::store::{Change, Done, StoreError, Urgency};

/// A request with its whole body.
pub(super) struct Whole<'r> {
    pub(super) message: &'r Message<'r>,
    pub(super) body: &'r [u8],
    /// What confirms the last block of the body, if that came in blocks.
    pub(super) block1: Option<Block>,
    /// Whether it may be answered with more than it brought: its sender is known to receive at its address.
    trusted: bool,
}

impl Shard {
    pub(super) fn request(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        self.hear_of_rights(now);
        let session = ticket.session();
        let subject = match (self.subjects.get(session.to_u64()), ticket.principal()) {
            (Some(subject), _) => subject.clone(),
            (None, 0) => self.shared.insecure.clone(),
            // Its session ends: its device was removed.
            (None, _) => return self.end(session),
        };
        let subject = &*subject;
        // A handshake has shown that the peer receives at its address.
        let trusted = self.link.endpoint.agreed(session).is_some() || self.meet(now, &ticket, message);
        match self.frontend.intake(now, session.to_u64(), message) {
            Intake::Whole { body, block1 } => {
                self.dispatch(now, ticket, subject, &Whole { message, body: &body, block1, trusted });
            }
            Intake::Part { response, block1 } => {
                self.counters.bodies_refused += u64::from(!response.code.is_success());
                self.respond(now, ticket, &response, &Whole { message, body: &[], block1, trusted });
            }
        }
    }

    fn dispatch(&mut self, now: Instant, ticket: Ticket, subject: &Subject, whole: &Whole<'_>) {
        let has_topics = self.shared.state.serves_topics;
        if has_topics && pubsub::serves(whole.message) {
            return self.publish_or_subscribe(now, ticket, subject, whole);
        }
        let response = if let Err(rejected) = whole.message.check(pubsub::understands) {
            match rejected.reaction {
                Reaction::Respond(code) => problem(code, "an option is not understood"),
                // RFC 7252 section 5.4.1: a non-confirmable one is passed over in silence.
                _ => return,
            }
        } else if whole.message.proxy_uri().is_some() || whole.message.proxy_scheme().is_some() {
            problem(Code::PROXYING_NOT_SUPPORTED, "not a proxy")
        } else if is_discovery(whole.message) {
            links(whole.message, has_topics)
        } else if has_topics && is_authz_info(whole.message) {
            return self.authz_info(now, ticket, whole);
        } else if let Some(endpoint) =
            Endpoint::of(whole.message).filter(|_| self.shared.config.authority.enabled)
        {
            return self.ask_authority(now, ticket, endpoint, whole);
        } else if is_group(whole.message) {
            return self.ask_groups(now, ticket, whole);
        } else if self.shared.config.admin.remote
            && whole.message.uri_path().eq(ADMIN_PATH.map(str::as_bytes))
        {
            return self.administer(now, ticket, subject, whole);
        } else {
            problem(Code::NOT_FOUND, "no such resource")
        };
        self.respond(now, ticket, &response, whole);
    }

    fn publish_or_subscribe(&mut self, now: Instant, ticket: Ticket, subject: &Subject, whole: &Whole<'_>) {
        let message = whole.message;
        let session = ticket.session();
        let reads = matches!(message.code(), Code::GET | Code::FETCH);
        if !reads && let Err(error) = self.shared.state.store.health() {
            self.counters.store_refused += 1;
            return self.respond(now, ticket, &unavailable(&error), whole);
        }
        if message.observe() == Some(0) && !whole.trusted {
            // An observation is answered again and again.
            return self.ask_for_proof(now, ticket);
        }
        let policy = self.policy.clone();
        let request = pubsub::Request {
            now,
            unix: clock::unix(),
            session: session.to_u64(),
            caller: Caller { policy: &policy, subject },
            message,
            body: whole.body,
        };
        let shared = self.shared.clone();
        // The lock is held until the store has the change, so that changes of a topic reach it in their order;
        // and until the number of observers is known, so that no publication misses a new one.
        let mut topics = shared.state.topics();
        let outcome = self.frontend.handle(&mut topics, &request);
        if let Some(denied) = &outcome.denied {
            self.refused.request(&shared.state.audit, subject, denied);
        }
        let Some(change) = outcome.change else {
            if message.observe().is_some() {
                self.count_observers();
            }
            drop(topics);
            if let Some(response) = outcome.response {
                let response = match outcome.denied {
                    Some(_) => self.with_hints(subject, response),
                    None => response,
                };
                self.respond(now, ticket, &response, whole);
            }
            if outcome.ready {
                self.ready(now, session);
            }
            return;
        };
        let mut response = outcome.response.unwrap_or(Response::new(Code::CHANGED));
        let mut ticket = Some(ticket);
        let mut done = None;
        if change.durable {
            match ticket.take().map(|ticket| self.link.endpoint.defer(now, ticket)) {
                Some(Ok(deferred)) => {
                    done = Some(self.when_kept(Answer {
                        deferred,
                        session: session.to_u64(),
                        asked: message.block2(),
                        block1: whole.block1,
                        response: response.clone(),
                        keep: false,
                    }));
                }
                Some(Err(refused)) => {
                    // No room to remember who is to be answered: it must ask again.
                    ticket = Some(refused);
                    response = unavailable(&StoreError::Closed);
                }
                None => {}
            }
        }
        shared.state.store.submit(Change::Topic(change.persist), Urgency::Grouped, done);
        drop(topics);
        shared.topic_changed(change.topic, Some(self.number));
        if let Some(ticket) = ticket {
            self.respond(now, ticket, &response, whole);
        }
    }

    /// Gives the answer when the store has the change.
    fn when_kept(&self, answer: Answer) -> Done {
        let (shared, number) = (self.shared.clone(), self.number);
        Box::new(move |outcome| {
            let response = outcome.map_or_else(|error| unavailable(&error), |()| answer.response);
            shared.mailboxes[number].order(Order::Answer(Answer { response, ..answer }));
        })
    }

    /// Answers a request, with as much of the response as a block or the sender's credit allow.
    pub(super) fn respond(&mut self, now: Instant, ticket: Ticket, response: &Response, whole: &Whole<'_>) {
        let rendered = response.render(whole.message.block2(), self.block);
        let payload = response.payload().len().min(self.block.bytes());
        if !whole.trusted && Proof::is_needed(whole.message, payload) {
            return self.ask_for_proof(now, ticket);
        }
        let sent = self.link.endpoint.respond(now, ticket, &mut self.link.wire, rendered.code, |writer| {
            rendered.write(writer, whole.block1);
        });
        self.counters.responses_failed += u64::from(sent.is_err());
    }

    /// Notes a request without security; says whether its sender has proved its address.
    fn meet(&mut self, now: Instant, ticket: &Ticket, message: &Message<'_>) -> bool {
        let session = ticket.session();
        let Some(path) = self.link.endpoint.path(session) else { return false };
        let proved = self.proof.is_given(now, &path, message);
        if let Some(other) = self.strangers.heard(session, path, proved) {
            self.counters.strangers_ended += 1;
            self.end(other);
        }
        proved
    }

    /// Answers 4.01 with what the sender is to repeat.
    fn ask_for_proof(&mut self, now: Instant, ticket: Ticket) {
        let Some(path) = self.link.endpoint.path(ticket.session()) else { return };
        self.counters.proofs_asked += 1;
        let value = self.proof.challenge(now, &path);
        let code = Code::UNAUTHORIZED;
        let sent = self.link.endpoint.respond(now, ticket, &mut self.link.wire, code, |writer| {
            writer.option(OptionNumber::ECHO, &value);
        });
        self.counters.responses_failed += u64::from(sent.is_err());
    }
}
