//! What goes out to subscribers, and what became of it.

use alloc::sync::Arc;

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Token};

use super::observation::{Observation, ObservationId};
use crate::Value;

/// A notification to send.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'v> {
    /// The observation; comes back with the notification's fate.
    pub observation: ObservationId,
    /// Whose it is.
    pub session: u64,
    /// The topic's name.
    pub topic: &'v str,
    /// The token of its request.
    pub token: Token,
    /// What it says.
    pub content: Content<'v>,
    /// Whether it is to be sent again until it is acknowledged.
    pub confirmable: bool,
    /// The largest payload it may carry; of a longer value it carries the first block.
    pub block: BlockSize,
}

/// What a notification says.
#[derive(Clone, Copy, Debug)]
pub enum Content<'v> {
    /// 2.05: the value. The Observe option is [`Value::observe`].
    Value(&'v Arc<Value>),
    /// An error, without Observe option, that ends the observation.
    End(Code),
}

/// What became of a notification that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is on its way. Of a confirmable one, [`acknowledged`](super::Subscriptions::acknowledged) or
    /// [`failed`](super::Subscriptions::failed) is to tell the fate.
    Sent,
    /// Its session cannot take one now; [`ready`](super::Subscriptions::ready) is to say when it can.
    Busy,
    /// Nobody can be sent anything now; [`deliver`](super::Subscriptions::deliver) is to be called again when
    /// they can.
    Blocked,
    /// Its session is no more.
    Gone,
    /// Its session may not have this value (any more): the observation is to end with this code.
    Denied(Code),
}

/// A notification that was not acknowledged in time, and is to be sent again.
#[derive(Clone, Copy, Debug)]
pub struct Resend<'v> {
    /// What it says now.
    pub notification: Notification<'v>,
    /// Whether that is something else than last time, so that it needs a Message ID of its own
    /// ([RFC 7641 §4.5.2](https://www.rfc-editor.org/rfc/rfc7641#section-4.5.2)).
    pub newer: bool,
}

impl<'v> Notification<'v> {
    pub(super) fn new(
        id: ObservationId,
        observation: &Observation,
        topic: &'v str,
        content: Content<'v>,
        confirmable: bool,
    ) -> Self {
        let Observation { session, token, .. } = *observation;
        Self { observation: id, session, topic, token, content, confirmable, block: observation.block() }
    }
}
