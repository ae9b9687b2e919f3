//! Keys of protected topics, at `/ace-group` ([RFC 9594](https://www.rfc-editor.org/rfc/rfc9594)).

use std::sync::Arc;

use sedge_access::{Kind, Subject};
use sedge_authority::Request;
use sedge_coap::{Code, Message};
use sedge_endpoint::Ticket;
use sedge_group::keying::{ACE_GROUP, Keys};
use sedge_pubsub::{ETag, Response};
use sedge_time::Instant;

use super::answers::{problem, unavailable};
use super::authorize::response;
use super::mail::Answer;
use super::requests::Whole;
use super::watched::Watched;
use super::{Order, Shard};
use crate::Principal;

/// Whether the request is for the key distribution centre.
pub(super) fn is_group(message: &Message<'_>) -> bool {
    message.uri_path().next() == Some(ACE_GROUP.as_bytes())
}

impl Shard {
    /// Has the key distribution centre answer, elsewhere, because that waits for the disk; or here, if somebody wants to
    /// hear of new keys.
    pub(super) fn ask_groups(&mut self, now: Instant, ticket: Ticket, whole: &Whole<'_>) {
        let asked = whole.message.block2();
        let session = ticket.session().to_u64();
        if asked.is_some_and(|block| block.num() > 0) {
            let kept = self.kept.get(session).cloned();
            let response = kept
                .unwrap_or_else(|| problem(Code::REQUEST_ENTITY_INCOMPLETE, "ask again from the beginning"));
            return self.respond(now, ticket, &response, whole);
        }
        // A member is a device, known from its own credential, or whoever a token was issued to.
        let Some(member) = self.subject_of(ticket.principal()).filter(|member| is_somebody(member)) else {
            let response = self.hints(Code::UNAUTHORIZED);
            return self.respond(now, ticket, &response, whole);
        };
        let (code, content_format) = (whole.message.code(), whole.message.content_format());
        let owned = |values: sedge_coap::Values<'_>| values.map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (path, query) = (owned(whole.message.uri_path()), owned(whole.message.uri_query()));
        let path: Vec<Vec<u8>> = path.into_iter().skip(1).collect();
        let can_be_observed = matches!(&*path, [_] | [_, _, _]) && query.is_empty();
        if code == Code::GET && whole.message.observe().is_some() && can_be_observed {
            return self.watch(now, ticket, Watched::GroupKey(path), whole);
        }
        let body = whole.body.to_vec();
        let Ok(deferred) = self.link.endpoint.defer(now, ticket) else { return };
        let (shared, number, block1) = (self.shared.clone(), self.number, whole.block1);
        drop(self.shared.control.spawn(async move {
            let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
            let query: Vec<&[u8]> = query.iter().map(Vec::as_slice).collect();
            // Who joins does so by the rights of its session; who is a member may go by any that it has.
            let tell = |news| shared.tell(news);
            let joins = code == Code::POST && path.len() == 1;
            let outcome = shared.state.for_member(
                Some(&*member).filter(|_| joins),
                |groups, lent| {
                    let requester = member.name();
                    let request = Request {
                        requester,
                        code,
                        path: &path,
                        query: &query,
                        content_format,
                        payload: &body,
                    };
                    groups.handle(lent, &request)
                },
                &tell,
            );
            let response = match outcome.await {
                Ok(Some(given)) => {
                    let audit = &shared.state.audit;
                    let topic = String::from_utf8_lossy(path.first().copied().unwrap_or_default());
                    match (code, given.code) {
                        (Code::POST, Code::CREATED) if joins => audit.joined(member.name(), &topic),
                        (Code::POST, Code::FORBIDDEN) if joins => audit.not_joined(member.name(), &topic),
                        (Code::DELETE, Code::DELETED) => audit.left(member.name(), &topic),
                        _ => {}
                    }
                    response(given)
                }
                Ok(None) => problem(Code::NOT_FOUND, "no keys are given out here"),
                Err(error) => unavailable(&error),
            };
            let answer = Answer { deferred, session, asked, block1, response, keep: true };
            shared.mailboxes[number].order(Order::Answer(answer));
        }));
    }

    /// What a member is told that observes what is at this path below `/ace-group`.
    pub(super) fn group_key(&self, principal: Principal, path: &[Vec<u8>]) -> Response {
        let member: Option<Arc<Subject>> = self.subject_of(principal).filter(|member| is_somebody(member));
        let Some(member) = member else { return self.hints(Code::UNAUTHORIZED) };
        let Some(given) = self.shared.state.group_observed(member.name(), path) else {
            return problem(Code::NOT_FOUND, "no keys are given out here");
        };
        // The answer says for how long the key is good, which is another time each time; the key is what counts.
        let number = Keys::decode(&given.payload).ok().map(|keys| keys.key.number());
        let etag = number.map(|number| ETag::of(&number.to_be_bytes(), given.content_format));
        Response { etag, ..response(given) }
    }
}

/// Whether the subject is known by a name.
fn is_somebody(subject: &Subject) -> bool {
    matches!(subject.kind(), Kind::Device | Kind::Token)
}
