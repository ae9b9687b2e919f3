//! What follows the client's Finished: the session, its ACK, and a ticket (RFC 9147 section 7, RFC 8446 section 4.6.1).

use sedge_crypto::{Crypto, CryptoRng};

use super::{Machine, Secured, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::dtls13::Identity;
use crate::dtls13::link::Link;
use crate::handshake::{Context, Established, Progress};
use crate::profile::{Buffer, Profile};
use crate::session::{Cids, Direction, Extra, Parameters13, Role, Session13};

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
    /// The ACK of the client's last flight, of epoch 3.
    pub(super) fn poll_transmit<C: Crypto, B: Buffer>(
        &mut self,
        crypto: &C,
        link: &mut Link<B>,
        buf: &mut [u8],
    ) -> Option<usize> {
        if self.acknowledged {
            return None;
        }
        self.acknowledged = true;
        self.session.write_ack_of(crypto, buf, link.received.numbers(), false)
    }
}

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
        self.link.flight.clear();
        match session(cx, credentials, secured) {
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
    _credentials: &mut impl Credentials<P::Crypto>,
    secured: Secured<P>,
) -> Result<Complete, AlertDescription> {
    let Secured { opener, sealer, client_secret, traffic, client, .. } = secured;
    let session = Session13::new(Parameters13 {
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
    Ok(Complete { session, client, acknowledged: false })
}
