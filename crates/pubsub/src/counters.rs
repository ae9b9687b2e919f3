//! What happened so far, for the operator.

use crate::Refusal;

/// What happened to [`Topics`](crate::Topics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounters {
    /// Topics created, by request, by first publication or by the administrator.
    pub created: u64,
    /// Topics removed, for whatever reason.
    pub removed: u64,
    /// Of those, the ones whose `expiration-date` came.
    pub expired: u64,
    /// Publications taken.
    pub published: u64,
    /// Topics whose data were deleted.
    pub cleared: u64,
    /// Requests refused, by the number of the [`Refusal`]'s kind.
    pub refused: [u64; Refusal::KINDS],
}

/// What happened to the [`Subscriptions`](crate::Subscriptions) of one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionCounters {
    /// Subscriptions made.
    pub subscribed: u64,
    /// Subscriptions renewed by the subscriber.
    pub renewed: u64,
    /// Requests to subscribe that got the value only, because there were too many subscribers.
    pub full: u64,
    /// Subscriptions ended by the subscriber, its silence or the end of its session.
    pub left: u64,
    /// Subscriptions ended by the broker with a final error.
    pub ended: u64,
    /// Values handed out.
    pub delivered: u64,
    /// Of those, the ones that asked for an acknowledgement.
    pub confirmable: u64,
    /// Acknowledgements that came.
    pub acknowledged: u64,
    /// Values that a subscriber was too slow to see.
    pub coalesced: u64,
    /// Confirmable notifications sent only to see whether the subscriber is still there.
    pub checks: u64,
}

impl TopicCounters {
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if let Some(counter) = self.refused.get_mut(refusal.kind()) {
            *counter += 1;
        }
    }

    /// All of them, with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { created, removed, expired, published, cleared, refused } = *self;
        let own = [
            ("topics-created", created),
            ("topics-removed", removed),
            ("topics-expired", expired),
            ("published", published),
            ("data-deleted", cleared),
        ];
        own.into_iter().chain(Refusal::KIND_NAMES.into_iter().zip(refused))
    }
}

impl SubscriptionCounters {
    /// All of them, with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self {
            subscribed,
            renewed,
            full,
            left,
            ended,
            delivered,
            confirmable,
            acknowledged,
            coalesced,
            checks,
        } = *self;
        [
            ("subscribed", subscribed),
            ("subscriptions-renewed", renewed),
            ("subscriptions-full", full),
            ("subscriptions-left", left),
            ("subscriptions-ended", ended),
            ("delivered", delivered),
            ("delivered-confirmable", confirmable),
            ("delivered-acknowledged", acknowledged),
            ("coalesced", coalesced),
            ("observer-checks", checks),
        ]
        .into_iter()
    }
}

/// The sum over the shards.
impl core::ops::AddAssign for SubscriptionCounters {
    fn add_assign(&mut self, other: Self) {
        self.subscribed += other.subscribed;
        self.renewed += other.renewed;
        self.full += other.full;
        self.left += other.left;
        self.ended += other.ended;
        self.delivered += other.delivered;
        self.confirmable += other.confirmable;
        self.acknowledged += other.acknowledged;
        self.coalesced += other.coalesced;
        self.checks += other.checks;
    }
}
