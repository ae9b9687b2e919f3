//! What follows the client's Finished: the session, its ACK, and a ticket (RFC 9147 section 7, RFC 8446 section 4.6.1).

use sedge_crypto::{Crypto, CryptoRng};

use super::{Machine, Secured, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::dtls13::Identity;
use crate::dtls13::flight::Flight;
use crate::dtls13::link::Link;
use crate::dtls13::message::NewSessionTicket;
use crate::dtls13::ticket::Ticketed;
use crate::handshake::message::MessageType;
use crate::handshake::{Context, Established, Progress};
use crate::profile::{Buffer, Profile};
use crate::session::{Cids, Direction, Extra, Outstanding, Parameters13, Role, Session13};

/// A handshake that is done, but for saying so.
pub(super) struct Complete {
    session: Session13,
    client: Identity,
    acknowledged: bool,
}

impl From<Complete> for Established {
    fn from(complete: Complete) -> Self {
        complete.client.of(complete.session)
    }
}

impl Complete {
    /// The ACK of the client's last flight, of epoch 3, and behind it a ticket, if it fits there.
    pub(super) fn poll_transmit<C: Crypto, B: Buffer>(
        &mut self,
        crypto: &C,
        link: &mut Link<B>,
        buf: &mut [u8],
    ) -> Option<usize> {
        let buf = link.datagram(buf);
        let ticket = link.flight.bytes();
        let mut used = 0;
        if !self.acknowledged {
            let room = buf.len().saturating_sub(self.session.overhead() + LENGTH);
            let room = room.min(self.session.max_plaintext());
            let (numbers, last) = link.received.next_numbers(room);
            let more = last && !ticket.is_empty();
            used = self.session.write_ack_of(crypto, buf, numbers, more)?;
            self.acknowledged = last;
            if !more {
                return Some(used);
            }
        }
        if !ticket.is_empty() && self.session.has_to_send() {
            let room = buf.get_mut(used..).unwrap_or_default();
            if let Some(len) = self.session.write_handshake(crypto, room, ticket) {
                return Some(used + len);
            }
        }
        if used > 0 { Some(used) } else { self.session.poll_transmit(crypto, buf) }
    }
}

/// Of the length field of a record that does not end its datagram.
const LENGTH: usize = 2;

impl<P: Profile> Machine<P> {
    /// The client's Finished was right: the session is good.
    pub(super) fn complete<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Progress {
        let secured = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitFinished(secured) => secured,
            other => {
                self.state = other;
                return Progress::Continue;
            }
        };
        self.link.timer.stop();
        self.link.received.complete();
        self.link.flight.clear();
        let session = session(cx, credentials, secured, &mut self.link.flight);
        match session {
            Ok(complete) => {
                self.state = State::Complete(complete);
                Progress::Complete
            }
            Err(description) => self.link.abort(description),
        }
    }
}

fn session<P: Profile, R: CryptoRng + ?Sized>(
    cx: &mut Context<'_, P::Crypto, R>,
    credentials: &mut impl Credentials<P::Crypto>,
    secured: Secured<P>,
    flight: &mut Flight<P::Flight>,
) -> Result<Complete, AlertDescription> {
    let ticket = if P::RESUMPTION { write_ticket(cx, credentials, &secured, flight) } else { None };
    let Secured { opener, sealer, client_secret, traffic, client, .. } = secured;
    let mut session = Session13::new(Parameters13 {
        role: Role::Server,
        aead: sealer.aead,
        read: Direction::new(cx.crypto, traffic.client),
        write: Direction::new(cx.crypto, traffic.server),
        extra: Extra::Handshake(client_secret),
        cids: Cids::new(opener.cid(), sealer.cid.as_bytes()).ok_or(AlertDescription::INTERNAL_ERROR)?,
        read_limit: secured.read_limit,
        write_limit: secured.write_limit,
        next_message: secured.next_message,
        next_received: secured.next_seq,
        return_routability: secured.return_routability,
    });
    if ticket.is_some() {
        session.begin(Outstanding::Ticket);
    }
    Ok(Complete { session, client, acknowledged: false })
}

/// Makes the flight a NewSessionTicket. It is sent once: a client that misses it has none.
fn write_ticket<P: Profile, R: CryptoRng + ?Sized>(
    cx: &mut Context<'_, P::Crypto, R>,
    credentials: &impl Credentials<P::Crypto>,
    secured: &Secured<P>,
    flight: &mut Flight<P::Flight>,
) -> Option<()> {
    /// There is one ticket only, so its nonce need not tell it from others.
    const NONCE: &[u8] = &[0];
    let (keys, lifetime) = credentials.tickets().filter(|_| secured.takes_tickets)?;
    let Identity { principal, authentication, .. } = secured.client;
    let resumption = secured.master.resumption(cx.crypto, &secured.transcript.hash());
    let ticketed = Ticketed {
        suite: secured.suite,
        authentication,
        psk: resumption.psk(cx.crypto, NONCE),
        principal,
        authenticated: secured.authenticated.unwrap_or(cx.now),
    };
    let lifetime = ticketed.lifetime(cx.now, lifetime)?;
    let sealed = ticketed.seal(keys, cx.crypto, cx.rng, cx.now, lifetime)?;
    let age_add = cx.rng.next_u32();
    flight.push(MessageType::NEW_SESSION_TICKET, secured.next_message, |out| {
        NewSessionTicket { lifetime, age_add, nonce: NONCE, ticket: &sealed }.write(out);
    })?;
    Some(())
}
