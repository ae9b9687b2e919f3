//! From a datagram to the session it belongs to.

use sedge_coap::{Code, Message, Type};
use sedge_dtls::{Alert, Content, ContentType, Of, Profile, Records, is_client_hello, peek_cid};
use sedge_time::Instant;

use crate::endpoint::Endpoint;
use crate::event::{CloseReason, Event};
use crate::host::HostOf;
use crate::memory::{Memory, PathIndex, Pool};
use crate::path_validation::{Arrival, Proven};
use crate::session::{Channel, NO_HANDSHAKE, Peer, SessionId};

/// One datagram on its way in; [`Endpoint::receive`] takes it apart record by record.
#[derive(Debug)]
pub struct Incoming<'d, P> {
    path: P,
    rest: &'d mut [u8],
    protected: bool,
}

impl<'d, P> Incoming<'d, P> {
    /// A datagram from a socket on which DTLS is spoken.
    pub const fn new(path: P, datagram: &'d mut [u8]) -> Self {
        Self { path, rest: datagram, protected: true }
    }

    /// A datagram from a socket that the operator opened for plain CoAP. Its path must differ from every
    /// path on which DTLS is spoken.
    pub const fn plain(path: P, datagram: &'d mut [u8]) -> Self {
        Self { path, rest: datagram, protected: false }
    }

    fn next_record(&mut self, cid_len: usize) -> Option<&'d mut [u8]> {
        let rest = core::mem::take(&mut self.rest);
        if !self.protected {
            return (!rest.is_empty()).then_some(rest);
        }
        let mut records = Records::new(rest, cid_len);
        let record = records.next();
        self.rest = records.into_rest();
        record
    }
}

impl<M: Memory> Endpoint<M> {
    /// Takes in a datagram. Call it again with the same `incoming` until it returns `None`; each event is
    /// one thing that came of it.
    ///
    /// The datagram is decrypted in place and the event borrows it, so answer before you ask for the next.
    pub fn receive<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        incoming: &mut Incoming<'d, M::Path>,
        host: &mut H,
    ) -> Option<Event<'d>> {
        while let Some(record) = incoming.next_record(self.config.cid.length()) {
            let event = if incoming.protected {
                self.receive_record(now, incoming.path, record, host)
            } else {
                self.receive_plain(now, incoming.path, record, host)
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// Whether peers may begin. What a profile without a server would do then is not linked.
    const fn accepts(&self) -> bool {
        M::Dtls::SERVER && self.config.accept
    }

    fn receive_plain<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        datagram: &'d mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        let slot = match self.paths.get(&path) {
            Some(slot) => slot,
            None if self.accepts() && starts_something(datagram) => {
                self.new_peer(now, path, Channel::Plain)?.slot
            }
            None => {
                self.counters.unknown_peer += 1;
                return None;
            }
        };
        let peer = self.sessions.get_mut(slot)?;
        peer.last_heard = seconds(now);
        let session = SessionId { slot, generation: peer.generation };
        self.receive_message(now, session, datagram, host)
    }

    fn receive_record<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        record: &'d mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        let Some(slot) = self.owner(&path, record) else {
            return self.receive_from_stranger(now, path, record, host);
        };
        let peer = self.sessions.get(slot)?;
        let session = SessionId { slot, generation: peer.generation };
        match &peer.channel {
            Channel::Dtls(_) if is_client_hello(record) => {
                self.receive_from_stranger(now, path, record, host)
            }
            Channel::Dtls(_) => self.open(now, session, path, record, host),
            Channel::Handshake { .. } if self.accepts() && is_client_hello(record) => {
                self.receive_hello(now, path, record, host)
            }
            Channel::Handshake { slot } => {
                let predecessor = self.handshakes.get(*slot).and_then(|handshake| handshake.predecessor);
                match predecessor.filter(|_| !is_for_handshake(record)) {
                    Some(predecessor) => self.open(now, predecessor, path, record, host),
                    None => self.receive_handshake(now, session, path, record, host),
                }
            }
            Channel::Plain => None,
        }
    }

    /// The slot of the session that a record is for: by Connection ID if it has one, by path otherwise.
    fn owner(&self, path: &M::Path, record: &[u8]) -> Option<u32> {
        let Some(cid) = peek_cid(record, self.config.cid.length()) else { return self.paths.get(path) };
        let named = self.config.cid.decode(cid)?;
        let peer = self.sessions.get(named.slot)?;
        (named.is(peer.generation) || peer.renumbered).then_some(named.slot)
    }

    /// Opens a record of an established session.
    fn open<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        id: SessionId,
        path: M::Path,
        record: &'d mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        let peer = self.sessions.get_mut(id.slot).filter(|peer| peer.generation == id.generation)?;
        let Channel::Dtls(session) = &mut peer.channel else { return None };
        let early = M::Dtls::DTLS_1_3 && peer.lingering != NO_HANDSHAKE;
        if early && is_of_epoch_2(record) {
            return self.receive_handshake(now, id, path, record, host);
        }
        let len = record.len();
        let opened = match session.open(&Of::<M::Dtls>::new(&self.crypto), record) {
            Ok(opened) => opened,
            Err(reason) => {
                self.counters.discard(reason);
                // Junk may be reason enough for new keys, and what is passed over is acknowledged.
                self.send_own(id, host);
                return None;
            }
        };
        self.counters.records_received += 1;
        let heard_before = core::mem::replace(&mut peer.last_heard, seconds(now));
        if early && !matches!(opened.content, Content::ApplicationData(_)) {
            // Nothing else comes before the peer has our last flight.
            self.handshakes.discard(core::mem::replace(&mut peer.lingering, NO_HANDSHAKE));
        }
        // RFC 9146 section 6: only a record newer than all before it may move the peer, and only if a
        // Connection ID names the session whatever the path.
        let arrival = Arrival { path, len, newest: opened.newest, heard_before };
        let proven = match &opened.content {
            Content::Alert(alert) if alert.ends_connection() => None,
            content => self.arrived(now, id, &arrival, content, host),
        };
        self.send_own(id, host);
        if proven == Some(Proven::ByPing) {
            return Some(Event::Moved { session: id });
        }
        match opened.content {
            Content::ApplicationData(plaintext) => self.receive_message(now, id, plaintext, host),
            Content::Alert(alert) if alert.ends_connection() => {
                let reason = if alert == Alert::CLOSE_NOTIFY {
                    self.say_goodbye(id, host);
                    CloseReason::ByPeer
                } else if early {
                    CloseReason::HandshakeFailed(alert.description)
                } else {
                    CloseReason::Alert(alert.description)
                };
                let principal = self.remove_session(id)?;
                Some(Event::Closed { session: id, principal, reason })
            }
            Content::Alert(_) => None,
            Content::FinishedAgain => {
                self.send_last_flight(id, host);
                None
            }
            Content::Renegotiation => {
                self.send_alert(id, Alert::NO_RENEGOTIATION, host);
                None
            }
            Content::ReturnRoutability(message) => self.receive_path_message(now, id, path, message, host),
            Content::Ticket(ticket) => {
                self.receive_ticket(now, id, &ticket, host);
                None
            }
            Content::ConnectionIdWanted(_) => {
                self.renumber(id, host);
                None
            }
            Content::Nothing => None,
        }
    }

    /// A record that belongs to no session: perhaps the start of one.
    fn receive_from_stranger<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        record: &'d mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        if self.accepts() && is_client_hello(record) {
            return self.receive_hello(now, path, record, host);
        }
        self.counters.unknown_peer += 1;
        None
    }

    /// Enters a new peer into the table.
    pub(crate) fn new_peer(&mut self, now: Instant, path: M::Path, channel: Channel) -> Option<SessionId> {
        use rand_core::Rng as _;
        let plain = matches!(channel, Channel::Plain);
        if plain && self.plain_peers >= self.config.plain_peers {
            self.counters.sessions_refused += 1;
            return None;
        }
        let generation = self.new_generation();
        let message_id = self.rng.next_u32() as u16;
        let peer = Peer::new(path, channel, generation, message_id, seconds(now));
        let Some(slot) = self.sessions.insert(peer) else {
            self.counters.sessions_refused += 1;
            return None;
        };
        if u64::from(slot) >= self.config.cid.sessions() && self.config.cid.length() > 0
            || !self.paths.insert(path, slot)
        {
            // The Connection ID could not name this slot, or nothing could find it by path.
            let _undone = self.sessions.remove(slot);
            self.counters.sessions_refused += 1;
            return None;
        }
        self.plain_peers += u32::from(plain);
        Some(SessionId { slot, generation })
    }

    /// Ends a session and tells the peer. Its exchanges and observations end with it, without further events.
    /// Says whether there was one.
    pub fn close<H: HostOf<M>>(&mut self, session: SessionId, host: &mut H) -> bool {
        self.say_goodbye(session, host);
        self.remove_session(session).is_some()
    }

    /// Sends close_notify (RFC 5246 section 7.2.1), if the session has keys to say it with.
    pub(crate) fn say_goodbye<H: HostOf<M>>(&mut self, session: SessionId, host: &mut H) {
        self.send_alert(session, Alert::CLOSE_NOTIFY, host);
    }

    fn send_alert<H: HostOf<M>>(&mut self, id: SessionId, alert: Alert, host: &mut H) {
        let Some(peer) = self.sessions.get_mut(id.slot).filter(|peer| peer.generation == id.generation)
        else {
            return;
        };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        let _unreliable = host.transmit(&peer.path, |buf| session.alert(&layer, alert, buf).unwrap_or(0));
    }

    fn send_last_flight<H: HostOf<M>>(&mut self, id: SessionId, host: &mut H) {
        let Some(peer) = self.sessions.get_mut(id.slot).filter(|peer| peer.generation == id.generation)
        else {
            return;
        };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        let _unreliable = host.transmit(&peer.path, |buf| session.last_flight(&layer, buf).unwrap_or(0));
    }
}

/// While a new handshake goes on beside an old session, what tells their records apart when neither has a
/// Connection ID: handshake messages, ACKs and ChangeCipherSpec are the new one's, and what is
/// protected by the keys of a DTLS 1.3 handshake.
fn is_for_handshake(record: &[u8]) -> bool {
    let kinds =
        [ContentType::HANDSHAKE, ContentType::CHANGE_CIPHER_SPEC, ContentType::TLS12_CID, ContentType::ACK];
    is_of_epoch_2(record) || record.first().is_some_and(|first| kinds.iter().any(|kind| kind.0 == *first))
}

/// Whether a record is protected by the keys of a DTLS 1.3 handshake. RFC 9147 section 4: 001, three flags, and the low
/// bits of the epoch.
fn is_of_epoch_2(record: &[u8]) -> bool {
    record.first().is_some_and(|first| first & 0b1110_0011 == 0b0010_0010)
}

/// Whether a plain datagram is worth remembering its sender for: a request or a ping. Nothing else means
/// anything from somebody unknown.
fn starts_something(datagram: &[u8]) -> bool {
    Message::parse(datagram).is_ok_and(|message| match message.kind() {
        Type::Con => message.code().is_request() || message.code() == Code::EMPTY,
        Type::Non => message.code().is_request(),
        Type::Ack | Type::Rst => false,
    })
}

/// The host's clock in whole seconds, for comparing only.
pub(crate) fn seconds(now: Instant) -> u32 {
    (now.as_micros() / 1_000_000) as u32
}
