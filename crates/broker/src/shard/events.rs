//! What the endpoint says happened, and what follows from it.

use sedge_endpoint::{Agreed, CloseReason, Event, SessionId};
use sedge_pubsub::{Notification, ObservationId};
use sedge_time::Instant;

use super::Shard;
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
            Event::Acknowledged { session, key } => {
                let (link, unix) = (&mut self.link, clock::unix());
                let (session, id) = (session.to_u64(), ObservationId::from_u64(key));
                self.subscriptions.acknowledged(now, session, id, &mut |notification| {
                    link.notify(now, unix, &notification)
                });
            }
            Event::Rejected { session, key } | Event::Lost { session, key } => {
                self.failed(now, session, ObservationId::from_u64(key));
            }
            Event::Render { notification, key, .. } => {
                if let Some(resend) = self.subscriptions.resend(now, ObservationId::from_u64(key)) {
                    self.link.renotify(now, clock::unix(), notification, &resend);
                }
            }
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
        let session = session.to_u64();
        self.subscriptions.close(session);
        self.bodies.close(session);
        self.kept.close(session);
    }

    /// Ends an observation whose notification came to nothing, and hands out what its session can take now.
    fn failed(&mut self, now: Instant, session: SessionId, observation: ObservationId) {
        let (link, unix) = (&mut self.link, clock::unix());
        let mut outlet = |notification: Notification<'_>| link.notify(now, unix, &notification);
        self.subscriptions.failed(now, session.to_u64(), observation, &mut outlet);
    }

    /// Hands out what a session can take now.
    pub(super) fn ready(&mut self, now: Instant, session: SessionId) {
        let (link, unix) = (&mut self.link, clock::unix());
        self.subscriptions
            .ready(now, session.to_u64(), &mut |notification| link.notify(now, unix, &notification));
    }
}
