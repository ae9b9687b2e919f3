//! A server's handshake, of whichever version.

use core::fmt;

use sedge_crypto::CryptoRng;
use sedge_time::Instant;

use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12;
use crate::dtls13;
use crate::handshake::flight;
use crate::handshake::{Context, Established, Failure, Progress};
use crate::profile::{Presence, Profile, Slot};
use crate::record::ContentType;

/// A server's handshake with one client, from its verified ClientHello on.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a
/// [`Session`](crate::Session) and can be dropped.
///
/// Until the client's Finished nothing that arrives is authenticated. What forged messages can do is delay.
///
/// Getters: [`own_cid`](Self::own_cid), [`answers`](Self::answers), [`deadline`](Self::deadline). Inputs:
/// [`receive`](Self::receive), [`expire`](Self::expire). Outputs: [`poll_transmit`](Self::poll_transmit),
/// [`take_session`](Self::take_session).
pub struct ServerHandshake<P: Profile> {
    machine: Machine<P>,
}

/// Takes no memory in a profile without DTLS 1.3.
type Dtls13<P> = <<P as Profile>::Dtls13 as Presence>::Slot<dtls13::server::Server<P>>;

/// As in a client: nothing of [`dtls12`] may be called but behind `P::DTLS_1_2`.
#[expect(clippy::large_enum_variant, reason = "one of the two is all that there is")]
enum Machine<P: Profile> {
    Dtls12(dtls12::server::Server<P>),
    Dtls13(Dtls13<P>),
}

impl<P: Profile> ServerHandshake<P> {
    /// Answers a verified ClientHello.
    ///
    /// `own_cid` is what the client is to put in its records if it knows Connection IDs; empty for none.
    pub fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, Refusal> {
        let refuse = |description| Refusal { description, sequence: verified.sequence };
        let machine = match verified.dtls_1_3 {
            Some(_) if P::DTLS_1_3 => {
                dtls13::server::Server::accept(cx, credentials, config, verified, own_cid).and_then(
                    |server| Slot::put(server).map(Machine::Dtls13).ok_or(AlertDescription::INTERNAL_ERROR),
                )
            }
            None if P::DTLS_1_2 => dtls12::server::Server::accept(cx, credentials, config, verified, own_cid)
                .map(Machine::Dtls12),
            _ => Err(AlertDescription::PROTOCOL_VERSION),
        };
        Ok(Self { machine: machine.map_err(refuse)? })
    }

    /// The Connection ID agreed on for records from the client; empty if it knows none.
    pub fn own_cid(&self) -> &ConnectionId {
        match &self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.own_cid(),
            Machine::Dtls12(_) => &ConnectionId::EMPTY,
            Machine::Dtls13(server) => server.get().own_cid(),
        }
    }

    /// Whether this handshake answers the very hello that has come (again): then give its record to
    /// [`receive`](Self::receive). Otherwise the client has started over.
    pub fn answers(&self, verified: &VerifiedHello<'_>) -> bool {
        match &self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.answers(verified),
            Machine::Dtls12(_) => false,
            Machine::Dtls13(server) => server.get().answers(verified),
        }
    }

    /// When to call [`expire`](Self::expire).
    pub fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.deadline(),
            Machine::Dtls12(_) => None,
            Machine::Dtls13(server) => server.get().deadline(),
        }
    }

    /// Sends the flight again, or gives up.
    pub fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        match &mut self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.expire(now),
            Machine::Dtls12(_) => Ok(()),
            Machine::Dtls13(server) => server.get_mut().expire(now),
        }
    }

    /// Takes one record in (see [`Records`](crate::Records)).
    pub fn receive<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        match &mut self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.receive(cx, credentials, record),
            Machine::Dtls12(_) => Err(Discard::Closed),
            Machine::Dtls13(server) => server.get_mut().receive(cx, credentials, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`accept`](Self::accept), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        match &mut self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.poll_transmit(crypto, buf),
            Machine::Dtls12(_) => None,
            Machine::Dtls13(server) => server.get_mut().poll_transmit(crypto, buf),
        }
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub fn take_session(&mut self) -> Option<Established> {
        match &mut self.machine {
            Machine::Dtls12(server) if P::DTLS_1_2 => server.take_session(),
            Machine::Dtls12(_) => None,
            Machine::Dtls13(server) => server.get_mut().take_session(),
        }
    }
}

impl<P: Profile> fmt::Debug for ServerHandshake<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.machine {
            Machine::Dtls12(server) => server.fmt(f),
            Machine::Dtls13(server) => server.get().fmt(f),
        }
    }
}

/// A ClientHello that was well formed and unacceptable. Nothing is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    description: AlertDescription,
    sequence: u64,
}

impl Refusal {
    /// Why.
    pub const fn description(&self) -> AlertDescription {
        self.description
    }

    /// Writes the fatal alert that tells the client, and returns the datagram's length; `None` if `buf` is
    /// shorter than 15 bytes.
    pub fn write(&self, buf: &mut [u8]) -> Option<usize> {
        let alert = Alert::fatal(self.description).to_bytes();
        flight::write_plaintext(&mut self.sequence.clone(), ContentType::ALERT, &alert, buf)
    }
}
