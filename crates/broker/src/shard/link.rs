//! The endpoint and the wire under it, as subscriptions see them: something that takes notifications.

use sedge_endpoint::memory::PagedMemory;
use sedge_endpoint::{ExchangeId, SendError, SessionId};
use sedge_pubsub::{Handed, Notification, Resend, UnixTime};
use sedge_time::Instant;

use super::resets::Resets;
use super::wire::Wire;
use crate::entropy::Entropy;
use crate::net::Path;
use crate::security::Dtls;

pub(super) type Memory = PagedMemory<Path, Dtls, Entropy>;
pub(super) type Endpoint = sedge_endpoint::Endpoint<Memory>;

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
