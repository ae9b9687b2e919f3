//! The one request under way.

use sedge_coap::Code;
use sedge_endpoint::{ExchangeId, FailReason, HostOf, Request as Head, SendError, SessionId};
use sedge_time::Instant;

use super::Core;
use super::link::Link;
use crate::disconnect::Disconnect;
use crate::error::Failure;
use crate::memory::Memory;
use crate::transfer::{Stage, Transfer};

impl<M: Memory> Core<M> {
    /// Sends the operation's next message if it has one; says whether it did.
    pub(super) fn send_operation<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        session: SessionId,
        operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) -> bool {
        let under_way = operation.as_ref().and_then(|operation| match operation.stage {
            Stage::Sent(exchange) => Some(exchange),
            _ => None,
        });
        if self.active != under_way
            && let Some(orphan) = self.active.take()
        {
            // Whoever waited for this one has gone away.
            let _cancelled = self.endpoint.cancel(orphan);
        }
        let Some(operation) = operation else { return false };
        if operation.stage != Stage::Waiting {
            return false;
        }
        operation.give_up_at = None;
        if operation.tag == 0 {
            operation.tag = self.random.next() as u16 | 1;
        }
        let sent = if operation.request.method == Code::EMPTY {
            self.endpoint.ping(now, session, host)
        } else {
            let head = Head {
                confirmable: operation.request.confirmable,
                ..Head::confirmable(operation.request.method)
            };
            self.endpoint.request(now, session, head, host, |writer| operation.write(writer))
        };
        match sent {
            Ok(exchange) => {
                self.active = Some(exchange);
                operation.stage = Stage::Sent(exchange);
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
        let give_up_at = *operation.give_up_at.get_or_insert(now + self.config.patience);
        if give_up_at <= now {
            operation.fail(failure);
        }
    }

    /// A request, an observation or a ping came to nothing.
    pub(super) fn failed<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        session: SessionId,
        exchange: ExchangeId,
        reason: FailReason,
        operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) {
        if self.active == Some(exchange) {
            self.active = None;
            match (operation, reason) {
                (Some(operation), FailReason::Reset) => operation.fail(Failure::Reset),
                (Some(operation), FailReason::Timeout) => operation.interrupted(Failure::Timeout),
                (None, _) => {}
            }
        } else {
            self.registration_failed(now, exchange);
        }
        // A server that acknowledges nothing for a minute and a half has lost the session, or is gone: a new
        // handshake finds out which.
        if reason == FailReason::Timeout && self.link == (Link::Up { session }) {
            let _closed = self.endpoint.close(session, host);
            self.lost(now, Disconnect::Silent);
        }
    }
}
