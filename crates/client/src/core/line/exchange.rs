//! Messages of ours that await something.

use sedge_coap::observe::Observation;
use sedge_coap::{Token, Transmission};
use sedge_time::{Duration, Instant};

/// Which exchange: zero is the request under way, the others belong to the subscriptions in order.
pub(crate) type Number = u8;

/// What the memory of a client holds one of per subscription, and one for requests.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    pub(super) message_id: u16,
    /// Tells this use of the place from earlier ones.
    pub(super) serial: u16,
    pub(super) token: Token,
    pub(super) awaits: Awaits,
    pub(super) purpose: Purpose,
    /// What is known of the notifications: also while an observation is renewed, for an older one may come then.
    pub(super) observation: Option<Observation>,
}

/// What an exchange awaits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaits {
    /// Nothing: the place is free.
    Nothing,
    /// A confirmable message: its acknowledgement, or the reset that proves that the server is there.
    Acknowledgement(Transmission),
    /// A request that was acknowledged, or needs no acknowledgement: its response.
    Response { until: Instant },
    /// An observation: notifications, until Max-Age and some patience have passed.
    Notifications,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A confirmable request.
    Request,
    /// A request that is sent once.
    NonConfirmable,
    /// A confirmable request that begins an observation.
    Observe,
    /// A sign of life.
    Ping,
}

impl Exchange {
    /// A free place.
    pub const FREE: Self = Self {
        message_id: 0,
        serial: 0,
        token: Token::EMPTY,
        awaits: Awaits::Nothing,
        purpose: Purpose::Request,
        observation: None,
    };

    pub(super) const fn clear(&mut self) {
        self.awaits = Awaits::Nothing;
        self.observation = None;
    }

    /// Whether it counts against NSTART.
    pub(super) const fn is_outstanding(&self) -> bool {
        matches!(self.awaits, Awaits::Acknowledgement(_))
    }

    /// Whether a response may come for it.
    pub(super) const fn awaits_response(&self) -> bool {
        !matches!(self.awaits, Awaits::Nothing) && !matches!(self.purpose, Purpose::Ping)
    }

    /// Whether a response may come with the acknowledgement.
    pub(super) const fn awaits_acknowledgement(&self) -> bool {
        self.is_outstanding() && self.awaits_response()
    }

    /// When to do something about it; what can wait is done `slack` later, or when something else is due before.
    pub(super) fn deadline(&self, slack: Duration) -> Instant {
        match self.awaits {
            Awaits::Nothing => Instant::DISTANT_FUTURE,
            Awaits::Acknowledgement(transmission) => transmission.deadline(),
            Awaits::Response { until } => until,
            Awaits::Notifications => {
                self.observation.map_or(Instant::EPOCH, |observation| observation.renew_at() + slack)
            }
        }
    }
}
