//! The cookie, and the server's choice.

use sedge_crypto::CryptoRng;
use sedge_time::Instant;

use super::chosen::Chosen;
use super::{Due, Machine, Peer, ServerFlight, State, Suspicion, cookie_digest};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::taken::{Place, Taken};
use crate::handshake::hello::{self, ServerHello};
use crate::handshake::message::{Fragment, Message, MessageType};
use crate::handshake::{Authentication, Context, Failure, Progress};
use crate::profile::Profile;
use crate::suite::KeyExchange;

impl<P: Profile> Machine<P> {
    /// Whether a message that comes ahead of its turn is worth keeping until then: one of the server's flight.
    pub(super) fn may_wait(&self, fragment: &Fragment<'_>) -> bool {
        let of_flight = matches!(
            fragment.message_type,
            MessageType::CERTIFICATE
                | MessageType::SERVER_KEY_EXCHANGE
                | MessageType::CERTIFICATE_REQUEST
                | MessageType::SERVER_HELLO_DONE
        );
        of_flight && matches!(self.state, State::AwaitServerHello | State::AwaitServerFlight(_))
    }

    /// Whether the turn of a fragment has come.
    pub(super) fn expects(&self, fragment: &Fragment<'_>) -> Result<(), Discard> {
        let hello =
            matches!(fragment.message_type, MessageType::HELLO_VERIFY_REQUEST | MessageType::SERVER_HELLO);
        match &self.state {
            _ if hello => Ok(()),
            State::AwaitServerHello => Err(Discard::UnexpectedHandshake),
            State::AwaitServerFlight(_) if fragment.message_seq > self.taken.next_seq() => {
                Err(Discard::HandshakeEarly)
            }
            // The ticket comes before Finished.
            State::AwaitFinished(_) if fragment.message_seq > self.taken.next_seq() => {
                Err(Discard::HandshakeEarly)
            }
            State::AwaitServerFlight(_) | State::AwaitFinished(_) => Ok(()),
            State::Complete(_) | State::Taken => Err(Discard::Closed),
        }
    }

    /// Whether a fragment is of a message whose turn is over.
    pub(super) fn was_had(&self, fragment: &Fragment<'_>) -> bool {
        match &self.state {
            State::AwaitServerFlight(_) | State::AwaitFinished(_) => {
                fragment.message_seq < self.taken.next_seq()
            }
            State::AwaitServerHello | State::Complete(_) | State::Taken => false,
        }
    }

    /// RFC 6347 section 4.2.1: the same hello again, with the cookie.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn hello_verify_request<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let cookie = hello::parse_hello_verify_request(message.body).ok_or(Discard::MalformedHandshake)?;
        let digest = cookie_digest(cx.crypto, cookie);
        match (&self.state, self.cookie) {
            (State::AwaitServerHello, None) => {}
            (_, Some(sent)) if sent == digest => return Err(Discard::HandshakeRepeated),
            _ => return Err(self.contradicted()),
        }
        self.offer.message_seq = 1;
        self.transcript = self
            .offer
            .hello::<P>(&mut self.link, cx.crypto, credentials, cookie)
            .ok_or(Discard::HandshakeTooLong)?;
        self.cookie = Some(digest);
        self.start_timer(cx.now);
        Ok(Progress::Continue)
    }

    /// RFC 5246 section 7.4.1.3. As the server's first word it may have any message_seq.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn server_hello<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let hello = ServerHello::parse(message.body).ok_or(Discard::MalformedHandshake)?;
        let believed = match &self.state {
            State::AwaitServerHello => false,
            State::AwaitServerFlight(_) | State::AwaitFinished(_) => true,
            State::Complete(_) | State::Taken => return Err(Discard::Closed),
        };
        if believed && self.taken.place(cx.crypto, message) == Place::Repeated {
            return Err(Discard::HandshakeRepeated);
        }
        let chosen = match Chosen::new::<P>(&self.offer, credentials, &hello) {
            Ok(chosen) => chosen,
            Err(description) => {
                self.suspect(Failure::Aborted(description));
                return Err(Discard::UnofferedChoice);
            }
        };
        let mut transcript = self.transcript.clone();
        transcript.add(message);
        let next = match chosen.agreed.resumed {
            true if P::RESUMPTION => self.resume(cx, credentials, chosen, transcript)?,
            _ => State::AwaitServerFlight(ServerFlight {
                due: match chosen.key_exchange.in_profile::<P>() {
                    KeyExchange::EcdheEcdsa => Due::Certificate,
                    KeyExchange::Psk | KeyExchange::EcdhePsk => Due::KeyExchange(None),
                },
                peer: Peer {
                    principal: 0,
                    authentication: match chosen.key_exchange.in_profile::<P>() {
                        KeyExchange::EcdheEcdsa => chosen.server_kind.into(),
                        KeyExchange::Psk | KeyExchange::EcdhePsk => Authentication::PreSharedKey,
                    },
                },
                chosen,
                transcript,
            }),
        };
        if believed {
            let _ = self.contradicted();
        }
        if let State::AwaitFinished(state) = &self.state {
            self.sealed = state.session.next_sequence();
        }
        self.state = next;
        self.taken = Taken::starting_at(message.message_seq);
        self.taken.push(cx.crypto, message);
        self.suspicion = None;
        Ok(Progress::Continue)
    }

    /// Makes the next flight a first ClientHello again, under a new random so that no key comes twice.
    pub(super) fn start_over<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Option<()> {
        self.offer.renew::<P, R>(cx, credentials);
        self.transcript = self.offer.hello::<P>(&mut self.link, cx.crypto, credentials, &[])?;
        self.cookie = None;
        self.sealed = 0;
        self.state = State::AwaitServerHello;
        self.contradicted = false;
        self.started_over = true;
        Some(())
    }

    /// A new flight goes out. Patience is renewed only until the handshake has started over once, or a server that
    /// contradicts itself would be asked for ever.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn start_timer(&mut self, now: Instant) {
        match self.started_over {
            false => self.link.timer.start(now),
            true => self.link.timer.resume(now),
        }
    }

    /// Notes a refusal, without forgetting how long there has been one.
    pub(super) fn suspect(&mut self, failure: Failure) {
        let confirmed = self.suspicion.is_some_and(|suspicion| suspicion.confirmed);
        self.suspicion = Some(Suspicion { failure, confirmed });
    }

    /// Notes that what was believed may have been somebody else's.
    pub(super) fn contradicted(&mut self) -> Discard {
        self.contradicted = true;
        Discard::HandshakeRepeated
    }
}
