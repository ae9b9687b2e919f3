//! One subscribed topic, or another observed resource.
//!
//! ```text
//!           link is up             notification
//!   Due -----------------> Asked ----------------> Observing
//!    ^                      | |                       |
//!    +-- connection lost ---+-|-----------------------+
//!    +-- 4.04, later -------+ |                       |
//!                             +--> Over <-------------+  refused, or the topic is gone
//! ```

use sedge_coap::Code;
use sedge_endpoint::memory::Buffer;
use sedge_time::Instant;

use crate::request::{Named, Place, Target};

/// Names one subscription of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    pub(crate) slot: u8,
    /// A slot that is used again gets a new serial number.
    pub(crate) serial: u16,
}

/// What the memory of a client holds one of per subscription.
#[derive(Default)]
pub struct Subscription<N> {
    pub(crate) serial: u16,
    /// The name of a topic, or a path.
    pub(crate) name: N,
    pub(crate) named: Named,
    pub(crate) state: State,
    /// A digest of the ETag of the last value handed on; zero if it had none.
    pub(crate) seen: u64,
    /// Whether the server has answered a first time.
    pub(crate) answered: bool,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none here.
    #[default]
    Free,
    /// To be registered with the server from this instant on.
    Due(Instant),
    /// The registration is on its way.
    Asked,
    /// The server notifies.
    Observing,
    /// The server refused the registration: with this code, or by not observing.
    Over(Code),
}

impl<N> Subscription<N> {
    /// A place for one, with memory for its name.
    pub(crate) const fn free(name: N) -> Self {
        Self { serial: 0, name, named: Named::Topic, state: State::Free, seen: 0, answered: false }
    }
}

impl<N: Buffer> Subscription<N> {
    /// What is observed.
    pub(crate) fn target(&self) -> Target<'_> {
        let name = core::str::from_utf8(self.name.bytes()).unwrap_or_default();
        self.named.target(name)
    }

    /// The same, as bytes.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { named: self.named, name: self.name.bytes() }
    }

    /// Whether it is the one of this name.
    pub(crate) fn is(&self, id: SubscriptionId) -> bool {
        self.serial == id.serial && self.state != State::Free
    }

    /// Whether the server knows of it, or may.
    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.state, State::Asked | State::Observing)
    }
}
