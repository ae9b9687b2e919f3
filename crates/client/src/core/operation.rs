//! The one request under way.

use sedge_endpoint::{FailReason, SendError};
use sedge_time::Instant;

use super::link::Link;
use super::{Core, Number, Outgoing, REQUEST};
use crate::disconnect::Disconnect;
use crate::error::Failure;
use crate::memory::Memory;
use crate::transfer::{Stage, Transfer};

impl<M: Memory> Core<M> {
    /// Sends the operation's next message if it has one; says whether it did.
    pub(super) fn send_operation(&mut self, now: Instant, operation: Option<&mut Transfer<'_>>) -> bool {
        let under_way = operation.as_ref().and_then(|operation| operation.serial());
        if self.line.serial(REQUEST) != under_way {
            // Whoever waited for this one has gone away.
            self.line.cancel(REQUEST);
        }
        let Some(operation) = operation else { return false };
        if operation.stage != Stage::Waiting {
            return false;
        }
        operation.give_up_at = None;
        if operation.tag == 0 {
            operation.tag = self.random.next() as u16 | 1;
        }
        match self.line.begin(now, REQUEST, &Outgoing::Request(operation)) {
            Ok(serial) => {
                operation.stage = Stage::Sent(serial);
                true
            }
            // There will be an event, and with it another call.
            Err(SendError::Busy | SendError::Full | SendError::NoRoom) => false,
            Err(SendError::Gone | SendError::NotConnected) => {
                self.lost(now, Disconnect::Silent);
                true
            }
            Err(error) => {
                operation.fail(Failure::Send(error));
                false
            }
        }
    }

    /// Sends the operation's message once more, which was not acknowledged.
    pub(super) fn repeat_operation(&mut self, operation: Option<&mut Transfer<'_>>) {
        match operation {
            Some(operation) if self.line.serial(REQUEST) == operation.serial() => {
                // A refusal is a lost datagram: the next repetition makes up for it.
                let _lost = self.line.send_again(REQUEST, &Outgoing::Request(operation));
            }
            _ => self.line.cancel(REQUEST),
        }
    }

    /// Ends or restarts an operation whose connection is gone, and ends one that has waited too long for another.
    pub(super) fn while_disconnected(&mut self, now: Instant, operation: &mut Transfer<'_>) {
        let failure = Failure::Disconnected(self.failure.unwrap_or(Disconnect::Unreachable));
        if self.is_closed() {
            operation.fail(Failure::Closed);
        }
        if matches!(operation.stage, Stage::Sent(_)) {
            operation.interrupted(failure);
        }
        if operation.is_over() {
            return;
        }
        let give_up_at = *operation.give_up_at.get_or_insert(now + self.line.config.patience);
        if give_up_at <= now {
            operation.fail(failure);
        }
    }

    /// A request, an observation or a ping came to nothing.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        what: Number,
        reason: FailReason,
        operation: Option<&mut Transfer<'_>>,
    ) {
        if what == REQUEST {
            match (operation, reason) {
                (Some(operation), FailReason::Reset) => operation.fail(Failure::Reset),
                (Some(operation), FailReason::Timeout) => operation.interrupted(Failure::Timeout),
                (None, _) => {}
            }
        } else {
            self.registration_failed(now, what);
        }
        // A server that acknowledges nothing for a minute and a half has lost the session, or is gone: a new
        // handshake finds out which.
        if reason == FailReason::Timeout && matches!(self.link, Link::Up { .. }) {
            self.line.close();
            self.lost(now, Disconnect::Silent);
        }
    }
}
