//! A client's handshake, of whichever version.

use core::fmt;

use sedge_crypto::CryptoRng;
use sedge_time::Instant;

use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12;
use crate::dtls13;
use crate::handshake::{Context, Established, Failure, Progress};
use crate::profile::{Presence, Profile, Slot};

/// A client's handshake with one server.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a
/// [`Session`](crate::Session) and can be dropped.
///
/// Until the server's Finished nothing that arrives is authenticated, so nothing that arrives is final:
/// - What makes no sense is dropped.
/// - A cookie or a ServerHello may be anybody's. If another one comes that differs, and the handshake is not
///   complete at the timer's next turn, it starts over.
/// - A refusal (a fatal alert, or a ServerHello that chooses what was not offered) ends the handshake only after
///   two turns of the timer without a better answer.
///
/// Getters: [`own_cid`](Self::own_cid), [`deadline`](Self::deadline). Inputs: [`receive`](Self::receive),
/// [`expire`](Self::expire). Outputs: [`poll_transmit`](Self::poll_transmit),
/// [`take_session`](Self::take_session).
pub struct ClientHandshake<P: Profile> {
    machine: Machine<P>,
}

/// Takes no memory in a profile without DTLS 1.3.
type Dtls13<P> = <<P as Profile>::Dtls13 as Presence>::Slot<dtls13::client::Client<P>>;
/// What a client of DTLS 1.2 has from one of both versions that handed over.
type Handover<P> = <<P as Profile>::Dtls13 as Presence>::Slot<Handed>;

struct Handed {
    /// What it takes to begin anew.
    origin: dtls13::client::Origin,
    /// Whether an answer of DTLS 1.3 came all the same, so that one of the two was forged.
    contradicted: bool,
}

/// A version that the profile lacks is never the one, and no code is to be left of it: nothing of [`dtls12`] may be called but
/// behind `P::DTLS_1_2`.
#[expect(clippy::large_enum_variant, reason = "one of the two is all that there is")]
enum Machine<P: Profile> {
    Dtls12(dtls12::client::Client<P>, Option<Handover<P>>),
    Dtls13(Dtls13<P>),
}

impl<P: Profile> ClientHandshake<P> {
    /// Starts a handshake: the first ClientHello is ready to be sent.
    ///
    /// A handshake is some kilobytes long. Where the stack is short, [`new`](Self::new) makes it where it stays, and
    /// [`start`](Self::start) starts it there.
    pub fn connect<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<Self, ConfigError> {
        let mut handshake = Self::new(cx.crypto, config);
        handshake.start(cx, credentials, config)?;
        Ok(handshake)
    }

    /// A handshake that has not begun: nothing is to be sent, and nothing is taken in.
    #[inline(always)]
    pub fn new(crypto: &P::Crypto, config: &ClientConfig<'_>) -> Self {
        let newer = match P::DTLS_1_3 && (config.versions.dtls_1_3 || !P::DTLS_1_2) {
            true => Slot::put(dtls13::client::Client::new(crypto, &config.transport)),
            false => None,
        };
        let older = || Machine::Dtls12(dtls12::client::Client::new(crypto, &config.transport), None);
        Self { machine: newer.map_or_else(older, Machine::Dtls13) }
    }

    /// Starts what [`new`](Self::new) has made of this configuration: the first ClientHello is ready to be sent. After an
    /// error there is nothing to do but to drop it.
    pub fn start<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<(), ConfigError> {
        if let Machine::Dtls13(client) = &mut self.machine {
            let outcome = match P::DTLS_1_3 && config.versions.dtls_1_3 {
                true => client.get_mut().start(cx, credentials, config),
                false => Err(ConfigError::UnusableSuites),
            };
            let older = P::DTLS_1_2 && config.versions.dtls_1_2;
            if !(older && matches!(outcome, Err(ConfigError::UnusableSuites))) {
                return outcome;
            }
            self.machine = Machine::Dtls12(dtls12::client::Client::new(cx.crypto, &config.transport), None);
        }
        match &mut self.machine {
            Machine::Dtls12(client, _) if P::DTLS_1_2 => client.start(cx, credentials, config),
            Machine::Dtls12(..) | Machine::Dtls13(_) => Err(ConfigError::UnusableSuites),
        }
    }

    /// The Connection ID that the client offered to find in records to it; empty if none.
    pub fn own_cid(&self) -> ConnectionId {
        match &self.machine {
            Machine::Dtls12(client, _) if P::DTLS_1_2 => client.own_cid(),
            Machine::Dtls12(..) => ConnectionId::EMPTY,
            Machine::Dtls13(client) => client.get().own_cid(),
        }
    }

    /// When to call [`expire`](Self::expire).
    pub fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Dtls12(client, _) if P::DTLS_1_2 => client.deadline(),
            Machine::Dtls12(..) => None,
            Machine::Dtls13(client) => client.get().deadline(),
        }
    }

    /// Sends the flight again, or gives up. After an error [`poll_transmit`](Self::poll_transmit) may have an
    /// alert to send.
    pub fn expire<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Result<(), Failure> {
        let before = self.deadline();
        match &mut self.machine {
            Machine::Dtls12(client, handed) if P::DTLS_1_2 => {
                client.expire(cx, credentials)?;
                let Some(handed) = handed.as_mut().filter(|_| P::DTLS_1_3).map(Slot::get_mut) else {
                    return Ok(());
                };
                let timer_turned = client.deadline() != before;
                if client.starts_over() || (timer_turned && core::mem::take(&mut handed.contradicted)) {
                    let again = dtls13::client::Client::restart(cx, credentials, &handed.origin);
                    match again.and_then(Slot::put) {
                        Some(client) => self.machine = Machine::Dtls13(client),
                        None if client.starts_over() => return Err(Failure::TimedOut),
                        None => {}
                    }
                }
                Ok(())
            }
            Machine::Dtls12(..) => Ok(()),
            Machine::Dtls13(client) => client.get_mut().expire(cx, credentials),
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
            Machine::Dtls12(client, handed) if P::DTLS_1_2 => {
                if P::DTLS_1_3
                    && let Some(handed) = handed
                    && dtls13::is_server_hello(record)
                {
                    handed.get_mut().contradicted = true;
                    return Err(Discard::HandshakeRepeated);
                }
                client.receive(cx, credentials, record)
            }
            Machine::Dtls13(client) if P::DTLS_1_3 => {
                let client = client.get_mut();
                let progress = client.receive(cx, credentials, record)?;
                if !P::DTLS_1_2 || !client.is_handed_over() {
                    return Ok(progress);
                }
                let (mut client, origin) = client.hand_over(cx).ok_or(Discard::MalformedHandshake)?;
                let outcome = client.receive(cx, credentials, record);
                self.machine = Machine::Dtls12(client, Slot::put(Handed { origin, contradicted: false }));
                outcome
            }
            Machine::Dtls12(..) | Machine::Dtls13(_) => Err(Discard::Closed),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`connect`](Self::connect), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        match &mut self.machine {
            Machine::Dtls12(client, _) if P::DTLS_1_2 => client.poll_transmit(crypto, buf),
            Machine::Dtls12(..) => None,
            Machine::Dtls13(client) => client.get_mut().poll_transmit(crypto, buf),
        }
    }

    /// The session a round trip earlier than [`take_session`](Self::take_session), if the version allows it: in DTLS 1.3
    /// the client's last flight is the end of the handshake, and data may follow it at once
    /// ([RFC 9147 section 5.7](https://www.rfc-editor.org/rfc/rfc9147#section-5.7), flight 5). The server has proved who it
    /// is. That it takes the client's word will show, and what is sent with the flight may overtake it and be lost.
    ///
    /// Send what is left to send before anything of the session's. Then keep the handshake, for the flight may have to be
    /// sent again: call [`expire`](Self::expire) when it wants, give it what [`Session::open`](crate::Session::open)
    /// refuses as [`Discard::UnknownEpoch`], and drop it when it is [`Complete`](Progress::Complete) or when the session
    /// has opened a record with anything but data in it: the server sends none before it has the flight. If it fails,
    /// so has the session.
    pub fn take_session_early(&mut self) -> Option<Established> {
        match &mut self.machine {
            Machine::Dtls12(..) => None,
            Machine::Dtls13(client) => client.get_mut().take_session_early(),
        }
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub fn take_session(&mut self) -> Option<Established> {
        match &mut self.machine {
            Machine::Dtls12(client, _) if P::DTLS_1_2 => client.take_session(),
            Machine::Dtls12(..) => None,
            Machine::Dtls13(client) => client.get_mut().take_session(),
        }
    }
}

impl<P: Profile> fmt::Debug for ClientHandshake<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.machine {
            Machine::Dtls12(client, _) => client.fmt(f),
            Machine::Dtls13(client) => client.get().fmt(f),
        }
    }
}
