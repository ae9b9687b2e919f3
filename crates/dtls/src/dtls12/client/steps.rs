//! What each message of the server does, in the order of the protocol.

use sedge_crypto::{Crypto, CryptoRng, Hash, constant_time_eq};
use sedge_time::Instant;

use super::{AwaitFinished, Machine, State, Suspicion};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::schedule::{Binding, MasterSecret, Randoms};
use crate::handshake::hello::{self, ServerHello};
use crate::handshake::link::in_turn;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;
use crate::session::{Parameters, Role, Session12};
use crate::wire::{Reader, Writer};

impl<P: Profile> Machine<P> {
    /// RFC 6347 section 4.2.1: the same hello again, with the cookie.
    pub(super) fn hello_verify_request<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let cookie = hello::parse_hello_verify_request(message.body).ok_or(Discard::MalformedHandshake)?;
        let mut hash = cx.crypto.sha256();
        hash.update(cookie);
        let digest = *hash.finish().first_chunk().unwrap_or(&[0; 8]);
        match (&self.state, self.cookie) {
            (State::AwaitServerHello, None) => {}
            (_, Some(sent)) if sent == digest => return Err(Discard::HandshakeRepeated),
            _ => return Err(self.contradicted()),
        }
        self.offer.message_seq = 1;
        self.transcript =
            self.offer.hello(&mut self.link, cx.crypto, cookie).ok_or(Discard::HandshakeTooLong)?;
        self.cookie = Some(digest);
        self.start_timer(cx.now);
        Ok(Progress::Continue)
    }

    /// RFC 5246 section 7.4.1.3. As the server's first word it may have any message_seq.
    pub(super) fn server_hello(&mut self, message: &Message<'_>) -> Result<Progress, Discard> {
        let hello = ServerHello::parse(message.body).ok_or(Discard::MalformedHandshake)?;
        let mut transcript = self.transcript.clone();
        transcript.add(message);
        let hellos = transcript.hash();
        let believed = match &self.state {
            State::AwaitServerHello => None,
            State::AwaitServerHelloDone(chosen) => Some(chosen.hellos),
            State::AwaitFinished(state) => Some(state.hellos),
            State::Complete(_) | State::Taken => return Err(Discard::Closed),
        };
        if believed == Some(hellos) {
            return Err(Discard::HandshakeRepeated);
        }
        let next_seq = successor(message.message_seq)?;
        match self.offer.check(&hello, next_seq, transcript, hellos) {
            Ok(chosen) => {
                if believed.is_some() {
                    let _ = self.contradicted();
                }
                if let State::AwaitFinished(state) = &self.state {
                    self.sealed = state.session.next_sequence();
                }
                self.state = State::AwaitServerHelloDone(chosen);
                self.suspicion = None;
                Ok(Progress::Continue)
            }
            Err(description) => {
                self.suspect(Failure::Aborted(description));
                Err(Discard::UnofferedChoice)
            }
        }
    }

    /// RFC 4279 section 2: an identity hint, of which this client makes no use.
    pub(super) fn server_key_exchange(&mut self, message: &Message<'_>) -> Result<Progress, Discard> {
        let mut body = Reader::new(message.body);
        let _hint = body.vec16().filter(|_| body.is_empty()).ok_or(Discard::MalformedHandshake)?;
        match &mut self.state {
            State::AwaitServerHelloDone(chosen) => {
                in_turn(message.message_seq, chosen.next_seq)?;
                if chosen.hint_seen {
                    return Err(Discard::UnexpectedHandshake);
                }
                chosen.next_seq = successor(message.message_seq)?;
                chosen.hint_seen = true;
                chosen.transcript.add(message);
                Ok(Progress::Continue)
            }
            // It has the number of what was taken for the end of the server's flight.
            State::AwaitFinished(state) if message.message_seq.checked_add(1) == Some(state.next_seq) => {
                Err(self.contradicted())
            }
            State::AwaitFinished(_) => Err(Discard::HandshakeRepeated),
            _ => Err(Discard::UnexpectedHandshake),
        }
    }

    /// RFC 5246 section 7.4.5: now it is our turn.
    ///
    /// Derives everything at once: what our Finished says and what the server's must say follow from the same
    /// transcript.
    pub(super) fn server_hello_done<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        if !message.body.is_empty() {
            return Err(Discard::MalformedHandshake);
        }
        let chosen = match &self.state {
            State::AwaitServerHelloDone(chosen) => chosen,
            State::AwaitFinished(_) => {
                self.link.repeat(cx.now);
                return Err(Discard::HandshakeRepeated);
            }
            _ => return Err(Discard::UnexpectedHandshake),
        };
        match in_turn(message.message_seq, chosen.next_seq) {
            // Its number was taken by a ServerKeyExchange, which then was not the server's.
            Err(Discard::HandshakeRepeated) => return Err(self.contradicted()),
            other => other?,
        }
        let Self { link, offer, .. } = self;
        let mut transcript = chosen.transcript.clone();
        transcript.add(message);
        link.flight.clear();
        let key_exchange_seq = successor(offer.message_seq)?;
        // A suite with a pre-shared key was offered because there was one.
        let (identity, psk) = credentials.own_psk().ok_or(Discard::Closed)?;
        let key_exchange = |out: &mut Writer<'_>| out.vec16(|out| out.bytes(identity));
        transcript
            .say(link, MessageType::CLIENT_KEY_EXCHANGE, key_exchange_seq, key_exchange)
            .ok_or(Discard::HandshakeTooLong)?;
        let session_hash = transcript.hash();
        let binding = match chosen.extended_master_secret {
            true => Binding::SessionHash(&session_hash),
            false => Binding::Randoms,
        };
        let randoms = Randoms { client: offer.random, server: chosen.server_random };
        let master = MasterSecret::from_psk(cx.crypto, psk, &randoms, binding);
        if let Some(key_log) = &mut cx.dangerous_key_log {
            key_log.secret("CLIENT_RANDOM", &randoms.client, master.expose());
        }
        let keys = master.record_keys(&randoms);
        let verify_data = master.client_verify_data(&session_hash);
        link.flight.change_cipher_spec();
        transcript
            .say(link, MessageType::FINISHED, successor(key_exchange_seq)?, |out| out.bytes(&verify_data))
            .ok_or(Discard::HandshakeTooLong)?;
        let session = Session12::new(Parameters {
            role: Role::Client,
            suite: chosen.suite,
            aead: chosen.aead,
            read: keys.server_write,
            write: keys.client_write,
            own_cid: chosen.own_cid,
            peer_cid: chosen.peer_cid,
            read_limit: chosen.read_limit,
            write_limit: chosen.write_limit,
            next_sequence: self.sealed,
        });
        self.state = State::AwaitFinished(AwaitFinished {
            session,
            hellos: chosen.hellos,
            expected: master.server_verify_data(&transcript.hash()),
            next_seq: successor(message.message_seq)?,
            change_cipher_spec: false,
        });
        self.start_timer(cx.now);
        Ok(Progress::Continue)
    }

    /// RFC 5246 section 7.1: directly before Finished.
    pub(super) fn change_cipher_spec(&mut self, body: &[u8]) -> Result<Progress, Discard> {
        match &mut self.state {
            _ if body != [1] => Err(Discard::MalformedContent),
            State::AwaitFinished(state) => {
                state.change_cipher_spec = true;
                Ok(Progress::Continue)
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }

    /// RFC 5246 section 7.4.9: if the server's Finished is right, the session is good.
    pub(super) fn finished(&mut self, message: &Message<'_>) -> Result<Progress, Discard> {
        match &self.state {
            State::AwaitFinished(state) if state.change_cipher_spec => {
                in_turn(message.message_seq, state.next_seq)?;
                if !constant_time_eq(message.body, &state.expected) {
                    return Ok(self.link.fail(Failure::Aborted(AlertDescription::DECRYPT_ERROR)));
                }
            }
            _ => return Err(Discard::UnexpectedHandshake),
        }
        if let State::AwaitFinished(state) = core::mem::replace(&mut self.state, State::Taken) {
            self.state = State::Complete(state.session);
        }
        self.link.timer.stop();
        self.link.flight.clear();
        Ok(Progress::Complete)
    }

    /// Makes the next flight a first ClientHello again, under a new random so that no key comes twice.
    pub(super) fn start_over<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        _credentials: &mut impl Credentials<P::Crypto>,
    ) -> Option<()> {
        cx.rng.fill_bytes(&mut self.offer.random);
        self.offer.message_seq = 0;
        self.transcript = self.offer.hello(&mut self.link, cx.crypto, &[])?;
        self.cookie = None;
        self.sealed = 0;
        self.state = State::AwaitServerHello;
        self.contradicted = false;
        self.started_over = true;
        Some(())
    }

    /// A new flight goes out. Patience is renewed only until the handshake has started over once, or a server that
    /// contradicts itself would be asked for ever.
    fn start_timer(&mut self, now: Instant) {
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
    fn contradicted(&mut self) -> Discard {
        self.contradicted = true;
        Discard::HandshakeRepeated
    }
}

fn successor(message_seq: u16) -> Result<u16, Discard> {
    message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)
}
