//! Requests: whose they are, what they are for, and how they are answered.

use std::sync::Arc;

use sedge_access::Grants;
use sedge_coap::block::{Block, BlockError};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Writer};
use sedge_endpoint::{ExchangeId, Ticket};
use sedge_pubsub::{self as pubsub, Payload, Response};
use sedge_time::Instant;

use super::bodies::{BodyError, Received};
use super::mail::Answer;
use super::{Order, Shard};
use crate::admin::{ADMIN_PATH, AdminReply, AdminRequest};
use crate::clock;
use crate::store::{Change, Device, Done, StoreError, Urgency};

/// The link by which everything else is found.
const LINKS: &[u8] = b"</ps>;rt=\"core.ps.coll\";ct=40";

/// A request with its whole body.
struct Whole<'r> {
    message: &'r Message<'r>,
    body: &'r [u8],
    /// What confirms the last block of the body, if that came in blocks.
    block1: Option<Block>,
}

/// On whose behalf something is done.
enum Caller {
    Device(Arc<Device>),
    Anyone,
}

impl Shard {
    pub(super) fn request(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        let caller = match ticket.principal() {
            0 => Caller::Anyone,
            principal => match self.shared.state.directory.by_principal(principal) {
                Some(device) => Caller::Device(device),
                None => return self.end(ticket.session()),
            },
        };
        let shared = self.shared.clone();
        let grants = match &caller {
            Caller::Device(device) => &device.grants,
            Caller::Anyone => &shared.insecure,
        };
        let Some(block1) = message.block1().filter(|_| message.check(pubsub::understands).is_ok()) else {
            let whole = Whole { message, body: message.payload(), block1: None };
            return self.dispatch(now, ticket, grants, &whole);
        };
        match self.bodies.receive(now, ticket.session().to_u64(), message, block1) {
            Ok(Received::Complete(body)) => {
                self.dispatch(now, ticket, grants, &Whole { message, body: &body, block1: Some(block1) });
            }
            Ok(Received::Continue) => self.answer_block(now, ticket, Code::CONTINUE, Some(block1)),
            Err(BodyError::Block(error)) => {
                self.counters.bodies_refused += 1;
                let echo = (error != BlockError::TooLarge).then_some(block1);
                self.answer_block(now, ticket, error.code(), echo);
            }
            Err(BodyError::TooMany) => {
                self.counters.bodies_refused += 1;
                let busy =
                    Response { max_age: Some(1), ..problem(Code::SERVICE_UNAVAILABLE, "too many bodies") };
                self.respond(now, ticket, &busy, None, Some(block1));
            }
        }
    }

    /// Answers a block of a body; a body that is too large with the size that would not be.
    fn answer_block(&mut self, now: Instant, ticket: Ticket, code: Code, block1: Option<Block>) {
        let limit = self.shared.config.limits.body_bytes as u32;
        let sent = self.link.endpoint.respond(now, ticket, &mut self.link.wire, code, |writer| {
            if let Some(block1) = block1 {
                writer.block(OptionNumber::BLOCK1, block1);
            }
            if code == Code::REQUEST_ENTITY_TOO_LARGE {
                writer.option_uint(OptionNumber::SIZE1, limit);
            }
        });
        self.counters.responses_failed += u64::from(sent.is_err());
    }

    fn dispatch(&mut self, now: Instant, ticket: Ticket, grants: &Grants, whole: &Whole<'_>) {
        if pubsub::serves(whole.message) {
            return self.publish_or_subscribe(now, ticket, grants, whole);
        }
        let path = |segments: &[&str]| whole.message.uri_path().eq(segments.iter().map(|s| s.as_bytes()));
        let response = if let Err(rejected) = whole.message.check(pubsub::understands) {
            match rejected.reaction {
                sedge_coap::Reaction::Respond(code) => problem(code, "an option is not understood"),
                // RFC 7252 section 5.4.1: a non-confirmable one is passed over in silence.
                _ => return,
            }
        } else if whole.message.proxy_uri().is_some() || whole.message.proxy_scheme().is_some() {
            problem(Code::PROXYING_NOT_SUPPORTED, "not a proxy")
        } else if path(&[".well-known", "core"]) {
            links(whole.message)
        } else if path(&ADMIN_PATH) && self.shared.config.admin.remote {
            return self.administer(now, ticket, grants, whole);
        } else {
            problem(Code::NOT_FOUND, "no such resource")
        };
        self.respond(now, ticket, &response, whole.message.block2(), whole.block1);
    }

    fn publish_or_subscribe(&mut self, now: Instant, ticket: Ticket, grants: &Grants, whole: &Whole<'_>) {
        let message = whole.message;
        let asked = message.block2();
        let session = ticket.session();
        let reads = matches!(message.code(), Code::GET | Code::FETCH);
        if !reads && let Err(error) = self.shared.state.store.health() {
            self.counters.store_refused += 1;
            return self.respond(now, ticket, &unavailable(&error), None, whole.block1);
        }
        let request = pubsub::Request {
            now,
            unix: clock::unix(),
            session: session.to_u64(),
            grants,
            message,
            body: whole.body,
        };
        let shared = self.shared.clone();
        // The lock is held until the store has the change, so that changes of a topic reach it in their order;
        // and until the number of observers is known, so that no publication misses a new one.
        let mut topics = shared.state.topics();
        let outcome = pubsub::handle(&mut topics, &mut self.subscriptions, &request);
        let Some(response) = outcome.response else { return };
        let Some(change) = outcome.change else {
            drop(topics);
            if reads && message.observe().is_some() {
                self.count_observers();
            }
            self.respond(now, ticket, &response, asked, whole.block1);
            if outcome.ready {
                self.ready(now, session);
            }
            return;
        };
        self.subscriptions.sync(now, &topics, change.topic);
        let (ticket, done) = if change.durable {
            let answer = |deferred| Answer {
                deferred,
                session: session.to_u64(),
                asked,
                block1: whole.block1,
                response: response.clone(),
                keep: false,
            };
            match self.link.endpoint.defer(now, ticket) {
                Ok(deferred) => (None, Some(self.when_kept(answer(deferred)))),
                Err(ticket) => (Some(ticket), None),
            }
        } else {
            (Some(ticket), None)
        };
        let is_deferred = done.is_some();
        shared.state.store.submit(Change::Topic(change.persist), Urgency::Grouped, done);
        drop(topics);
        shared.topic_changed(change.topic, Some(self.number));
        match ticket {
            Some(ticket) if change.durable && !is_deferred => {
                self.respond(now, ticket, &unavailable(&StoreError::Closed), None, whole.block1);
            }
            Some(ticket) => self.respond(now, ticket, &response, asked, whole.block1),
            None => {}
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

    /// Executes an administrator's request, elsewhere, because that may wait for the disk and for other shards.
    fn administer(&mut self, now: Instant, ticket: Ticket, grants: &Grants, whole: &Whole<'_>) {
        let asked = whole.message.block2();
        let session = ticket.session().to_u64();
        let refused = if !grants.is_administrator() {
            Some(problem(Code::FORBIDDEN, "for administrators only"))
        } else if whole.message.code() != Code::POST {
            Some(problem(Code::METHOD_NOT_ALLOWED, "POST only"))
        } else {
            None
        };
        if let Some(refused) = refused {
            return self.respond(now, ticket, &refused, None, whole.block1);
        }
        if asked.is_some_and(|block| block.num() > 0) {
            let kept = self.kept.get(session).cloned();
            let response = kept.unwrap_or_else(|| problem(Code::REQUEST_ENTITY_INCOMPLETE, "ask again"));
            return self.respond(now, ticket, &response, asked, whole.block1);
        }
        let request = match AdminRequest::from_cbor(whole.body) {
            Ok(request) => request,
            Err(refusal) => {
                let response = admin_response(&AdminReply::Refused(refusal));
                return self.respond(now, ticket, &response, asked, whole.block1);
            }
        };
        let Ok(deferred) = self.link.endpoint.defer(now, ticket) else { return };
        let (shared, service, number, block1) =
            (self.shared.clone(), self.service.clone(), self.number, whole.block1);
        drop(self.shared.control.spawn(async move {
            let response = admin_response(&service.execute(request).await);
            let answer = Answer { deferred, session, asked, block1, response, keep: true };
            shared.mailboxes[number].order(Order::Answer(answer));
        }));
    }

    /// Answers a request that was deferred.
    pub(super) fn answer(&mut self, now: Instant, answer: Answer) {
        let Answer { deferred, session, asked, block1, response, keep } = answer;
        self.respond_deferred(now, deferred, &response, asked, block1);
        if keep && response.payload().len() > self.block.bytes() {
            self.kept.put(now, session, response);
        }
    }

    fn respond(
        &mut self,
        now: Instant,
        ticket: Ticket,
        response: &Response,
        asked: Option<Block>,
        block1: Option<Block>,
    ) {
        let rendered = response.render(asked, self.block);
        let write = |writer: &mut Writer<'_>| rendered.write(writer, block1);
        let sent = self.link.endpoint.respond(now, ticket, &mut self.link.wire, rendered.code, write);
        self.counters.responses_failed += u64::from(sent.is_err());
    }

    fn respond_deferred(
        &mut self,
        now: Instant,
        deferred: ExchangeId,
        response: &Response,
        asked: Option<Block>,
        block1: Option<Block>,
    ) {
        let rendered = response.render(asked, self.block);
        let write = |writer: &mut Writer<'_>| rendered.write(writer, block1);
        let sent =
            self.link.endpoint.respond_deferred(now, deferred, &mut self.link.wire, rendered.code, write);
        self.counters.responses_failed += u64::from(sent.is_err());
    }
}

/// `/.well-known/core` ([RFC 6690 section 4](https://www.rfc-editor.org/rfc/rfc6690#section-4)).
fn links(message: &Message<'_>) -> Response {
    if message.code() != Code::GET {
        return problem(Code::METHOD_NOT_ALLOWED, "GET only");
    }
    if message.accept().is_some_and(|format| format != ContentFormat::LINK_FORMAT) {
        return problem(Code::NOT_ACCEPTABLE, "link-format only");
    }
    let matches = message.uri_query().all(|query| {
        let (name, wanted) =
            query.split_at(query.iter().position(|byte| *byte == b'=').unwrap_or(query.len()));
        let value: &[u8] = match name {
            b"rt" => b"core.ps.coll",
            b"href" => b"/ps",
            b"ct" => b"40",
            _ => return false,
        };
        match wanted.strip_prefix(b"=") {
            Some(wanted) => match wanted.strip_suffix(b"*") {
                Some(beginning) => value.starts_with(beginning),
                None => value == wanted,
            },
            None => false,
        }
    });
    let body = if matches { LINKS.to_vec() } else { Vec::new() };
    Response {
        content_format: Some(ContentFormat::LINK_FORMAT),
        payload: Payload::Bytes(body),
        ..Response::new(Code::CONTENT)
    }
}

fn admin_response(reply: &AdminReply) -> Response {
    Response {
        content_format: Some(ContentFormat::CBOR),
        payload: Payload::Bytes(reply.to_cbor()),
        ..Response::new(Code::CHANGED)
    }
}

/// An error with its reason as problem details ([RFC 9290](https://www.rfc-editor.org/rfc/rfc9290)): a map of one
/// entry, the title (-1).
fn problem(code: Code, title: &str) -> Response {
    let mut body = Vec::new();
    let mut e = minicbor::Encoder::new(&mut body);
    // Writing to memory does not fail.
    let _written = e.map(1).and_then(|e| e.i8(-1)).and_then(|e| e.str(title));
    Response {
        content_format: Some(ContentFormat::PROBLEM_DETAILS),
        payload: Payload::Bytes(body),
        ..Response::new(code)
    }
}

/// The answer while the store does not work.
fn unavailable(error: &StoreError) -> Response {
    let title = match error {
        StoreError::Full => "not kept: the disk is full",
        _ => "not kept: the store does not work",
    };
    Response { max_age: Some(5), ..problem(Code::SERVICE_UNAVAILABLE, title) }
}
