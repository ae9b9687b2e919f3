//! The way of notifications out through an endpoint, the same for every broker that has one.

use sedge_endpoint::memory::Memory;
use sedge_endpoint::{Endpoint, ExchangeId, HostOf, SendError, SessionId};
use sedge_time::Instant;

use crate::{Handed, Notification, Resend, Resets, UnixTime};

/// The peer takes smaller records than any block of the value: it cannot observe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Sends a notification, as far as its session can take one.
///
/// # Errors
/// [`TooLong`]; the observation is to end then, as with [`Handed::Gone`].
pub fn notify<M: Memory, H: HostOf<M>>(
    endpoint: &mut Endpoint<M>,
    host: &mut H,
    resets: &mut Resets,
    (now, unix): (Instant, UnixTime),
    notification: &Notification<'_>,
) -> Result<Handed, TooLong> {
    let session = SessionId::from_u64(notification.session);
    let rendered = notification.render(unix);
    let header = sedge_endpoint::Notification {
        key: notification.observation.to_u64(),
        token: notification.token,
        code: rendered.code,
        confirmable: notification.confirmable,
    };
    match endpoint.notify(now, session, header, host, |writer| rendered.write(writer, None)) {
        Ok(message_id) => {
            if !notification.confirmable {
                resets.sent(notification.session, message_id, notification.observation);
            }
            Ok(Handed::Sent)
        }
        Err(SendError::Busy | SendError::Full) => Ok(Handed::Busy),
        Err(SendError::NoRoom) => Ok(Handed::Blocked),
        Err(SendError::Gone | SendError::NotConnected) => Ok(Handed::Gone),
        Err(SendError::TooLong | SendError::Malformed) => Err(TooLong),
    }
}

/// Sends a notification again that was not acknowledged in time. If it cannot go out now, its next time will come.
pub fn renotify<M: Memory, H: HostOf<M>>(
    endpoint: &mut Endpoint<M>,
    host: &mut H,
    (now, unix): (Instant, UnixTime),
    exchange: ExchangeId,
    resend: &Resend<'_>,
) {
    let rendered = resend.notification.render(unix);
    let _later = endpoint
        .renotify(now, exchange, resend.newer, host, rendered.code, |writer| rendered.write(writer, None));
}
