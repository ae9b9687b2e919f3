//! The half of a handshake that does not know what the messages mean: transcript, outgoing flight, timer.

use sedge_crypto::{Crypto, Hash};
use sedge_time::Instant;

use super::flight::{Flight, Outlet, write_plaintext};
use super::message::{Fragment, Message, MessageType};
use super::timer::{Expiry, Timer};
use super::{Failure, Progress, Transport};
use crate::alert::Alert;
use crate::discard::Discard;
use crate::record::ContentType;
use crate::session::Session;
use crate::wire::Writer;

/// Sends flights of at most `N` bytes.
pub(crate) struct Link<C: Crypto, const N: usize> {
    pub(crate) flight: Flight<N>,
    pub(crate) timer: Timer,
    transcript: C::Hash,
    mtu: u16,
    /// The next message's message_seq.
    message_seq: u16,
    /// The next record's sequence number in epoch 0.
    sequence: u64,
    /// What to say before it is over.
    alert: Option<Alert>,
    failure: Option<Failure>,
}

impl<C: Crypto, const N: usize> Link<C, N> {
    pub(crate) fn new(crypto: &C, transport: &Transport, message_seq: u16, sequence: u64) -> Self {
        Self {
            flight: Flight::new(),
            timer: Timer::new(transport.retransmission),
            transcript: crypto.sha256(),
            mtu: transport.mtu.max(Transport::MIN_MTU),
            message_seq,
            sequence,
            alert: None,
            failure: None,
        }
    }

    /// Starts the transcript anew: a ClientHello without a cookie and what it was answered with are not part of
    /// it (RFC 6347 section 4.2.1).
    pub(crate) fn restart_transcript(&mut self, crypto: &C) {
        self.transcript = crypto.sha256();
    }

    /// Appends a message to the flight and to the transcript.
    pub(crate) fn say(
        &mut self,
        message_type: MessageType,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<()> {
        let message = self.flight.push(message_type, self.message_seq, body)?;
        self.transcript.update(message);
        self.message_seq = self.message_seq.wrapping_add(1);
        Some(())
    }

    /// Appends a received message to the transcript.
    pub(crate) fn hear(&mut self, message: &Message<'_>) {
        self.transcript.update(&message.header());
        self.transcript.update(message.body);
    }

    /// Appends bytes to the transcript that are a received message with its header.
    pub(crate) fn hear_bytes(&mut self, message: &[u8]) {
        self.transcript.update(message);
    }

    /// The hash of all messages so far.
    pub(crate) fn transcript_hash(&self) -> [u8; 32] {
        self.transcript.clone().finish()
    }

    pub(crate) const fn message_seq(&self) -> u16 {
        self.message_seq
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Ends the handshake, after saying `alert`.
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
    pub(crate) fn poll_transmit(
        &mut self,
        crypto: &C,
        mut session: Option<&mut Session>,
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
