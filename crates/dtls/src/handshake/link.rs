//! The half of a handshake that does not know what the messages mean: the outgoing flight and its timer.

use sedge_crypto::Crypto;
use sedge_time::Instant;

use super::flight::{Flight, Outlet, write_plaintext};
use super::message::Fragment;
use super::timer::{Expiry, Timer};
use super::{Failure, Progress, Transport};
use crate::alert::Alert;
use crate::discard::Discard;
use crate::profile::Buffer;
use crate::record::ContentType;
use crate::session::Session12;

/// Sends flights that fit into `B`.
#[derive(Debug)]
pub(crate) struct Link<B> {
    pub(crate) flight: Flight<B>,
    pub(crate) timer: Timer,
    mtu: u16,
    /// The next record's sequence number in epoch 0.
    sequence: u64,
    /// What to say before it is over.
    alert: Option<Alert>,
    failure: Option<Failure>,
}

impl<B: Buffer> Link<B> {
    pub(crate) fn new(transport: &Transport, sequence: u64) -> Self {
        Self {
            flight: Flight::new(),
            timer: Timer::new(transport.retransmission),
            mtu: transport.mtu.max(Transport::MIN_MTU),
            sequence,
            alert: None,
            failure: None,
        }
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Ends the handshake, after saying `alert`.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn fail(&mut self, failure: Failure) -> Progress {
        self.alert = match failure {
            Failure::Aborted(description) => Some(Alert::fatal(description)),
            Failure::TimedOut | Failure::Refused(_) => None,
        };
        self.failure = Some(failure);
        self.timer.stop();
        self.flight.clear();
        Progress::Failed(failure)
    }

    /// The timer's turn.
    pub(crate) fn expire(&mut self, now: Instant) -> Expiry {
        let expiry = self.timer.expire(now);
        if expiry == Expiry::SendAgain {
            self.flight.rewind();
        }
        expiry
    }

    /// The peer repeated the end of its flight: ours must have been lost.
    pub(crate) fn repeat(&mut self, now: Instant) {
        if self.timer.repeat(now) {
            self.flight.rewind();
        }
    }

    /// Writes the next datagram, sealed by `session` from ChangeCipherSpec on.
    pub(crate) fn poll_transmit<C: Crypto>(
        &mut self,
        crypto: &C,
        mut session: Option<&mut Session12>,
        buf: &mut [u8],
    ) -> Option<usize> {
        if let Some(alert) = self.alert.take() {
            return match &mut session {
                Some(session) => session.alert(crypto, alert, buf).ok(),
                None => write_plaintext(&mut self.sequence, ContentType::ALERT, &alert.to_bytes(), buf),
            };
        }
        let len = buf.len().min(usize::from(self.mtu));
        let mut outlet = Outlet { crypto, sequence: &mut self.sequence, session };
        self.flight.write_datagram(&mut outlet, buf.get_mut(..len)?)
    }
}

/// Messages are taken in turn: one that was had already is repeated, one further on is early.
pub(crate) const fn in_turn(message_seq: u16, expected: u16) -> Result<(), Discard> {
    if message_seq < expected {
        return Err(Discard::HandshakeRepeated);
    }
    if message_seq > expected {
        return Err(Discard::HandshakeEarly);
    }
    Ok(())
}

/// Hands the fragments in a handshake record on, one by one, until one completes or ends the handshake.
///
/// One that is dropped does not keep the others from being looked at: the answer is that of the last one that
/// got anywhere, or else the first reason for dropping one.
pub(crate) fn for_each_fragment(
    mut bytes: &[u8],
    mut each: impl FnMut(Fragment<'_>) -> Result<Progress, Discard>,
) -> Result<Progress, Discard> {
    let mut outcome = None;
    while !bytes.is_empty() {
        let Some((fragment, rest)) = Fragment::parse(bytes) else {
            return outcome.unwrap_or(Err(Discard::MalformedHandshake));
        };
        bytes = rest;
        match (each(fragment), outcome) {
            (Ok(Progress::Continue), _) => outcome = Some(Ok(Progress::Continue)),
            (Ok(end), _) => return Ok(end),
            (Err(discard), None) => outcome = Some(Err(discard)),
            (Err(_), Some(_)) => {}
        }
    }
    outcome.unwrap_or(Err(Discard::MalformedHandshake))
}
