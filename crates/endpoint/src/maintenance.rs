//! What a session says on its own account: acknowledgements, new keys, other Connection IDs (RFC 9147 sections 7 to 9).

use rand_core::Rng as _;
use sedge_dtls::{ConnectionId, Credentials as _, Of, Ticket};
use sedge_time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::host::HostOf;
use crate::memory::{Memory, Pool, TimerKey, Timers};
use crate::session::{Channel, MAX_CID_LENGTH, SessionId};

/// How often a message of the session's own is sent again. The wait doubles each time, from one second on.
const RESENDS: u8 = 6;

impl<M: Memory> Endpoint<M> {
    /// Sends what a session has to say on its own account, if anything.
    pub(crate) fn send_own<H: HostOf<M>>(&mut self, id: SessionId, host: &mut H) {
        // Seen by the compiler: only DTLS 1.3 has such messages.
        if !<M::Dtls as sedge_dtls::Profile>::DTLS_1_3 {
            return;
        }
        let Some(peer) = self.sessions.get_mut(id.slot).filter(|peer| peer.generation == id.generation)
        else {
            return;
        };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        while session.pending() {
            let (path, allowance) = match self.validations.get_mut(peer.validation) {
                Some(validation) => validation.route(peer.path),
                None => (peer.path, None),
            };
            let mut len = 0;
            let sent = host.transmit(&path, |buf| {
                let room = allowance.as_ref().map_or(buf.len(), |bytes| buf.len().min(**bytes as usize));
                len = session.poll_transmit(&layer, buf.get_mut(..room).unwrap_or_default()).unwrap_or(0);
                len
            });
            self.counters.transmit_refused += u64::from(!sent);
            if let Some(allowance) = allowance {
                *allowance = allowance.saturating_sub(len as u32);
            }
            if !sent || len == 0 {
                break;
            }
            self.counters.records_sent += 1;
        }
        if session.is_outstanding() && peer.resend_at == Instant::DISTANT_FUTURE {
            // The clock is not at hand here: a timer that is due at once sets the right one.
            (peer.resend_at, peer.resends) = (Instant::EPOCH, 0);
            let _armed = self.timers.arm(Instant::EPOCH, TimerKey::Session(id.slot));
        }
    }

    /// Sends again what was not acknowledged.
    pub(crate) fn expire_outstanding<H: HostOf<M>>(&mut self, now: Instant, id: SessionId, host: &mut H) {
        let Some(peer) = self.sessions.get_mut(id.slot) else { return };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        if peer.resend_at > now {
            return;
        }
        if !session.is_outstanding() || peer.resends > RESENDS {
            peer.resend_at = Instant::DISTANT_FUTURE;
            return;
        }
        let is_first_look = peer.resend_at == Instant::EPOCH;
        if !is_first_look {
            peer.resends += 1;
            session.retransmit();
            self.counters.retransmissions += 1;
        }
        peer.resend_at = now + Duration::from_secs(1 << peer.resends);
        if !is_first_look {
            self.send_own(id, host);
        }
    }

    /// Keeps a ticket of DTLS 1.3, which came after the handshake.
    pub(crate) fn receive_ticket<H: HostOf<M>>(
        &mut self,
        now: Instant,
        id: SessionId,
        ticket: &Ticket<'_>,
        host: &mut H,
    ) {
        let Some(peer) = self.peer(id) else { return };
        if let Some(resumption) = ticket.resumption(now, peer.principal, peer.authentication) {
            self.counters.tickets_received += 1;
            host.credentials(id).remember(&resumption);
        }
    }

    /// Replaces the keys that protect what is sent ([RFC 9147 section 8](https://www.rfc-editor.org/rfc/rfc9147#section-8)),
    /// and those of the peer too. A session does so by itself before a key has been used too much. Without effect in
    /// DTLS 1.2. Says whether there is such a session.
    pub fn update_keys<H: HostOf<M>>(&mut self, session: SessionId, host: &mut H) -> bool {
        let Some(Channel::Dtls(established)) = self.peer_mut(session).map(|peer| &mut peer.channel) else {
            return false;
        };
        established.update_keys(true);
        self.send_own(session, host);
        true
    }

    /// Asks the peer for another Connection ID to put into what is sent to it, so that an observer of two networks does
    /// not see the same one in both ([RFC 9853 section 9](https://www.rfc-editor.org/rfc/rfc9853#section-9)). `false`
    /// in DTLS 1.2, which cannot do it, and while something else of the session's own is not acknowledged.
    pub fn request_connection_id<H: HostOf<M>>(&mut self, session: SessionId, host: &mut H) -> bool {
        let Some(Channel::Dtls(established)) = self.peer_mut(session).map(|peer| &mut peer.channel) else {
            return false;
        };
        let asked = established.request_connection_ids(1);
        self.send_own(session, host);
        asked
    }

    /// Gives the peer another Connection ID, which it asked for
    /// ([RFC 9147 section 9](https://www.rfc-editor.org/rfc/rfc9147#section-9)).
    ///
    /// It names the same slot, so that the session is found without a table; an observer can tell so.
    pub(crate) fn renumber<H: HostOf<M>>(&mut self, id: SessionId, host: &mut H) {
        let drawn = self.rng.next_u32();
        let layout = self.config.cid;
        let named = |generation| {
            let mut cid = [0; MAX_CID_LENGTH];
            let len = layout.encode(SessionId { generation, ..id }, &mut cid);
            cid.get(..len).and_then(ConnectionId::new)
        };
        let Some(peer) = self.peer_mut(id) else { return };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        // A short identifier has only a few bits that can differ: the next ones do where the ones drawn do not.
        let differs = |cid: &ConnectionId| *cid != session.own_cid();
        let Some(cid) = named(drawn).filter(differs).or_else(|| named(drawn.wrapping_add(1))) else { return };
        if session.new_connection_id(&cid) {
            peer.renumbered = true;
            self.counters.connection_ids_given += 1;
            self.send_own(id, host);
        }
    }
}
