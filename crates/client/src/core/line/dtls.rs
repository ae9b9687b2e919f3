//! The session underneath: its handshake, its records, what it says on its own account.

use sedge_dtls::{
    Alert, ClientHandshake, ConfigError, Content, ContentType, Context, Credentials, Established, Failure,
    Of, PathMessage, PathMessageKind, Profile, Progress, Records, Transport,
};
use sedge_endpoint::{Agreed, CloseReason, Version};
use sedge_time::{Duration, Instant};

use super::{Channel, Event, Line};
use crate::memory::{CryptoOf, Memory};

/// How often a message of the session's own is sent again. The wait doubles each time, from one second on.
const RESENDS: u8 = 6;

/// What is left of a datagram while its records are taken in one by one.
pub(crate) struct Incoming<'d>(&'d mut [u8]);

impl<'d> Incoming<'d> {
    pub(crate) const fn new(datagram: &'d mut [u8]) -> Self {
        Self(datagram)
    }
}

impl<M: Memory> Line<M> {
    /// Begins a handshake.
    #[inline(never)]
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        credentials: &mut impl Credentials<CryptoOf<M>>,
    ) -> Result<(), ConfigError> {
        self.make_handshake();
        let config = self.config.endpoint.handshake();
        let Channel::Handshake(handshake) = &mut self.channel else { return Ok(()) };
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        if let Err(error) = handshake.start(&mut cx, credentials, &config) {
            self.channel = Channel::Off;
            return Err(error);
        }
        self.next_token = 0;
        self.pump();
        Ok(())
    }

    /// Makes a handshake where it stays. A function of its own, so that what it takes of the stack is gone before the
    /// handshake starts.
    #[inline(never)]
    fn make_handshake(&mut self) {
        let config = self.config.endpoint.handshake();
        self.channel = Channel::Handshake(ClientHandshake::new(&self.crypto, &config));
    }

    /// There is no handshake on plain CoAP.
    pub(crate) fn connect_plain(&mut self) {
        self.channel = Channel::Plain;
    }

    /// Takes in a datagram. To be called again with the same one until it returns `None`.
    pub(crate) fn receive<'d>(
        &mut self,
        now: Instant,
        incoming: &mut Incoming<'d>,
        credentials: &mut impl Credentials<CryptoOf<M>>,
    ) -> Option<Event<'d>> {
        loop {
            let datagram = core::mem::take(&mut incoming.0);
            if self.is_plain() {
                return if datagram.is_empty() { None } else { self.receive_message(now, datagram) };
            }
            let mut records = Records::new(datagram, 0);
            let record = records.next()?;
            incoming.0 = records.into_rest();
            let event = match self.channel {
                Channel::Handshake(_) => self.receive_handshake(now, record, credentials),
                Channel::Session(_) => self.open(now, record, credentials),
                Channel::Off | Channel::Plain => {
                    self.counters.unknown_peer += 1;
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// Does what is due; to be called until it returns `None`.
    #[inline(never)]
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        credentials: &mut impl Credentials<CryptoOf<M>>,
    ) -> Option<Event<'static>> {
        if let Channel::Handshake(handshake) = &mut self.channel
            && handshake.deadline().is_some_and(|deadline| deadline <= now)
        {
            let mut cx = Context::new(&self.crypto, &mut self.rng, now);
            let outcome = handshake.expire(&mut cx, credentials);
            // There may be an alert to send.
            self.pump();
            if let Err(failure) = outcome {
                return Some(self.fail(failure));
            }
        }
        if <M::Dtls as Profile>::DTLS_1_3 {
            self.expire_own(now);
        }
        self.expire_exchange(now)
    }

    /// Sends whatever the handshake has to send, as far as there is room. Says whether there was anything.
    pub(crate) fn pump(&mut self) -> bool {
        let Channel::Handshake(handshake) = &mut self.channel else { return false };
        let mut any = false;
        // What is left of the memory may be too short for anything.
        while let Some(room) = self.outbox.room().filter(|room| room.len() >= usize::from(Transport::MIN_MTU))
            && let Some(len) = handshake.poll_transmit(&self.crypto, room)
        {
            self.outbox.commit(len);
            any = true;
        }
        any
    }

    /// Says goodbye, if there are keys to say it with.
    pub(crate) fn close(&mut self) {
        self.alert(Alert::CLOSE_NOTIFY);
        self.hang_up();
    }

    #[inline(never)]
    fn receive_handshake(
        &mut self,
        now: Instant,
        record: &mut [u8],
        credentials: &mut impl Credentials<CryptoOf<M>>,
    ) -> Option<Event<'static>> {
        let Channel::Handshake(handshake) = &mut self.channel else { return None };
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        #[cfg(feature = "std")]
        {
            cx.dangerous_key_log = self.outbox.key_log();
        }
        let progress = handshake.receive(&mut cx, credentials, record);
        self.pump();
        match progress {
            Ok(Progress::Continue) => None,
            Ok(Progress::Complete) => self.establish(),
            Ok(Progress::Failed(failure)) => Some(self.fail(failure)),
            Err(reason) => {
                self.counters.discard(reason);
                None
            }
        }
    }

    /// The handshake makes way for the session.
    #[inline(never)]
    fn establish(&mut self) -> Option<Event<'static>> {
        let Channel::Handshake(handshake) = &mut self.channel else { return None };
        let Established { session, authentication, resumed, .. } = handshake.take_session()?;
        let version = if session.is_dtls_1_3() { Version::Dtls13 } else { Version::Dtls12 };
        self.agreed = Some(Agreed { version, suite: session.suite(), authentication, resumed });
        self.channel = Channel::Session(session);
        self.reserved_until = 0;
        self.acknowledged = [None; 4];
        self.counters.handshakes_completed += 1;
        self.counters.handshakes_resumed += u32::from(resumed);
        if <M::Dtls as Profile>::DTLS_1_3 {
            self.send_own();
        }
        Some(Event::Connected)
    }

    fn fail(&mut self, failure: Failure) -> Event<'static> {
        self.counters.handshakes_failed += 1;
        self.hang_up();
        Event::Closed(match failure {
            Failure::TimedOut => CloseReason::HandshakeTimeout,
            Failure::Refused(description) | Failure::Aborted(description) => {
                CloseReason::HandshakeFailed(description)
            }
        })
    }

    /// Opens a record of the session.
    #[inline(never)]
    fn open<'d>(
        &mut self,
        now: Instant,
        record: &'d mut [u8],
        credentials: &mut impl Credentials<CryptoOf<M>>,
    ) -> Option<Event<'d>> {
        let Channel::Session(session) = &mut self.channel else { return None };
        let opened = session.open(&Of::<M::Dtls>::new(&self.crypto), record);
        if <M::Dtls as Profile>::DTLS_1_3 {
            // Junk may be reason enough for new keys, and what is passed over is acknowledged.
            self.send_own();
        }
        let content = match opened {
            Ok(opened) => opened.content,
            Err(reason) => {
                self.counters.discard(reason);
                return None;
            }
        };
        match content {
            Content::ApplicationData(plaintext) => return self.receive_message(now, plaintext),
            Content::Alert(alert) if alert.ends_connection() => {
                let mut reason = CloseReason::Alert(alert.description);
                if alert == Alert::CLOSE_NOTIFY {
                    self.alert(Alert::CLOSE_NOTIFY);
                    reason = CloseReason::ByPeer;
                }
                self.hang_up();
                return Some(Event::Closed(reason));
            }
            Content::FinishedAgain => self.send_last_flight(),
            Content::Renegotiation => self.alert(Alert::NO_RENEGOTIATION),
            Content::ReturnRoutability(message) if message.kind == PathMessageKind::Challenge => {
                // RFC 9853 section 5.4: one answer at once.
                let answer = PathMessage { kind: PathMessageKind::Response, ..message }.to_bytes();
                let kind = ContentType::RETURN_ROUTABILITY_CHECK;
                let _unreliable = self.send_bytes(kind, &answer);
            }
            Content::Ticket(ticket) if <M::Dtls as Profile>::RESUMPTION => {
                if let Some(agreed) = self.agreed
                    && let Some(resumption) = ticket.resumption(now, 0, agreed.authentication)
                {
                    credentials.remember(&resumption);
                }
            }
            _ => {}
        }
        None
    }

    fn alert(&mut self, alert: Alert) {
        if self.must_save() {
            return;
        }
        let Channel::Session(session) = &mut self.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        if let Some(room) = self.outbox.room()
            && let Ok(len) = session.alert(&layer, alert, room)
        {
            self.outbox.commit(len);
        }
    }

    fn send_last_flight(&mut self) {
        if self.must_save() {
            return;
        }
        let Channel::Session(session) = &mut self.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        if let Some(room) = self.outbox.room()
            && let Some(len) = session.last_flight(&layer, room)
        {
            self.outbox.commit(len);
        }
    }

    /// Sends what the session has to say on its own account (RFC 9147 sections 7 to 9).
    pub(super) fn send_own(&mut self) {
        loop {
            let must_save = self.must_save();
            let Channel::Session(session) = &mut self.channel else { return };
            if must_save || !session.pending() {
                break;
            }
            let layer = Of::<M::Dtls>::new(&self.crypto);
            let Some(len) = self.outbox.room().and_then(|room| session.poll_transmit(&layer, room)) else {
                break;
            };
            self.outbox.commit(len);
        }
        let Channel::Session(session) = &mut self.channel else { return };
        if session.is_outstanding() && self.resend_at.is_none() {
            // The clock is not at hand here: a timer that is due at once sets the right one.
            (self.resend_at, self.resends) = (Some(Instant::EPOCH), 0);
        }
    }

    /// Sends again what was not acknowledged.
    fn expire_own(&mut self, now: Instant) {
        let Channel::Session(session) = &mut self.channel else { return };
        let Some(at) = self.resend_at.filter(|at| *at <= now) else { return };
        if !session.is_outstanding() || self.resends > RESENDS {
            self.resend_at = None;
            return;
        }
        if at != Instant::EPOCH {
            self.resends += 1;
            session.retransmit();
            self.counters.retransmissions += 1;
        }
        self.resend_at = Some(now + Duration::from_secs(1 << self.resends));
        self.send_own();
    }
}
