//! The endpoint and the wire under it, as subscriptions see them: something that takes notifications.

use sedge_access::{Policy, Subject, Verb};
use sedge_coap::Code;
use sedge_crypto::Entropy;
use sedge_endpoint::ExchangeId;
use sedge_endpoint::memory::PagedMemory;
use sedge_pubsub::{Content, Handed, Notification, Refusal, Resend, Resets, TooLong, UnixTime};
use sedge_time::Instant;

use super::refused::Refused;
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
        let Self { endpoint, wire, resets, oversized } = self;
        sedge_pubsub::notify(endpoint, wire, resets, (now, unix), notification).unwrap_or_else(|TooLong| {
            *oversized += 1;
            Handed::Gone
        })
    }

    /// Sends a notification again that was not acknowledged in time.
    pub(super) fn renotify(
        &mut self,
        now: Instant,
        unix: UnixTime,
        exchange: ExchangeId,
        resend: &Resend<'_>,
    ) {
        sedge_pubsub::renotify(&mut self.endpoint, &mut self.wire, (now, unix), exchange, resend);
    }
}
