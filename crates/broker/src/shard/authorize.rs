//! Tokens: shown at `/authz-info`, got at `/token`, looked into at `/introspect`; and what becomes of sessions whose token
//! is over ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200), [RFC 9202](https://www.rfc-editor.org/rfc/rfc9202)).

use sedge_access::{Grant, Kind, Permissions, Subject};
use sedge_ace::{CreationHints, ErrorResponse};
use sedge_authority::{Answer as Given, Request};
use sedge_coap::{Code, ContentFormat, Message};
use sedge_cose::cbor::{Decoder, Encoder, Error, Label};
use sedge_endpoint::{SessionId, Ticket};
use sedge_group::keying::Challenge;
use sedge_pubsub::{Payload, Response};
use sedge_time::Instant;

use super::answers::{content, problem, unavailable};
use super::mail::Answer;
use super::requests::Whole;
use super::watched::Watched;
use super::{Order, Shard};
use crate::Principal;
use crate::admin::unix_seconds;
use crate::audit::Actor;
use crate::tokens;

/// The endpoints of the authorisation server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Token,
    Introspect,
    Watched(Watched),
}

impl Endpoint {
    /// The one that the request is for.
    pub(super) fn of(message: &Message<'_>) -> Option<Self> {
        let mut path = message.uri_path();
        match (path.next(), path.next(), path.next()) {
            (Some(b"token"), None, None) => Some(Self::Token),
            (Some(b"introspect"), None, None) => Some(Self::Introspect),
            (Some(b"trl"), None, None) => Some(Self::Watched(Watched::Revocations)),
            (Some(b"sedge"), Some(b"token-keys"), None) => Some(Self::Watched(Watched::TokenKeys)),
            _ => None,
        }
    }
}

/// Whether the request is for the resource that takes tokens.
pub(super) fn is_authz_info(message: &Message<'_>) -> bool {
    message.uri_path().eq([&b"authz-info"[..]])
}

impl Shard {
    /// Takes a token that somebody shows, or says what the one permits that the session goes by.
    pub(super) fn authz_info(&mut self, now: Instant, ticket: Ticket, whole: &Whole<'_>) {
        let response = match whole.message.code() {
            Code::POST => self.show_token(whole),
            Code::GET => self.describe_token(&ticket),
            _ => problem(Code::METHOD_NOT_ALLOWED, "POST a token"),
        };
        self.respond(now, ticket, &response, whole);
    }

    fn show_token(&mut self, whole: &Whole<'_>) -> Response {
        let token = match whole.message.content_format() {
            None | Some(ContentFormat::CWT) => Some(whole.body),
            Some(ContentFormat::ACE_CBOR) => access_token(whole.body),
            Some(_) => {
                return problem(Code::UNSUPPORTED_CONTENT_FORMAT, "application/cwt or application/ace+cbor");
            }
        };
        let Some(token) = token else { return Response::new(Code::BAD_REQUEST) };
        match self.shared.state.tokens.show(unix_seconds(), token) {
            Ok(principal) => {
                // A session that goes on by the same key has what the new token permits.
                self.shared.device_changed(principal);
                self.token_shown(principal)
            }
            Err(refused) => {
                tracing::debug!(reason = refused.as_str(), "a token is refused");
                self.shared.state.audit.token_not_good(refused);
                Response::new(refused.code())
            }
        }
    }

    /// The answer to a token that is good: with a challenge for whoever may publish, where group keys are given out
    /// ([RFC 9594 section 3.3](https://www.rfc-editor.org/rfc/rfc9594#section-3.3)). It says nothing of the groups'
    /// algorithms (`sign_info`), which answers to joining do. Who shows its token in a handshake instead is asked when it
    /// joins: sessions do not keep what a TLS exporter takes.
    fn token_shown(&self, principal: Principal) -> Response {
        /// Parameter `kdcchallenge`, as OAuth Parameters CBOR Mappings number it
        /// ([IANA](https://www.iana.org/assignments/ace/ace.xhtml#oauth-parameters-cbor-mappings)).
        const KDCCHALLENGE: i64 = 46;
        let state = &self.shared.state;
        let publishes = |grant: &Grant| grant.permissions.contains(Permissions::PUBLISH);
        let publisher = state.tokens.get(principal).filter(|shown| shown.scope.list().iter().any(publishes));
        let Some(Challenge(nonce)) = publisher.and_then(|shown| state.group_challenge(&shown.subject)) else {
            return Response::new(Code::CREATED);
        };
        let mut body = [0; 16];
        let mut encoder = Encoder::new(&mut body);
        encoder.map(1).int(KDCCHALLENGE).bytes(&nonce);
        let body = encoder.finish().map(|body| body.to_vec());
        // Sixteen bytes are room enough for a number and eight bytes.
        content(Code::CREATED, ContentFormat::ACE_CBOR, body.unwrap_or_default())
    }

    fn describe_token(&self, ticket: &Ticket) -> Response {
        match self.shared.state.tokens.get(ticket.principal()) {
            Some(shown) => {
                let body = shown.described(self.shared.state.tokens.audience());
                Response { max_age: Some(0), ..content(Code::CONTENT, ContentFormat::ACE_CBOR, body) }
            }
            None => self.hints(Code::UNAUTHORIZED),
        }
    }

    /// The answer to somebody who has no token for what it asked: where to get one
    /// ([RFC 9200 section 5.3](https://www.rfc-editor.org/rfc/rfc9200#section-5.3)).
    pub(super) fn hints(&self, code: Code) -> Response {
        let (state, configured) = (&self.shared.state, &self.shared.config.authority.uri);
        let uri = match &state.remote {
            Some(remote) if configured.is_empty() => format!("{}/token", remote.uri()),
            _ => configured.clone(),
        };
        let audience = state.tokens.audience();
        let hints = CreationHints {
            authorization_server: Some(uri.as_str()).filter(|uri| !uri.is_empty()),
            audience: Some(audience),
            ..CreationHints::default()
        };
        let mut body = vec![0; 32 + uri.len() + audience.len()];
        let len = hints.encode(&mut body).map_or(0, |body| body.len());
        body.truncate(len);
        content(code, ContentFormat::ACE_CBOR, body)
    }

    /// What is answered in place of `response` to somebody who lacks a token.
    pub(super) fn with_hints(&self, subject: &Subject, response: Response) -> Response {
        let lacks_token = match response.code {
            Code::UNAUTHORIZED => true,
            Code::FORBIDDEN => {
                let has_authority =
                    self.shared.config.authority.enabled || self.shared.state.remote.is_some();
                subject.kind() == Kind::Anyone && has_authority
            }
            _ => false,
        };
        if lacks_token { self.hints(Code::UNAUTHORIZED) } else { response }
    }

    /// Has the authorisation server answer, elsewhere, because that waits for the disk.
    pub(super) fn ask_authority(
        &mut self,
        now: Instant,
        ticket: Ticket,
        endpoint: Endpoint,
        whole: &Whole<'_>,
    ) {
        if let Endpoint::Watched(watched) = endpoint {
            return self.watch(now, ticket, watched, whole);
        }
        let asked = whole.message.block2();
        let session = ticket.session().to_u64();
        if asked.is_some_and(|block| block.num() > 0) {
            let kept = self.kept.get(session).cloned();
            let response = kept
                .unwrap_or_else(|| problem(Code::REQUEST_ENTITY_INCOMPLETE, "ask again from the beginning"));
            return self.respond(now, ticket, &response, whole);
        }
        // Who the client is, is known from its own credential; a token is no way to get others.
        let Some(device) = self.shared.state.directory.by_principal(ticket.principal()) else {
            let response = problem(Code::UNAUTHORIZED, "for enrolled devices only");
            return self.respond(now, ticket, &response, whole);
        };
        let (code, content_format) = (whole.message.code(), whole.message.content_format());
        let query: Vec<Vec<u8>> = whole.message.uri_query().map(<[u8]>::to_vec).collect();
        let body = zeroize::Zeroizing::new(whole.body.to_vec());
        let Ok(deferred) = self.link.endpoint.defer(now, ticket) else { return };
        let (shared, number, block1) = (self.shared.clone(), self.number, whole.block1);
        drop(self.shared.control.spawn(async move {
            let query: Vec<&[u8]> = query.iter().map(Vec::as_slice).collect();
            let server_key = shared.security.identity.public_key;
            let (by, tell) = (Actor::device(&device.name), |news| shared.tell(news));
            let outcome = shared.state.authorise(
                &by,
                |authority, lent| {
                    let request = Request {
                        requester: &device.name,
                        code,
                        path: &[],
                        query: &query,
                        content_format,
                        payload: &body,
                    };
                    match &endpoint {
                        Endpoint::Token => authority.token(&request, Some(&server_key), lent),
                        Endpoint::Introspect => authority.introspect(&request, lent),
                        Endpoint::Watched(watched) => watched.ask(authority, &request, lent),
                    }
                },
                &tell,
            );
            let response = match outcome.await {
                Ok(given) => {
                    if endpoint == Endpoint::Token && !given.code.is_success() {
                        let reason =
                            ErrorResponse::decode(&given.payload).map(|refused| refused.error.to_string());
                        shared
                            .state
                            .audit
                            .token_refused(&device.name, reason.as_deref().unwrap_or("not understood"));
                    }
                    response(given)
                }
                Err(error) => unavailable(&error),
            };
            let answer = Answer { deferred, session, asked, block1, response, keep: true };
            shared.mailboxes[number].order(Order::Answer(answer));
        }));
    }

    /// Takes all rights from a session whose token was revoked. Its observations end with 4.01, and it ends when its peer
    /// has heard of that ([RFC 9202 section 5](https://www.rfc-editor.org/rfc/rfc9202#section-5)).
    pub(super) fn dismiss(&mut self, now: Instant, session: SessionId) {
        if let Some(subject) = self.subjects.get(session.to_u64()) {
            let subject = subject.as_ref().clone().revoked().into();
            self.regrant(now, session, subject);
        }
        self.let_go(now, session);
    }

    /// Has a session without rights end when its peer has heard of that, or does not answer however often it is told
    /// ([RFC 7252 section 4.8.2](https://www.rfc-editor.org/rfc/rfc7252#section-4.8.2): `MAX_TRANSMIT_WAIT`).
    pub(super) fn let_go(&mut self, now: Instant, session: SessionId) {
        self.dismissed.push((now + self.farewell, session));
    }

    /// Ends sessions that were dismissed and have heard of it, unless they have got a new token meanwhile.
    pub(super) fn see_off(&mut self, now: Instant) {
        let mut dismissed = std::mem::take(&mut self.dismissed);
        dismissed.retain(|(until, session)| {
            let Some(subject) = self.subjects.get(session.to_u64()) else { return false };
            if !subject.is_revoked() && subject.valid_until().is_none_or(|end| end > now) {
                return false;
            }
            let hears =
                self.frontend.subscriptions().has_any(session.to_u64()) || self.watchers.has_any(*session);
            let stays = *until > now && hears;
            if !stays {
                self.end(*session);
            }
            stays
        });
        self.dismissed = dismissed;
    }
}

/// The token in a body of ACE.
fn access_token(body: &[u8]) -> Option<&[u8]> {
    const ACCESS_TOKEN: Label<'_> = Label::Int(1);
    let mut token = None;
    let mut decoder = Decoder::new(body);
    let read = decoder.map(|label, value| {
        if label == ACCESS_TOKEN {
            token = Some(value.bytes()?);
        }
        Ok::<_, Error>(())
    });
    read.and_then(|()| decoder.end()).ok().and(token)
}

/// An answer as the shards give it.
pub(super) fn response(given: Given) -> Response {
    let Given { code, content_format, max_age, location, payload } = given;
    Response { content_format, max_age, location, payload: Payload::Bytes(payload), ..Response::new(code) }
}

/// Whether sessions of this number go by a token.
pub(super) const fn goes_by_token(principal: Principal) -> bool {
    principal >= tokens::FIRST
}
