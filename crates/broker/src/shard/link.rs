//! The endpoint and the wire under it, as subscriptions see them: something that takes notifications.

use sedge_access::{Policy, Subject, Verb};
use sedge_coap::Code;
use sedge_crypto::Entropy;
use sedge_endpoint::memory::PagedMemory;
use sedge_endpoint::{ExchangeId, SendError, SessionId};
use sedge_pubsub::{Content, Handed, Notification, Refusal, Resend, UnixTime};
use sedge_time::Instant;

use super::refused::Refused;
use super::resets::Resets;
use super::subjects::Subjects;
use super::wire::Wire;
use crate::audit::Audit;
use crate::clock;
use crate::net::Path;
use crate::security::Dtls;

pub(super) type Memory = PagedMemory<Path, Dtls, Entropy>;
pub(super) type Endpoint = sedge_endpoint::Endpoint<Memory>;

/// The way of notifications out: to those who may have them.
pub(super) struct Outlet<'s> {
    pub(super) link: &'s mut Link,
    pub(super) policy: &'s Policy,
    pub(super) subjects: &'s Subjects,
    /// Whoever has no security.
    pub(super) anyone: &'s Subject,
    pub(super) refused: &'s mut Refused,
    pub(super) audit: &'s Audit,
    pub(super) now: Instant,
}

impl Outlet<'_> {
    /// Sends a notification, if its session may have it and as far as it can take it.
    pub(super) fn notify(&mut self, notification: &Notification<'_>) -> Handed {
        let Notification { session, topic, .. } = *notification;
        if matches!(notification.content, Content::Value(_))
            && let Some(code) = self.judge(session, topic)
        {
            return Handed::Denied(code);
        }
        self.link.notify(self.now, clock::unix(), notification)
    }

    /// The code that an observation of this topic is to end with, if its session may not read it.
    pub(super) fn judge(&mut self, session: u64, topic: &str) -> Option<Code> {
        let subject = self.subjects.get(session).map_or(self.anyone, |subject| subject);
        let cause = self.policy.decide(self.now, subject, Verb::Read, topic).cause()?;
        self.refused.observation(self.audit, subject, topic, cause);
        Some(match Refusal::of(cause, subject.kind()) {
            Refusal::Unauthorized => Code::UNAUTHORIZED,
            _ => Code::FORBIDDEN,
        })
    }
}

/// The sessions of a shard.
pub(super) struct Link {
    pub(super) endpoint: Endpoint,
    pub(super) wire: Wire,
    pub(super) resets: Resets,
    /// Notifications that did not fit what the peer takes.
    pub(super) oversized: u64,
}

impl Link {
    /// Sends a notification, as far as its session can take one.
    pub(super) fn notify(&mut self, now: Instant, unix: UnixTime, notification: &Notification<'_>) -> Handed {
        let session = SessionId::from_u64(notification.session);
        let rendered = notification.render(unix);
        let header = sedge_endpoint::Notification {
            key: notification.observation.to_u64(),
            token: notification.token,
            code: rendered.code,
            confirmable: notification.confirmable,
        };
        let sent =
            self.endpoint.notify(now, session, header, &mut self.wire, |writer| rendered.write(writer, None));
        match sent {
            Ok(message_id) => {
                if !notification.confirmable {
                    self.resets.sent(notification.session, message_id, notification.observation);
                }
                Handed::Sent
            }
            Err(SendError::Busy | SendError::Full) => Handed::Busy,
            Err(SendError::NoRoom) => Handed::Blocked,
            Err(SendError::Gone | SendError::NotConnected) => Handed::Gone,
            Err(SendError::TooLong | SendError::Malformed) => {
                // The peer takes smaller records than any block of this value: it cannot observe it.
                self.oversized += 1;
                Handed::Gone
            }
        }
    }

    /// Sends a notification again that was not acknowledged in time.
    pub(super) fn renotify(
        &mut self,
        now: Instant,
        unix: UnixTime,
        exchange: ExchangeId,
        resend: &Resend<'_>,
    ) {
        let rendered = resend.notification.render(unix);
        // If it cannot go out now, its next time will come.
        let _later =
            self.endpoint.renotify(now, exchange, resend.newer, &mut self.wire, rendered.code, |writer| {
                rendered.write(writer, None)
            });
    }
}
