//! What the endpoint says happened, and what follows from it.

use sedge_endpoint::{Agreed, CloseReason, Event, ExchangeId, SessionId};
use sedge_pubsub::{Content, ObservationId};
use sedge_time::Instant;

use super::Shard;
use super::authorize::goes_by_token;
use super::watched::Watchers;
use crate::clock;

impl Shard {
    pub(super) fn event(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { ticket, message } => self.request(now, ticket, &message),
            Event::Connected { session, principal, agreed, replaced } => {
                if let Some(replaced) = replaced {
                    self.forget(replaced);
                }
                self.connected(session, principal, agreed);
            }
            Event::Closed { session, reason, .. } => {
                self.closed(now, session, reason);
                self.forget(session);
            }
            Event::Acknowledged { session, key } if Watchers::owns(key) => {
                self.watcher_heard(now, session, key)
            }
            Event::Rejected { key, .. } | Event::Lost { key, .. } if Watchers::owns(key) => {
                self.watchers.remove(key);
            }
            Event::Render { notification, key, .. } if Watchers::owns(key) => {
                self.tell_watcher_again(now, notification, key);
            }
            Event::Acknowledged { session, key } => {
                let (session, id) = (session.to_u64(), ObservationId::from_u64(key));
                let (subscriptions, mut outlet) = self.outlet(now);
                subscriptions
                    .acknowledged(now, session, id, &mut |notification| outlet.notify(&notification));
            }
            Event::Rejected { session, key } | Event::Lost { session, key } => {
                self.failed(now, session, ObservationId::from_u64(key));
            }
            Event::Render { notification, key, .. } => self.send_again(now, notification, key),
            Event::Delivered { session } | Event::Moved { session } => self.ready(now, session),
            Event::Reset { session, message_id } => {
                if let Some(observation) = self.link.resets.rejected(session.to_u64(), message_id) {
                    self.failed(now, session, observation);
                }
            }
            // The broker asks nobody anything.
            Event::Response { .. } | Event::Failed { .. } | Event::Pong { .. } => {}
            _ => {}
        }
    }

    fn connected(&mut self, session: SessionId, principal: u32, agreed: Agreed) {
        let Agreed { version, suite, authentication, resumed } = agreed;
        if let Some(subject) = self.subject_of(principal) {
            self.subjects.set(session, subject);
        }
        if goes_by_token(principal) && self.subjects.get(session.to_u64()).is_some() {
            tracing::debug!(%version, suite = suite.as_str(), ?authentication, resumed, "session by a token begins");
            return;
        }
        match self.shared.state.directory.by_principal(principal) {
            Some(device) => tracing::debug!(
                device = device.name, %version, suite = suite.as_str(), ?authentication, resumed,
                "session begins"
            ),
            None if principal == 0 && self.shared.security.admits_anonymous() => {
                tracing::debug!(%version, suite = suite.as_str(), "session of a stranger begins");
            }
            None => {
                // It was removed while its handshake went on.
                self.counters.handshakes_of_removed += 1;
                self.end(session);
            }
        }
    }

    fn closed(&mut self, now: Instant, session: SessionId, reason: CloseReason) {
        let failed = matches!(reason, CloseReason::HandshakeFailed(_) | CloseReason::HandshakeTimeout);
        if failed {
            self.shared.state.audit.sign_in_failed("handshake-failed", format_args!("{reason:?}"));
        }
        match failed.then(|| self.failed_handshakes.admit(now)) {
            // A peer with a wrong key looks like one that went away: what it sends cannot be told from forgeries.
            Some(Some(suppressed)) => {
                tracing::warn!(
                    ?reason,
                    suppressed,
                    "a handshake came to nothing: wrong identity, key or certificate, perhaps"
                );
            }
            _ => tracing::debug!(session = session.to_u64(), ?reason, "session ends"),
        }
    }

    /// Sends a notification again that was not acknowledged in time, or the end of its observation if its session may
    /// not have it any more.
    fn send_again(&mut self, now: Instant, notification: ExchangeId, key: u64) {
        let id = ObservationId::from_u64(key);
        self.hear_of_rights(now);
        let (subscriptions, mut outlet) = self.outlet(now);
        let denied = subscriptions.resend(now, id).and_then(|resend| match resend.notification.content {
            Content::Value(_) => outlet.judge(resend.notification.session, resend.notification.topic),
            Content::End(_) => None,
        });
        if let Some(code) = denied {
            subscriptions.end(id, code);
        }
        if let Some(resend) = subscriptions.resend(now, id) {
            outlet.link.renotify(now, clock::unix(), notification, &resend);
        }
    }

    /// Ends a session and tells its peer.
    pub(super) fn end(&mut self, session: SessionId) {
        let _known = self.link.endpoint.close(session, &mut self.link.wire);
        self.forget(session);
    }

    /// Forgets what other parts keep of a session that is no more.
    fn forget(&mut self, session: SessionId) {
        self.strangers.close(session);
        self.subjects.close(session);
        self.watchers.close(session);
        let session = session.to_u64();
        self.subscriptions.close(session);
        self.bodies.close(session);
        self.kept.close(session);
    }

    /// Ends an observation whose notification came to nothing, and hands out what its session can take now.
    fn failed(&mut self, now: Instant, session: SessionId, observation: ObservationId) {
        let (subscriptions, mut outlet) = self.outlet(now);
        subscriptions
            .failed(now, session.to_u64(), observation, &mut |notification| outlet.notify(&notification));
    }

    /// Hands out what a session can take now.
    pub(super) fn ready(&mut self, now: Instant, session: SessionId) {
        self.tell_watchers(now, Some(session));
        let (subscriptions, mut outlet) = self.outlet(now);
        subscriptions.ready(now, session.to_u64(), &mut |notification| outlet.notify(&notification));
    }
}
