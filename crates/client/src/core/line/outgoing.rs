//! What a message of ours says.

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Writer};

use super::Purpose;
use crate::request::Place;
use crate::transfer::Transfer;

/// What a message of ours says. It is lent to whatever sends it, and again to whatever sends it again.
pub(crate) enum Outgoing<'a> {
    /// The next message of a request.
    Request(&'a Transfer<'a>),
    /// A registration with this value of Observe: that an observation begins, or that it ends.
    Observation(Place<'a>, u32),
}

impl Outgoing<'_> {
    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::Observation(..) => Purpose::Observe,
            Self::Request(transfer) if transfer.request.method == Code::EMPTY => Purpose::Ping,
            Self::Request(transfer) if transfer.request.confirmable => Purpose::Request,
            Self::Request(_) => Purpose::NonConfirmable,
        }
    }

    pub(super) const fn method(&self) -> Code {
        match self {
            Self::Observation(..) => Code::GET,
            Self::Request(transfer) => transfer.request.method,
        }
    }

    /// Writes its options and its payload. Notifications are wanted in blocks of at most `size`.
    pub(super) fn write(&self, writer: &mut Writer<'_>, size: BlockSize) {
        match self {
            Self::Observation(place, observe) => place.write_observation(writer, *observe, size),
            Self::Request(transfer) => transfer.write(writer),
        }
    }
}
