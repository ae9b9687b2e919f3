//! Administration over coaps: `POST /sedge/admin`.

use sedge_access::Subject;
use sedge_coap::{Code, ContentFormat};
use sedge_endpoint::Ticket;
use sedge_pubsub::Response;
use sedge_time::Instant;

use super::answers::{content, problem};
use super::mail::Answer;
use super::requests::Whole;
use super::{Order, Shard};
use crate::admin::{AdminReply, AdminRequest};
use crate::audit::Actor;

impl Shard {
    /// Executes an administrator's request, elsewhere, because that may wait for the disk and for other shards.
    pub(super) fn administer(&mut self, now: Instant, ticket: Ticket, subject: &Subject, whole: &Whole<'_>) {
        let asked = whole.message.block2();
        let session = ticket.session().to_u64();
        let request = if !subject.is_administrator() {
            self.shared.state.audit.administration_refused(subject);
            Err(problem(Code::FORBIDDEN, "for administrators only"))
        } else if whole.message.code() != Code::POST {
            Err(problem(Code::METHOD_NOT_ALLOWED, "POST only"))
        } else if asked.is_some_and(|block| block.num() > 0) {
            let kept = self.kept.get(session).cloned();
            Err(kept
                .unwrap_or_else(|| problem(Code::REQUEST_ENTITY_INCOMPLETE, "ask again from the beginning")))
        } else {
            AdminRequest::from_cbor(whole.body).map_err(|refusal| response(&AdminReply::Refused(refusal)))
        };
        let request = match request {
            Ok(request) => request,
            Err(answer) => return self.respond(now, ticket, &answer, whole),
        };
        let Ok(deferred) = self.link.endpoint.defer(now, ticket) else { return };
        let (shared, service) = (self.shared.clone(), self.service.clone());
        let (number, block1) = (self.number, whole.block1);
        let by = Actor::device(subject.name());
        drop(self.shared.control.spawn(async move {
            let response = response(&service.execute(request, &by).await);
            let answer = Answer { deferred, session, asked, block1, response, keep: true };
            shared.mailboxes[number].order(Order::Answer(answer));
        }));
    }

    /// Answers a request that was deferred.
    pub(super) fn answer(&mut self, now: Instant, answer: Answer) {
        let Answer { deferred, session, asked, block1, response, keep } = answer;
        let rendered = response.render(asked, self.block);
        let sent = self.link.endpoint.respond_deferred(
            now,
            deferred,
            &mut self.link.wire,
            rendered.code,
            |writer| {
                rendered.write(writer, block1);
            },
        );
        self.counters.responses_failed += u64::from(sent.is_err());
        if keep && response.payload().len() > self.block.bytes() {
            self.kept.put(now, session, response);
        }
    }
}

fn response(reply: &AdminReply) -> Response {
    content(Code::CHANGED, ContentFormat::CBOR, reply.to_cbor())
}
