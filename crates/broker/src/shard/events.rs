//! What the endpoint says happened, and what follows from it.

use sedge_endpoint::{Agreed, CloseReason, Event, SessionId};
use sedge_time::Instant;

use super::Shard;
use super::authorize::goes_by_token;
use super::watched::Watchers;

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
            Event::Delivered { session } | Event::Moved { session } => self.ready(now, session),
            event => {
                // A notification is not repeated by rights that are gone.
                if matches!(event, Event::Render { .. }) {
                    self.hear_of_rights(now);
                }
                let (frontend, mut outlet) = self.outlet(now);
                frontend.event(now, &event, &mut outlet);
            }
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
        self.frontend.close(session);
        self.kept.close(session);
    }

    /// Hands out what a session can take now.
    pub(super) fn ready(&mut self, now: Instant, session: SessionId) {
        self.tell_watchers(now, Some(session));
        let (frontend, mut outlet) = self.outlet(now);
        frontend.ready(now, session.to_u64(), &mut outlet);
    }
}
