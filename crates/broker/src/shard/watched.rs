//! What can be observed that is no topic: the list of revoked tokens ([RFC 9770](https://www.rfc-editor.org/rfc/rfc9770)),
//! the keys of resource servers, and those of groups ([RFC 9594 section 6.1](https://www.rfc-editor.org/rfc/rfc9594#section-6.1)).
//!
//! An observation is the request, asked again whenever the answer may be another one. One notification at a time is on
//! its way; whoever acknowledges late gets the newest answer next.

use std::collections::{BTreeMap, BTreeSet};

use sedge_authority::{Answer, Authority, Request};
use sedge_coap::{Code, Message, Token};
use sedge_endpoint::{ExchangeId, Notification, SessionId, Ticket};
use sedge_pubsub::{ETag, Response};
use sedge_time::Instant;

use super::Shard;
use super::answers::problem;
use super::authorize::response;
use super::requests::Whole;
use crate::Principal;
use crate::authority::Lent;

/// A resource that can be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Revocations,
    TokenKeys,
    /// What is at this path below `/ace-group`.
    GroupKey(Vec<Vec<u8>>),
}

impl Watched {
    /// Has the authorisation server answer.
    pub(super) fn ask(&self, authority: &Authority, request: &Request<'_>, lent: &Lent<'_>) -> Answer {
        match self {
            Self::Revocations => authority.revocations(request, lent),
            Self::TokenKeys => authority.token_keys(request, lent),
            Self::GroupKey(_) => Answer::new(Code::NOT_FOUND),
        }
    }

    /// Whether it is the key of one of these topics' groups.
    fn is_key_of(&self, topics: &BTreeSet<String>) -> bool {
        let Self::GroupKey(path) = self else { return false };
        path.first().and_then(|topic| str::from_utf8(topic).ok()).is_some_and(|topic| topics.contains(topic))
    }
}

/// The observations of a shard.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    entries: BTreeMap<u32, Watcher>,
    next: u32,
    /// The sequence number of the last answer, over all observations.
    sequence: u32,
}

/// One observation.
#[derive(Debug)]
struct Watcher {
    session: SessionId,
    principal: Principal,
    token: Token,
    watched: Watched,
    query: Vec<Vec<u8>>,
    /// What was sent last.
    sent: Option<ETag>,
    /// Whether the last notification is not acknowledged yet.
    is_under_way: bool,
    /// Whether the answer may be another one than was sent last.
    is_stale: bool,
    /// The error with which it ends ([RFC 7641 section 4.2](https://www.rfc-editor.org/rfc/rfc7641#section-4.2)), once that
    /// was sent. It stays until its peer has heard of it, or does not answer any more.
    end: Option<Response>,
}

impl Watchers {
    /// Notifications of topics name a slot in the lower half, and there are never so many.
    const MARK: u64 = u32::MAX as u64;

    /// Whether a notification with this key is of an observation here.
    pub(super) const fn owns(key: u64) -> bool {
        key & Self::MARK == Self::MARK
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets the observation whose notifications have this key.
    pub(super) fn remove(&mut self, key: u64) {
        drop(self.entries.remove(&number(key)));
    }

    /// Forgets the observations of a session.
    pub(super) fn close(&mut self, session: SessionId) {
        self.entries.retain(|_, watcher| watcher.session != session);
    }

    /// Whether a session observes something here, or is still to hear that it does so no more.
    pub(super) fn has_any(&self, session: SessionId) -> bool {
        self.of(session) > 0
    }

    fn of(&self, session: SessionId) -> usize {
        self.entries.values().filter(|watcher| watcher.session == session).count()
    }

    /// The next sequence number: 24 bits that wrap ([RFC 7641 section 4.4](https://www.rfc-editor.org/rfc/rfc7641#section-4.4)).
    fn sequence(&mut self) -> u32 {
        self.sequence = (self.sequence + 1) & 0xff_ffff;
        self.sequence
    }
}

const fn key(number: u32) -> u64 {
    (number as u64) << 32 | Watchers::MARK
}

const fn number(key: u64) -> u32 {
    (key >> 32) as u32
}

impl Shard {
    /// Answers a request for a resource that can be observed, and begins or ends an observation if that is asked for.
    pub(super) fn watch(&mut self, now: Instant, ticket: Ticket, watched: Watched, whole: &Whole<'_>) {
        let message: &Message<'_> = whole.message;
        let (session, token, principal) = (ticket.session(), ticket.token(), ticket.principal());
        let query: Vec<Vec<u8>> = message.uri_query().map(<[u8]>::to_vec).collect();
        let mut response = self.answer_watcher(&watched, principal, message.code(), &query);
        // Whatever becomes of it, a registration takes the place of the one under the same token (RFC 7641 section 4.1).
        let observe = message.observe().filter(|_| message.code() == Code::GET);
        if observe.is_some() {
            self.watchers.entries.retain(|_, old| (old.session, old.token) != (session, token));
        }
        let has_room = self.watchers.of(session) < self.shared.config.limits.observations_per_session;
        if observe == Some(0) && response.code.is_success() && has_room {
            response.observe = Some(self.watchers.sequence());
            let number = self.watchers.next;
            self.watchers.next = self.watchers.next.wrapping_add(1);
            let sent = response.etag;
            let (is_under_way, is_stale, end) = (false, false, None);
            let watcher =
                Watcher { session, principal, token, watched, query, sent, is_under_way, is_stale, end };
            let _none = self.watchers.entries.insert(number, watcher);
        }
        self.respond(now, ticket, &response, whole);
    }

    /// Tells all observers what has changed for them.
    pub(super) fn lists_changed(&mut self, now: Instant) {
        self.watched_changed(now, |watched| !matches!(watched, Watched::GroupKey(_)));
    }

    /// Tells the members of these topics' groups that observe them of the new keys.
    pub(super) fn keys_changed(&mut self, now: Instant, topics: &BTreeSet<String>) {
        self.watched_changed(now, |watched| watched.is_key_of(topics));
    }

    /// Tells a session whose rights have changed, if its observations end by that.
    pub(super) fn recheck_watchers(&mut self, now: Instant, session: SessionId) {
        for watcher in self.watchers.entries.values_mut().filter(|watcher| watcher.session == session) {
            watcher.is_stale = true;
        }
        self.tell_watchers(now, Some(session));
    }

    fn watched_changed(&mut self, now: Instant, is_it: impl Fn(&Watched) -> bool) {
        for watcher in self.watchers.entries.values_mut() {
            watcher.is_stale |= is_it(&watcher.watched);
        }
        self.tell_watchers(now, None);
    }

    /// Notifies those (of one session, or all) who have not heard of the last change and can be told now.
    pub(super) fn tell_watchers(&mut self, now: Instant, only: Option<SessionId>) {
        let waits = |watcher: &Watcher| {
            let has_news = watcher.is_stale && watcher.end.is_none();
            has_news && !watcher.is_under_way && only.is_none_or(|session| session == watcher.session)
        };
        let waiting = self.watchers.entries.iter().filter(|(_, watcher)| waits(watcher));
        let waiting: Vec<u32> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            self.tell_watcher(now, number);
        }
    }

    fn tell_watcher(&mut self, now: Instant, number: u32) {
        let Some(mut response) = self.ask_again(number) else { return };
        let sequence = self.watchers.sequence();
        let Some(watcher) = self.watchers.entries.get_mut(&number) else { return };
        if response.code.is_success() {
            if response.etag == watcher.sent {
                watcher.is_stale = false;
                return;
            }
            response.observe = Some(sequence);
        }
        let (token, code) = (watcher.token, response.code);
        let notification = Notification { key: key(number), token, code, confirmable: true };
        let rendered = response.render(None, self.block);
        let (endpoint, wire) = (&mut self.link.endpoint, &mut self.link.wire);
        let sent =
            endpoint.notify(now, watcher.session, notification, wire, |writer| rendered.write(writer, None));
        // What finds no room has its turn when there is some.
        if sent.is_ok() {
            watcher.sent = response.etag;
            watcher.is_under_way = true;
            watcher.is_stale = false;
            watcher.end = Some(response).filter(|response| !response.code.is_success());
        }
    }

    /// Goes on when a notification has arrived.
    pub(super) fn watcher_heard(&mut self, now: Instant, session: SessionId, key: u64) {
        let number = number(key);
        if let Some(watcher) = self.watchers.entries.get_mut(&number) {
            watcher.is_under_way = false;
            if watcher.end.is_some() {
                drop(self.watchers.entries.remove(&number));
            }
        }
        self.ready(now, session);
    }

    /// Sends a notification again that was not acknowledged in time, with the newest answer. An end stays the end that it
    /// was: its peer may have heard of it, though nobody has heard of that here.
    pub(super) fn tell_watcher_again(&mut self, now: Instant, notification: ExchangeId, key: u64) {
        let Some(response) = self.ask_again(number(key)) else { return };
        let sequence = self.watchers.sequence();
        let Some(watcher) = self.watchers.entries.get_mut(&number(key)) else { return };
        let ends = watcher.end.is_none() && !response.code.is_success();
        let newer = ends || watcher.end.is_none() && response.etag != watcher.sent;
        let mut response = watcher.end.clone().unwrap_or(response);
        watcher.sent = response.etag;
        watcher.is_stale = false;
        if response.code.is_success() {
            response.observe = Some(sequence);
        } else {
            watcher.end = Some(response.clone());
        }
        let rendered = response.render(None, self.block);
        let (endpoint, wire) = (&mut self.link.endpoint, &mut self.link.wire);
        // If it cannot go out now, its next time will come.
        let _later = endpoint.renotify(now, notification, newer, wire, rendered.code, |writer| {
            rendered.write(writer, None);
        });
    }

    /// What the request of an observation is answered now.
    fn ask_again(&self, number: u32) -> Option<Response> {
        let watcher = self.watchers.entries.get(&number)?;
        Some(self.answer_watcher(&watcher.watched, watcher.principal, Code::GET, &watcher.query))
    }

    fn answer_watcher(
        &self,
        watched: &Watched,
        principal: Principal,
        code: Code,
        query: &[Vec<u8>],
    ) -> Response {
        if let Watched::GroupKey(path) = watched {
            return self.group_key(principal, path);
        }
        // Who asks is known from its own credential.
        let Some(device) = self.shared.state.directory.by_principal(principal) else {
            return problem(Code::UNAUTHORIZED, "for enrolled devices only");
        };
        let query: Vec<&[u8]> = query.iter().map(Vec::as_slice).collect();
        let request = Request {
            requester: &device.name,
            code,
            path: &[],
            query: &query,
            content_format: None,
            payload: &[],
        };
        let response =
            response(self.shared.state.consult(|authority, lent| watched.ask(authority, &request, lent)));
        // By which the blocks of one answer are known to belong together.
        let etag = response.code.is_success().then(|| ETag::of(response.payload(), response.content_format));
        Response { etag, ..response }
    }
}
