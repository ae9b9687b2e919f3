//! What the server's hellos do: HelloRetryRequest and ServerHello (RFC 8446 sections 4.1.3 and 4.1.4).

use sedge_crypto::{Crypto, CryptoRng, NamedGroup};

use super::{Awaiting, Machine, Retry, Secured, State, digest};
use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::credentials::{CertificateType, Credentials};
use crate::discard::Discard;
use crate::dtls13::epoch::{Opener, Sealer};
use crate::dtls13::extension::PSK_KE;
use crate::dtls13::hello::ServerHello;
use crate::dtls13::schedule::{Digest, EarlySecret, HandshakeSecret};
use crate::dtls13::transcript::Transcript;
use crate::dtls13::{Fault, Identity};
use crate::handshake::link::in_turn;
use crate::handshake::message::Message;
use crate::handshake::{Context, Failure, MAX_PLAINTEXT, Progress};
use crate::profile::Profile;
use crate::record::DTLS_1_3;

impl<P: Profile> Machine<P> {
    /// RFC 9147 section 5.2: the server's first message, or its second. The transcript does not cover the number, so
    /// another one would go unnoticed, and the rest of the flight would be waited for in vain.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn server_hello<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let hello = ServerHello::parse(message.body).ok_or(Discard::MalformedHandshake)?;
        if P::DTLS_1_2
            && hello.extensions.selected_version.is_none()
            && let Some(outcome) = self.older_version()
        {
            return outcome;
        }
        // The answer to a hello without the cookie, and so to another one than our last.
        if self.verified.is_some() {
            return Err(self.contradicted());
        }
        let expected = u16::from(self.retry.is_some() && !hello.is_retry());
        in_turn(message.message_seq, expected)?;
        let outcome = match hello.is_retry() {
            true => self.retry(cx, credentials, &hello, message),
            false => self.secure(cx, credentials, &hello, message),
        };
        match outcome {
            Ok(()) => Ok(Progress::Continue),
            Err(Fault::Drop(discard)) => Err(discard),
            Err(Fault::Refuse(description)) => {
                self.suspect(Failure::Aborted(description));
                Err(Discard::UnofferedChoice)
            }
        }
    }

    /// RFC 8446 section 4.1.4: the same hello again, with the cookie and in the group that the server wants.
    #[cfg_attr(target_os = "none", inline(never))]
    fn retry<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        hello: &ServerHello<'_>,
        message: &Message<'_>,
    ) -> Result<(), Fault> {
        let digest = digest(cx.crypto, message.body);
        match (&self.state, &self.retry) {
            (State::AwaitServerHello, None) => {}
            (_, Some(retry)) if retry.digest == digest => return Err(Discard::HandshakeRepeated.into()),
            _ => return Err(self.contradicted().into()),
        }
        let extensions = &hello.extensions;
        if extensions.unknown || extensions.connection_id.is_some() || extensions.selected_identity.is_some()
        {
            return Err(AlertDescription::UNSUPPORTED_EXTENSION.into());
        }
        let group = match extensions.selected_group.map(NamedGroup::from_u16) {
            None => None,
            // RFC 8446 section 4.2.8: one that was offered, and not the one that it has a share of.
            Some(Some(group)) if self.may_retry_in(group) => Some(group),
            Some(_) => return Err(AlertDescription::ILLEGAL_PARAMETER.into()),
        };
        let nothing_new = group.is_none() && extensions.cookie.is_none();
        if extensions.selected_version != Some(DTLS_1_3)
            || !self.offer.offers(hello.suite)
            || hello.compression_method != 0
            || nothing_new
        {
            return Err(AlertDescription::ILLEGAL_PARAMETER.into());
        }
        let mut transcript = Transcript::after_retry(cx.crypto, &self.transcript.hash());
        transcript.add(message.message_type, message.body);
        if let Some(group) = group {
            self.offer.share_in::<P, R>(cx, group).ok_or(Discard::UnofferedChoice)?;
        }
        self.offer.message_seq = 1;
        self.hello(cx, credentials, &mut transcript, extensions.cookie, &[])
            .ok_or(Discard::HandshakeTooLong)?;
        self.transcript = transcript;
        self.retry = Some(Retry { suite: hello.suite, digest });
        self.start_timer(cx.now);
        Ok(())
    }

    fn may_retry_in(&self, group: NamedGroup) -> bool {
        let shared = self.offer.share.as_ref().is_some_and(|(shared, _)| *shared == group);
        self.offer.offers_group(group) && !shared
    }

    /// RFC 8446 section 4.1.3: agrees on keys.
    #[cfg_attr(target_os = "none", inline(never))]
    fn secure<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        hello: &ServerHello<'_>,
        message: &Message<'_>,
    ) -> Result<(), Fault> {
        let mut transcript = self.transcript.clone();
        transcript.add(message.message_type, message.body);
        let hellos = transcript.hash();
        match &self.state {
            State::AwaitServerHello => {}
            State::AwaitFinished(secured) if secured.hellos == hellos => {
                return Err(Discard::HandshakeRepeated.into());
            }
            // What opened with these keys was sealed by whom they were agreed on with, who may still be anybody.
            State::AwaitFinished(secured) if secured.authentic && !secured.is_refused() => {
                return Err(self.contradicted().into());
            }
            State::AwaitFinished(_) => {
                let _ = self.contradicted();
            }
            State::AwaitAck(_) => return Err(Discard::HandshakeRepeated.into()),
            State::Complete(_) | State::Taken => return Err(Discard::Closed.into()),
        }
        let next_seq = message.message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
        let agreed = self.agree(cx.crypto, credentials, hello)?;
        self.await_finished(cx, hello, agreed, Hellos { transcript, hash: hellos, next_seq })?;
        self.suspicion = None;
        Ok(())
    }

    /// There are keys: the rest of the flight comes under them.
    #[cfg_attr(target_os = "none", inline(never))]
    fn await_finished<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        hello: &ServerHello<'_>,
        agreed: Agreed,
        hellos: Hellos<P::Crypto>,
    ) -> Result<(), Discard> {
        let Agreed { handshake, server, own_cid, peer_cid } = agreed;
        let Hellos { transcript, hash: hellos, next_seq } = hellos;
        let traffic = handshake.traffic(cx.crypto, &hellos);
        if let Some(key_log) = &mut cx.dangerous_key_log {
            let random = &self.offer.random;
            key_log.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", random, traffic.client.0.expose());
            key_log.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", random, traffic.server.0.expose());
        }
        let aead = hello.suite.aead().ok_or(Discard::UnofferedChoice)?;
        self.state = State::AwaitFinished(Secured {
            awaiting: Awaiting::EncryptedExtensions,
            authentic: false,
            hellos,
            transcript,
            opener: Opener::new(traffic.server.keys(cx.crypto), aead, own_cid),
            sealer: Sealer::new(traffic.client.keys(cx.crypto), aead, peer_cid),
            traffic,
            master: handshake.into_master(cx.crypto),
            psk: server.is_some(),
            return_routability: hello.extensions.return_routability_check,
            write_limit: MAX_PLAINTEXT + 1,
            server_kind: CertificateType::X509,
            client_kind: CertificateType::X509,
            certificate_requested: false,
            server: server.unwrap_or(Identity::ANONYMOUS),
            next_seq,
        });
        Ok(())
    }

    /// Checks what a ServerHello chose, or says which alert it deserves.
    #[cfg_attr(target_os = "none", inline(never))]
    fn agree(
        &self,
        crypto: &P::Crypto,
        credentials: &mut impl Credentials<P::Crypto>,
        hello: &ServerHello<'_>,
    ) -> Result<Agreed, AlertDescription> {
        let Self { offer, retry, .. } = self;
        let extensions = &hello.extensions;
        if extensions.selected_version != Some(DTLS_1_3) {
            return Err(AlertDescription::PROTOCOL_VERSION);
        }
        // RFC 9147 section 5: a server does not echo what was not there.
        if hello.compression_method != 0
            || !hello.session_id.is_empty()
            || !offer.offers(hello.suite)
            || retry.as_ref().is_some_and(|retry| retry.suite != hello.suite)
        {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        // RFC 8446 section 4.2: nothing that was not asked for.
        if extensions.unknown
            || (extensions.connection_id.is_some() && offer.own_cid.is_none())
            || (extensions.return_routability_check && !offer.return_routability)
        {
            return Err(AlertDescription::UNSUPPORTED_EXTENSION);
        }
        let believes = P::CERTIFICATES && !credentials.believes().is_empty();
        let ticket = offer.resumption::<P>(credentials);
        let own = if P::PSK { credentials.own_psk().map(|(_, psk)| psk) } else { None };
        // They were offered in this order.
        let first =
            ticket.as_ref().filter(|_| P::RESUMPTION).map(|it| (it.saved.psk(), Identity::of_resumption(it)));
        let second = own.map(|psk| (psk.expose(), Identity::of_psk(0)));
        let psk = match (extensions.selected_identity, first, second) {
            (None, ..) => None,
            (Some(0), Some(psk), _) | (Some(0), None, Some(psk)) | (Some(1), Some(_), Some(psk)) => Some(psk),
            _ => return Err(AlertDescription::ILLEGAL_PARAMETER),
        };
        let psk_only = psk.is_some() && offer.psk_mode() == PSK_KE;
        let shared = match (&extensions.key_share, &offer.share) {
            (Some(entry), Some((group, key))) if P::ECDHE && entry.group == group.to_u16() => {
                Some(crypto.agree(key, entry.key_exchange).map_err(|_| AlertDescription::ILLEGAL_PARAMETER)?)
            }
            (None, _) if psk_only => None,
            (Some(_), _) => return Err(AlertDescription::ILLEGAL_PARAMETER),
            (None, _) => return Err(AlertDescription::MISSING_EXTENSION),
        };
        if psk.is_none() && !believes {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        let early = EarlySecret::new(crypto, psk.map(|(psk, _)| psk));
        let server = psk.map(|(_, server)| server);
        let (own_cid, peer_cid) = match (offer.own_cid, extensions.connection_id) {
            (Some(own), Some(peer)) => {
                (own, ConnectionId::new(peer).ok_or(AlertDescription::ILLEGAL_PARAMETER)?)
            }
            _ => (ConnectionId::EMPTY, ConnectionId::EMPTY),
        };
        Ok(Agreed { handshake: early.into_handshake(crypto, shared.as_ref()), server, own_cid, peer_cid })
    }
}

/// The hellos, with their hash and the number of the message behind them.
struct Hellos<C: Crypto> {
    transcript: Transcript<C>,
    hash: Digest,
    next_seq: u16,
}

/// What follows from the hellos.
struct Agreed {
    handshake: HandshakeSecret,
    /// Who the server is, if it knows a pre-shared key of ours.
    server: Option<Identity>,
    own_cid: ConnectionId,
    peer_cid: ConnectionId,
}
