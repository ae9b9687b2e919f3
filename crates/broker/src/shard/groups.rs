//! Keys of protected topics, at `/ace-group` ([RFC 9594](https://www.rfc-editor.org/rfc/rfc9594)).

use sedge_authority::Request;
use sedge_coap::{Code, Message};
use sedge_endpoint::Ticket;
use sedge_group::keying::ACE_GROUP;
use sedge_time::Instant;

use super::answers::{problem, unavailable};
use super::authorize::response;
use super::mail::Answer;
use super::requests::Whole;
use super::{Order, Shard};

/// Whether the request is for the key distribution centre.
pub(super) fn is_group(message: &Message<'_>) -> bool {
    message.uri_path().next() == Some(ACE_GROUP.as_bytes())
}

impl Shard {
    /// Has the key distribution centre answer, elsewhere, because that waits for the disk.
    pub(super) fn ask_groups(&mut self, now: Instant, ticket: Ticket, whole: &Whole<'_>) {
        let asked = whole.message.block2();
        let session = ticket.session().to_u64();
        if asked.is_some_and(|block| block.num() > 0) {
            let kept = self.kept.get(session).cloned();
            let response = kept
                .unwrap_or_else(|| problem(Code::REQUEST_ENTITY_INCOMPLETE, "ask again from the beginning"));
            return self.respond(now, ticket, &response, whole);
        }
        // A group consists of devices: who they are is known from their own credentials.
        let Some(device) = self.shared.state.directory.by_principal(ticket.principal()) else {
            let response = problem(Code::UNAUTHORIZED, "for enrolled devices only");
            return self.respond(now, ticket, &response, whole);
        };
        let (code, content_format) = (whole.message.code(), whole.message.content_format());
        let owned = |values: sedge_coap::Values<'_>| values.map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (path, query) = (owned(whole.message.uri_path()), owned(whole.message.uri_query()));
        let body = whole.body.to_vec();
        let Ok(deferred) = self.link.endpoint.defer(now, ticket) else { return };
        let (shared, number, block1) = (self.shared.clone(), self.number, whole.block1);
        drop(self.shared.control.spawn(async move {
            let path: Vec<&[u8]> = path.iter().skip(1).map(Vec::as_slice).collect();
            let query: Vec<&[u8]> = query.iter().map(Vec::as_slice).collect();
            let outcome = shared.state.with_groups(|groups, lent| {
                let request = Request {
                    requester: &device.name,
                    code,
                    path: &path,
                    query: &query,
                    content_format,
                    payload: &body,
                };
                groups.handle(lent, &request)
            });
            let response = match outcome.await {
                Ok(Some(given)) => response(given),
                Ok(None) => problem(Code::NOT_FOUND, "no keys are given out here"),
                Err(error) => unavailable(&error),
            };
            let answer = Answer { deferred, session, asked, block1, response, keep: true };
            shared.mailboxes[number].order(Order::Answer(answer));
        }));
    }
}
