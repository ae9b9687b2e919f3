//! What each message of the client does, in the order of the protocol.

use sedge_crypto::{Crypto, CryptoRng, Secret, constant_time_eq};
use sedge_time::Instant;

use super::{AwaitCertificateVerify, AwaitFinished, Chosen, Claim, Complete, Machine, Peer, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::certificate;
use crate::dtls12::effort::Effort;
use crate::dtls12::key_exchange::ClientKeyExchange;
use crate::dtls12::premaster::Premaster;
use crate::dtls12::schedule::{Binding, MasterSecret};
use crate::dtls12::taken::{Place, Taken};
use crate::dtls12::ticket::Ticket;
use crate::dtls12::transcript::Transcript;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::resumption::{Handle, HandleKind, Resumption, SavedSession};
use crate::handshake::{Authentication, Context, Failure, Progress, ticket};
use crate::profile::{Profile, Slot};
use crate::psk::Psk;
use crate::session::{LastFlight, Parameters, Role, Session12};
use crate::suite::KeyExchange;
use crate::wire::Writer;

impl<P: Profile> Machine<P> {
    /// Takes a message in: the one whose turn it is, or one that shows that what was taken may be forged.
    pub(super) fn message<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        // What is decided stays so.
        if let State::Complete(_) | State::Taken = self.state {
            return Err(Discard::Closed);
        }
        match self.taken.place(cx.crypto, message) {
            Place::Early => Err(Discard::HandshakeEarly),
            Place::Repeated => Err(Discard::HandshakeRepeated),
            Place::Due => self.step(cx, credentials, message),
            // The first of the flight can be taken at once, in place of the other; if it makes sense, that is.
            Place::Contradicting if message.message_seq == self.first_seq() => {
                let (state, none) = (self.start(), Taken::starting_at(self.first_seq()));
                let before = core::mem::replace(&mut self.state, state);
                let taken = core::mem::replace(&mut self.taken, none);
                self.step(cx, credentials, message).inspect_err(|_| {
                    self.state = before;
                    self.taken = taken;
                })
            }
            Place::Contradicting => {
                self.state = self.start();
                self.taken = Taken::starting_at(self.first_seq());
                Err(Discard::HandshakeRepeated)
            }
        }
    }

    /// The message_seq of the first message of the client's flight.
    const fn first_seq(&self) -> u16 {
        self.chosen.message_seq + 1
    }

    fn step<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let next = match (&self.state, message.message_type) {
            (State::AwaitCertificate, MessageType::CERTIFICATE) if P::CERTIFICATES => {
                self.certificate(cx, credentials, message)?
            }
            (State::AwaitClientKeyExchange(transcript, claim), MessageType::CLIENT_KEY_EXCHANGE) => {
                let (transcript, claim) = (transcript.clone(), *claim);
                self.client_key_exchange(cx, credentials, transcript, claim, message)?
            }
            (State::AwaitCertificateVerify(state), MessageType::CERTIFICATE_VERIFY) if P::CERTIFICATES => {
                let kind = self.chosen.means.client.ok_or(Discard::UnexpectedHandshake)?;
                let principal = holder(cx.crypto, &mut self.effort, state, message)?;
                let peer = principal.map(|principal| Peer { principal, authentication: kind.into() });
                let mut transcript = state.transcript.clone();
                transcript.add(message);
                let master = MasterSecret::from_secret(cx.crypto, state.master_secret.clone());
                let hash = transcript.hash();
                self.await_finished(cx, credentials, (transcript, &hash), &master, peer)?
            }
            (State::AwaitFinished(state), MessageType::FINISHED) if state.change_cipher_spec => {
                return Ok(self.finished(cx, credentials, message));
            }
            _ => return Err(Discard::UnexpectedHandshake),
        };
        self.state = next;
        self.taken.push(cx.crypto, message);
        Ok(Progress::Continue)
    }

    /// RFC 5246 section 7.4.6: whether it is believed counts only once Finished has come.
    fn certificate<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<State<P::Crypto>, Discard> {
        let means = self.chosen.means;
        let kind = means.client.ok_or(Discard::UnexpectedHandshake)?;
        let claim = match certificate::parse(kind, message.body).ok_or(Discard::MalformedHandshake)? {
            Some(certificate) => {
                self.effort.spend()?;
                Claim::Certificate(credentials.verify(cx.crypto, &certificate))
            }
            None if means.client_required => Claim::Nothing(Err(AlertDescription::HANDSHAKE_FAILURE)),
            None => Claim::Nothing(Ok(())),
        };
        let mut transcript = self.transcript.clone();
        transcript.add(message);
        Ok(State::AwaitClientKeyExchange(transcript, claim))
    }

    /// RFC 5246 section 7.4.7: the keys exist.
    fn client_key_exchange<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        mut transcript: Transcript<P::Crypto>,
        claim: Claim,
        message: &Message<'_>,
    ) -> Result<State<P::Crypto>, Discard> {
        let chosen = &self.chosen;
        let kind = chosen.key_exchange;
        let ClientKeyExchange { identity, point } =
            ClientKeyExchange::parse(kind, message.body).ok_or(Discard::MalformedHandshake)?;
        let shared = match &self.ephemeral {
            Some(key) if P::ECDHE => {
                self.effort.spend()?;
                cx.crypto.agree(key.get(), point).map_err(|_| Discard::BadKeyShare)?
            }
            _ => Secret::zero(),
        };
        let (premaster, holder) = match kind {
            KeyExchange::EcdheEcdsa => {
                let anonymous = Peer { principal: 0, authentication: Authentication::Anonymous };
                (Premaster::ecdhe(&shared), anonymous)
            }
            KeyExchange::Psk | KeyExchange::EcdhePsk => {
                // Always drawn, so that an unknown identity takes the same steps as a known one.
                let mut nobody = Secret::<16>::zero();
                cx.rng.fill_bytes(nobody.expose_mut());
                let nobody = Psk::new(nobody.expose()).ok_or(Discard::MalformedHandshake)?;
                let (psk, principal) = credentials.psk(identity).unwrap_or((nobody, 0));
                let premaster = match kind {
                    KeyExchange::EcdhePsk => Premaster::ecdhe_psk(&shared, &psk),
                    _ => Premaster::psk(&psk),
                };
                (premaster, Peer { principal, authentication: Authentication::PreSharedKey })
            }
        };
        transcript.add(message);
        let session_hash = transcript.hash();
        let binding = match chosen.extended_master_secret {
            true => Binding::SessionHash(&session_hash),
            false => Binding::Randoms,
        };
        let master = MasterSecret::new(cx.crypto, &premaster, &chosen.randoms, binding);
        master.log(cx, &chosen.randoms.client);
        match claim {
            Claim::Nothing(verdict) => {
                let peer = verdict.map(|()| holder);
                self.await_finished(cx, credentials, (transcript, &session_hash), &master, peer)
            }
            Claim::Certificate(certificate) => {
                let master_secret = master.secret().clone();
                Ok(State::AwaitCertificateVerify(AwaitCertificateVerify {
                    transcript,
                    master_secret,
                    certificate,
                }))
            }
        }
    }

    /// Derives everything at once: what the client's Finished must say and what ours will say follow from the same
    /// transcript, which comes with its hash.
    fn await_finished<R: CryptoRng + ?Sized>(
        &self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        (mut transcript, hash): (Transcript<P::Crypto>, &[u8; 32]),
        master: &MasterSecret<P::Crypto>,
        peer: Result<Peer, AlertDescription>,
    ) -> Result<State<P::Crypto>, Discard> {
        let chosen = &self.chosen;
        let expected = master.client_verify_data(hash);
        let message_seq = self.first_seq() + self.taken.len() as u16 + 1;
        transcript.add(&Message { message_type: MessageType::FINISHED, message_seq, body: &expected });
        let mut finished_seq = chosen.next_seq;
        let mut ticket = None;
        if P::RESUMPTION
            && chosen.ticket
            && let Ok(peer) = peer
        {
            // RFC 5077 section 3.3: after the client's Finished and before ours.
            let (keys, lifetime) = credentials.tickets().ok_or(Discard::Closed)?;
            let expires = ticket::ends(cx.now, lifetime, cx.now).ok_or(Discard::Closed)?;
            let saved = chosen.saved(master.secret(), peer, expires);
            let made = Ticket::seal(keys, cx.crypto, cx.rng, cx.now, &saved, cx.now);
            let made = made.ok_or(Discard::Closed)?;
            let mut body = [0; Ticket::BODY];
            made.write(&mut Writer::new(&mut body));
            let message_type = MessageType::NEW_SESSION_TICKET;
            transcript.add(&Message { message_type, message_seq: finished_seq, body: &body });
            finished_seq += 1;
            ticket = Some(made);
        }
        let mut session = chosen.session(master);
        session.set_last_flight(LastFlight {
            verify_data: master.server_verify_data(&transcript.hash()),
            message_seq: finished_seq,
            sequence: 0,
            ticket,
        });
        Ok(State::AwaitFinished(AwaitFinished {
            session,
            master_secret: master.secret().clone(),
            peer,
            expected,
            resumed: false,
            change_cipher_spec: false,
        }))
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

    /// RFC 5246 section 7.4.9: if the client's Finished is right, all that came before it was the client's.
    fn finished<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Progress {
        let (peer, resumed) = match &self.state {
            State::AwaitFinished(state) if constant_time_eq(message.body, &state.expected) => {
                (state.peer, state.resumed)
            }
            _ => (Err(AlertDescription::DECRYPT_ERROR), false),
        };
        let peer = match peer {
            Ok(peer) => peer,
            Err(description) => return self.link.fail(Failure::Aborted(description)),
        };
        self.state = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitFinished(AwaitFinished { mut session, master_secret, .. }) => {
                session.start_last_flight(self.link.sequence() as u32);
                if P::RESUMPTION && !resumed {
                    self.remember(cx, credentials, &master_secret, peer);
                }
                // In a resumption the client has the last word.
                State::Complete(Complete { session, peer, resumed, sent: resumed })
            }
            other => other,
        };
        self.link.timer.stop();
        self.link.flight.clear();
        Progress::Complete
    }

    /// Puts the session into the server's cache, if it was given an identifier.
    fn remember<R: ?Sized>(
        &self,
        cx: &Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        master_secret: &Secret<48>,
        peer: Peer,
    ) {
        let id = self.chosen.session_id.as_bytes();
        if let Some(lifetime) = credentials.session_cache()
            && !id.is_empty()
            && let Some(handle) = Handle::new(HandleKind::SessionId, id)
        {
            let expires = cx.now + lifetime;
            let saved = self.chosen.saved(master_secret, peer, expires);
            credentials.remember(&Resumption { saved, handle, received: cx.now, age_add: 0 });
        }
    }
}

/// RFC 5246 section 7.4.8: who the client is, if it holds the key in its certificate.
fn holder<C: Crypto>(
    crypto: &C,
    effort: &mut Effort,
    state: &AwaitCertificateVerify<C>,
    message: &Message<'_>,
) -> Result<Result<u32, AlertDescription>, Discard> {
    let signature = certificate::parse_verify(message.body).ok_or(Discard::MalformedHandshake)?;
    effort.spend()?;
    let digest = state.transcript.hash();
    Ok(state.certificate.and_then(|certificate| match signature {
        Some(signature) if crypto.verify(&certificate.public_key, &digest, &signature).is_ok() => {
            Ok(certificate.principal)
        }
        Some(_) => Err(AlertDescription::DECRYPT_ERROR),
        None => Err(AlertDescription::ILLEGAL_PARAMETER),
    }))
}

impl Chosen {
    /// The session under this master secret.
    pub(super) fn session<C: Crypto>(&self, master: &MasterSecret<C>) -> Session12 {
        let keys = master.record_keys(&self.randoms);
        let mut session = Session12::new(Parameters {
            role: Role::Server,
            suite: self.suite,
            aead: self.aead,
            read: keys.client_write,
            write: keys.server_write,
            own_cid: self.own_cid,
            peer_cid: self.peer_cid,
            read_limit: self.read_limit,
            write_limit: self.write_limit,
            next_sequence: 0,
        });
        if self.return_routability {
            session.agree_on_return_routability();
        }
        session
    }

    /// What is remembered of it.
    fn saved(&self, master_secret: &Secret<48>, peer: Peer, expires: Instant) -> SavedSession {
        SavedSession {
            suite: self.suite,
            secret: master_secret.clone(),
            principal: peer.principal,
            expires,
            extended_master_secret: self.extended_master_secret,
            authentication: peer.authentication,
        }
    }
}
