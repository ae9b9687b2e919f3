//! Handshakes: from a stateless cookie to a session, in a small pool.

use sedge_crypto::NamedGroup;
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, ConfigError, ConnectionId, Context, Discard, Established,
    Failure, HELLO_REPLY_LEN, Hello, Of, Presence, Profile, Progress, ServerHandshake, Slot, Transport,
    VerifiedHello, Versions, hello,
};
use sedge_time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::event::{CloseReason, Event};
use crate::host::HostOf;
use crate::key_log::CapturedKeys;
use crate::memory::{Memory, Path, PathIndex, Pool, TimerKey, Timers};
use crate::session::{Channel, MAX_CID_LENGTH, NO_HANDSHAKE, Peer, SessionId};

/// A handshake under way, in either role.
pub struct Handshake<D: Profile> {
    session: SessionId,
    started: Instant,
    /// The session that lived on this path before. It goes on until the peer has proved who it is (RFC 6347
    /// section 4.2.8).
    pub(crate) predecessor: Option<SessionId>,
    /// When something was last sent, for the round-trip time.
    sent_at: Instant,
    /// Whether the host has had no room for all of the flight.
    unsent: bool,
    role: Role<D>,
}

impl<D: Profile> Handshake<D> {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.role {
            Role::Client(handshake) => handshake.deadline(),
            Role::Server(handshake) => handshake.get().deadline(),
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "a server's half is small only where there is none")]
enum Role<D: Profile> {
    Client(ClientHandshake<D>),
    Server(<D::Server as Presence>::Slot<ServerHandshake<D>>),
}

/// What to offer when dialling out. Who dials, the [`Host`](crate::Host)'s credentials say.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// The versions of DTLS to offer.
    pub versions: Versions,
    /// The cipher suites to offer, the preferred first.
    pub suites: &'a [CipherSuite],
    /// The groups for key agreement to offer, the preferred first.
    pub groups: &'a [NamedGroup],
}

impl Default for Connect<'_> {
    /// All that the endpoint's [`Profile`] and the host's credentials allow.
    fn default() -> Self {
        let ClientConfig { versions, suites, groups, .. } = ClientConfig::default();
        Self { versions, suites, groups }
    }
}

/// Why no handshake was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The table of sessions or the pool of handshakes is full.
    Full,
    /// The handshake cannot be made with this identity, these suites or the endpoint's settings.
    Config(ConfigError),
}

impl core::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("too many sessions or handshakes"),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConnectError {}

/// Cookies are good for one to two of these periods.
const COOKIE_PERIOD: Duration = Duration::from_secs(60);

impl<M: Memory> Endpoint<M> {
    /// Dials a peer. What comes of it is [`Event::Connected`] or [`Event::Closed`].
    ///
    /// In DTLS 1.3 a session begins with the client's last flight, so that the first request travels with it
    /// ([RFC 9147 section 5.7](https://www.rfc-editor.org/rfc/rfc9147#section-5.7)). The peer has proved who it is then;
    /// if it refuses our certificate, [`Event::Closed`] comes after [`Event::Connected`], and says so with
    /// [`CloseReason::HandshakeFailed`].
    ///
    /// # Errors
    /// [`ConnectError`]; then nothing was sent.
    pub fn connect<H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        connect: &Connect<'_>,
        host: &mut H,
    ) -> Result<SessionId, ConnectError> {
        let before = self.paths.get(&path).and_then(|slot| self.session_in(slot));
        let channel = Channel::Handshake { slot: u32::MAX };
        let session = self.new_peer(now, path, channel).ok_or(ConnectError::Full)?;
        let mut cid = [0; MAX_CID_LENGTH];
        let cid = self.cid_of(session, &mut cid);
        let config = ClientConfig {
            versions: connect.versions,
            suites: connect.suites,
            groups: connect.groups,
            own_cid: Some(cid),
            transport: self.config.transport(),
        };
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        let handshake = match ClientHandshake::connect(&mut cx, &mut host.credentials(session), &config) {
            Ok(handshake) => handshake,
            Err(error) => {
                let _nobody = self.abandon(session, before);
                return Err(ConnectError::Config(error));
            }
        };
        if !self.enter(now, session, before, Role::Client(handshake)) {
            return Err(ConnectError::Full);
        }
        let _sent = self.pump(now, session, host);
        Ok(session)
    }

    /// Sends what a handshake has to send still, because its flight has more datagrams than the host had room for. Says
    /// whether anything was sent. To be called, while a handshake is under way, after a host has made room.
    pub fn continue_handshake<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        host: &mut H,
    ) -> bool {
        let sent = self.pump(now, session, host);
        if sent {
            // Perhaps that was the last of the last flight, with which the session begins: time will tell.
            let _armed = self.timers.arm(now, TimerKey::Session(session.slot));
        }
        sent
    }

    /// Opens a session without protection over a path on which plain CoAP is spoken.
    ///
    /// # Errors
    /// [`ConnectError::Full`].
    pub fn connect_plain(&mut self, now: Instant, path: M::Path) -> Result<SessionId, ConnectError> {
        self.new_peer(now, path, Channel::Plain).ok_or(ConnectError::Full)
    }

    /// A ClientHello, from a stranger or from somebody who starts over (RFC 6347 section 4.2.1).
    pub(crate) fn receive_hello<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        record: &'d mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        if now >= self.rotate_cookies_at {
            self.cookies.rotate(&self.crypto, &mut self.rng);
            self.rotate_cookies_at = now + COOKIE_PERIOD;
        }
        let mut peer = [0; 32];
        let len = path.cookie_bytes(&mut peer);
        let mut reply = [0; HELLO_REPLY_LEN];
        let (layer, config) = (Of::<M::Dtls>::new(&self.crypto), self.config.server());
        let peer = peer.get(..len).unwrap_or(&peer);
        let verified = match hello(&layer, &self.cookies, &config, peer, record, &mut reply) {
            Hello::Reply(len) => {
                self.counters.cookies_sent += 1;
                let reply = reply.get(..len).unwrap_or_default();
                let _unreliable = host.transmit(&path, |buf| crate::transmit::copy(reply, buf).unwrap_or(0));
                return None;
            }
            Hello::Discard(reason) => {
                self.counters.discard(reason);
                return None;
            }
            Hello::Accept(verified) => verified,
        };
        let before = self.paths.get(&path).and_then(|slot| self.session_in(slot));
        if let Some(before) = before
            && let Some(Channel::Handshake { slot }) = self.peer(before).map(|peer| &peer.channel)
        {
            let slot = *slot;
            // The answer to this very hello was lost; or the client has started over.
            let answers = match self.handshakes.get(slot).map(|handshake| &handshake.role) {
                Some(Role::Server(handshake)) => handshake.get().answers(&verified),
                _ => false,
            };
            if answers {
                return self.receive_handshake(now, before, path, record, host);
            }
            let older = self.handshakes.get(slot).and_then(|handshake| handshake.predecessor);
            let _superseded = self.remove_session(before);
            self.counters.handshakes_failed += 1;
            self.accept(now, path, &verified, older, host);
        } else {
            self.accept(now, path, &verified, before, host);
        }
        None
    }

    fn accept<H: HostOf<M>>(
        &mut self,
        now: Instant,
        path: M::Path,
        verified: &VerifiedHello<'_>,
        predecessor: Option<SessionId>,
        host: &mut H,
    ) {
        let Some(session) = self.new_peer(now, path, Channel::Handshake { slot: u32::MAX }) else { return };
        let mut cid = [0; MAX_CID_LENGTH];
        let cid = self.cid_of(session, &mut cid);
        let config = self.config.server();
        let mut log = CapturedKeys::default();
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        // A server of DTLS 1.3 has all its secrets before the client says another word.
        if H::DANGEROUS_KEY_LOG {
            cx.dangerous_key_log = Some(&mut log);
        }
        let accepted =
            ServerHandshake::accept(&mut cx, &mut host.credentials(session), &config, verified, cid);
        log.tell::<M, H>(host);
        match accepted {
            Ok(handshake) => {
                // Whoever accepts has a profile with a server, and with a place for it.
                if let Some(place) = Slot::put(handshake)
                    && self.enter(now, session, predecessor, Role::Server(place))
                {
                    let _sent = self.pump(now, session, host);
                }
            }
            Err(refusal) => {
                self.counters.handshakes_failed += 1;
                let _unreliable = host.transmit(&path, |buf| refusal.write(buf).unwrap_or(0));
                let _nobody = self.abandon(session, predecessor);
            }
        }
    }

    /// A record for a handshake under way.
    pub(crate) fn receive_handshake<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        path: M::Path,
        record: &mut [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        let slot = self.handshake_slot(session)?;
        let handshake = self.handshakes.get_mut(slot)?;
        if self.sessions.get(session.slot)?.path != path {
            // Nothing of a handshake is bound to its Connection ID before it is complete.
            self.counters.discard(Discard::WrongConnectionId);
            return None;
        }
        let mut log = CapturedKeys::default();
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        if H::DANGEROUS_KEY_LOG {
            cx.dangerous_key_log = Some(&mut log);
        }
        let progress = match &mut handshake.role {
            Role::Client(handshake) => handshake.receive(&mut cx, &mut host.credentials(session), record),
            Role::Server(handshake) => {
                handshake.get_mut().receive(&mut cx, &mut host.credentials(session), record)
            }
        };
        log.tell::<M, H>(host);
        let answered_after = now.saturating_since(handshake.sent_at);
        let _sent = self.pump(now, session, host);
        match progress {
            Ok(Progress::Continue) => self.establish_early(now, session, answered_after, host),
            Ok(Progress::Complete) => self.establish(now, session, answered_after, host),
            Ok(Progress::Failed(failure)) => self.fail(session, failure),
            Err(reason) => {
                self.counters.discard(reason);
                None
            }
        }
    }

    pub(crate) fn expire_handshake<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        host: &mut H,
    ) -> Option<Event<'static>> {
        let handshake = self.handshakes.get_mut(self.handshake_slot(session)?)?;
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        let result = match &mut handshake.role {
            Role::Client(handshake) => handshake.expire(&mut cx, &mut host.credentials(session)),
            Role::Server(handshake) => handshake.get_mut().expire(now),
        };
        // After a failure there may be an alert to send.
        let sent_at = handshake.sent_at;
        let _sent = self.pump(now, session, host);
        match result {
            Ok(()) => self.establish_early(now, session, now.saturating_since(sent_at), host),
            Err(failure) => self.fail(session, failure),
        }
    }

    /// Sends whatever a handshake has to send, and arms its timer. Says whether there was anything.
    fn pump<H: HostOf<M>>(&mut self, now: Instant, session: SessionId, host: &mut H) -> bool {
        let Some(slot) = self.handshake_slot(session) else { return false };
        let Some(path) = self.path(session) else { return false };
        let Some(handshake) = self.handshakes.get_mut(slot) else { return false };
        let mut any = false;
        loop {
            let mut more = false;
            handshake.unsent = true;
            let sent = host.transmit(&path, |buf| {
                // What is left of a host's memory may be too short for anything.
                if buf.len() < usize::from(Transport::MIN_MTU) {
                    return 0;
                }
                let len = match &mut handshake.role {
                    Role::Client(handshake) => handshake.poll_transmit(&self.crypto, buf),
                    Role::Server(handshake) => handshake.get_mut().poll_transmit(&self.crypto, buf),
                };
                more = len.is_some();
                handshake.unsent = more;
                len.unwrap_or(0)
            });
            self.counters.transmit_refused += u64::from(!sent);
            if !more {
                break;
            }
            handshake.sent_at = now;
            any = true;
        }
        self.arm_session(session);
        any
    }

    /// The peer has proved who it is: the handshake makes way for the session, if that has not begun already.
    fn establish<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        answered_after: Duration,
        host: &mut H,
    ) -> Option<Event<'d>> {
        let slot = self.handshake_slot(session)?;
        let handshake = self.handshakes.get_mut(slot)?;
        let predecessor = handshake.predecessor;
        let established = match &mut handshake.role {
            Role::Client(handshake) => handshake.take_session(),
            Role::Server(handshake) => handshake.get_mut().take_session(),
        };
        self.handshakes.discard(slot);
        self.peer_mut(session)?.lingering = NO_HANDSHAKE;
        self.begin(now, session, established?, predecessor, answered_after, host)
    }

    /// The session of a client whose last flight is out, which goes on until the peer is known to have it.
    fn establish_early<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        answered_after: Duration,
        host: &mut H,
    ) -> Option<Event<'d>> {
        if !<M::Dtls as Profile>::DTLS_1_3 {
            return None;
        }
        let slot = self.handshake_slot(session)?;
        let handshake = self.handshakes.get_mut(slot).filter(|handshake| !handshake.unsent)?;
        let Role::Client(client) = &mut handshake.role else { return None };
        let established = client.take_session_early()?;
        let predecessor = handshake.predecessor.take();
        self.peer_mut(session)?.lingering = slot;
        self.begin(now, session, established, predecessor, answered_after, host)
    }

    /// From here on there is a session.
    fn begin<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        established: Established,
        predecessor: Option<SessionId>,
        answered_after: Duration,
        host: &mut H,
    ) -> Option<Event<'d>> {
        let Established { session: established, principal, authentication, resumed } = established;
        let peer = self.peer_mut(session)?;
        peer.channel = Channel::Dtls(established);
        peer.principal = principal;
        (peer.authentication, peer.resumed) = (authentication, resumed);
        peer.last_heard = crate::receive::seconds(now);
        peer.note_rtt(answered_after);
        self.counters.handshakes_completed += 1;
        self.counters.handshakes_resumed += u64::from(resumed);
        self.send_own(session, host);
        let replaced = predecessor.filter(|&old| self.is_replaced(old, principal));
        if let Some(old) = replaced {
            let _over = self.remove_session(old);
        }
        Some(Event::Connected { session, principal, agreed: self.agreed(session)?, replaced })
    }

    /// Whether an older session on the path of a new one is over. One with a Connection ID does not depend on
    /// its path, which a NAT may have given to another device since; so it ends only for the same peer.
    fn is_replaced(&self, old: SessionId, principal: u32) -> bool {
        self.peer(old).is_some_and(|old| match &old.channel {
            Channel::Dtls(session) => session.own_cid().is_empty() || old.principal == principal,
            Channel::Plain | Channel::Handshake { .. } => true,
        })
    }

    fn fail<'d>(&mut self, session: SessionId, failure: Failure) -> Option<Event<'d>> {
        self.counters.handshakes_failed += 1;
        let predecessor = self
            .handshake_slot(session)
            .and_then(|slot| self.handshakes.get(slot))
            .and_then(|handshake| handshake.predecessor);
        let principal = self.abandon(session, predecessor);
        let reason = match failure {
            Failure::TimedOut => CloseReason::HandshakeTimeout,
            Failure::Refused(description) | Failure::Aborted(description) => {
                CloseReason::HandshakeFailed(description)
            }
        };
        Some(Event::Closed { session, principal, reason })
    }

    /// Forgets a handshake; the path leads to whom it led before. Returns who its peer had proved to be, if anybody.
    fn abandon(&mut self, session: SessionId, predecessor: Option<SessionId>) -> u32 {
        let path = self.path(session);
        let principal = self.remove_session(session);
        if let (Some(path), Some(old)) = (path, predecessor)
            && self.peer(old).is_some_and(|old| old.path == path)
        {
            let _indexed = self.paths.insert(path, old.slot);
        }
        principal.unwrap_or(0)
    }

    /// Puts a handshake into the pool, where the oldest makes room if it has had its time. Says whether there
    /// was room.
    fn enter(
        &mut self,
        now: Instant,
        session: SessionId,
        predecessor: Option<SessionId>,
        role: Role<M::Dtls>,
    ) -> bool {
        if self.handshakes.is_full() {
            self.evict_handshake(now);
        }
        let handshake = Handshake { session, started: now, predecessor, sent_at: now, unsent: true, role };
        let entered = self.handshakes.insert(handshake);
        match (entered, self.peer_mut(session)) {
            (Some(slot), Some(peer)) => {
                peer.channel = Channel::Handshake { slot };
                true
            }
            _ => {
                self.counters.handshakes_refused += 1;
                let _nobody = self.abandon(session, predecessor);
                false
            }
        }
    }

    fn evict_handshake(&mut self, now: Instant) {
        let grace = self.config.handshake_grace;
        let oldest = (0..self.handshakes.slots())
            .filter_map(|slot| self.handshakes.get(slot))
            .filter(|handshake| now.saturating_since(handshake.started) > grace)
            .min_by_key(|handshake| handshake.started);
        let Some((session, predecessor)) = oldest.map(|oldest| (oldest.session, oldest.predecessor)) else {
            return;
        };
        match self.peer_mut(session) {
            // The peer has had our last flight, most likely, and the session goes on without an end to send it again.
            Some(Peer { channel: Channel::Dtls(_), lingering, .. }) => {
                let slot = core::mem::replace(lingering, NO_HANDSHAKE);
                self.handshakes.discard(slot);
            }
            _ => {
                self.counters.handshakes_failed += 1;
                let _nobody = self.abandon(session, predecessor);
            }
        }
    }

    /// Where the handshake of a session is, before it begins or beside it.
    pub(crate) fn handshake_slot(&self, session: SessionId) -> Option<u32> {
        let peer = self.peer(session)?;
        match peer.channel {
            Channel::Handshake { slot } => Some(slot),
            Channel::Dtls(_) => Some(peer.lingering).filter(|slot| *slot != NO_HANDSHAKE),
            Channel::Plain => None,
        }
    }

    pub(crate) fn session_in(&self, slot: u32) -> Option<SessionId> {
        self.sessions.get(slot).map(|peer| SessionId { slot, generation: peer.generation })
    }

    fn cid_of(&self, session: SessionId, buf: &mut [u8; MAX_CID_LENGTH]) -> ConnectionId {
        let len = self.config.cid.encode(session, buf);
        buf.get(..len).and_then(ConnectionId::new).unwrap_or_default()
    }
}
