//! The endpoint and the wire under it, as subscriptions see them: something that takes notifications.

use sedge_access::{Policy, Subject, Verb};
use sedge_coap::Code;
use sedge_crypto::Entropy;
use sedge_endpoint::ExchangeId;
use sedge_endpoint::memory::PagedMemory;
use sedge_pubsub::{Handed, Notification, Refusal, Resend, Resets, TooLong};
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

impl sedge_pubsub::Outlet for Outlet<'_> {
    fn judge(&mut self, session: u64, topic: &str) -> Option<Code> {
        let subject = self.subjects.get(session).map_or(self.anyone, |subject| subject);
        let cause = self.policy.decide(self.now, subject, Verb::Read, topic).cause()?;
        self.refused.observation(self.audit, subject, topic, cause);
        Some(match Refusal::of(cause, subject.kind()) {
            Refusal::Unauthorized => Code::UNAUTHORIZED,
            _ => Code::FORBIDDEN,
        })
    }

    fn send(&mut self, resets: &mut Resets, notification: &Notification<'_>) -> Handed {
        let Link { endpoint, wire, oversized } = &mut *self.link;
        let times = (self.now, clock::unix());
        sedge_pubsub::notify(endpoint, wire, resets, times, notification).unwrap_or_else(|TooLong| {
            *oversized += 1;
            Handed::Gone
        })
    }

    fn send_again(&mut self, exchange: ExchangeId, resend: &Resend<'_>) {
        let Link { endpoint, wire, .. } = &mut *self.link;
        sedge_pubsub::renotify(endpoint, wire, (self.now, clock::unix()), exchange, resend);
    }
}

/// The sessions of a shard.
pub(super) struct Link {
    pub(super) endpoint: Endpoint,
    pub(super) wire: Wire,
    /// Notifications that did not fit what the peer takes.
    pub(super) oversized: u64,
}
