//! The server's flight, from ServerHello to Finished (RFC 8446 sections 4.1.3, 4.3 and 4.4).

use sedge_crypto::{Crypto, CryptoRng};

use super::choose::{Choice, transcript_before};
use super::{Awaiting, Machine, Secured, State};
use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::{CertificateType, Credentials};
use crate::dtls13::epoch::{Opener, Sealer};
use crate::dtls13::hello::ServerHello;
use crate::dtls13::link::Link;
use crate::dtls13::message::{self, EncryptedExtensions};
use crate::dtls13::schedule::Digest;
use crate::dtls13::transcript::Transcript;
use crate::handshake::message::MessageType;
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::Profile;
use crate::wire::Writer;

impl<P: Profile> Machine<P> {
    pub(super) fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        let hello = verified.dtls_1_3.as_ref().ok_or(AlertDescription::PROTOCOL_VERSION)?;
        let mut transcript = transcript_before(cx.crypto, verified);
        let choice = Choice::from_hello::<P, R>(cx, credentials, config, hello, &transcript, own_cid)?;
        transcript.add(MessageType::CLIENT_HELLO, hello.body);

        let mut random = [0; 32];
        cx.rng.fill_bytes(&mut random);
        let (share, shared) = match choice.share {
            Some((group, peer)) if P::ECDHE => {
                let key =
                    cx.crypto.ephemeral_key(group, cx.rng).map_err(|_| AlertDescription::INTERNAL_ERROR)?;
                let shared = cx.crypto.agree(&key, peer).map_err(|_| AlertDescription::ILLEGAL_PARAMETER)?;
                (Some(cx.crypto.key_share(&key)), Some(shared))
            }
            _ => (None, None),
        };
        // After a HelloRetryRequest this is the second message; it has the number of the hello that it answers.
        let mut own = Speech::<P> {
            link: Link::new(&config.transport, verified.sequence),
            transcript,
            next_message: verified.message_seq,
        };
        own.say(MessageType::SERVER_HELLO, |out| {
            let share = share.as_ref().map(|share| (share.group(), share.as_bytes()));
            let cid = choice.peer_cid.is_some().then_some(choice.own_cid.as_bytes());
            let Choice { suite, identity, return_routability, .. } = choice;
            ServerHello::write(out, &random, suite, share, identity, cid, return_routability);
        })?;
        own.link.flight.protect();
        own.link.flight.limit_records(choice.write_limit);

        let hellos = own.transcript.hash();
        let aead = choice.suite.aead().ok_or(AlertDescription::INTERNAL_ERROR)?;
        let peer_cid = choice.peer_cid.unwrap_or_default();
        let handshake = choice.early.into_handshake(cx.crypto, shared.as_ref());
        let epoch_2 = handshake.traffic(cx.crypto, &hellos);
        let master = handshake.into_master(cx.crypto);

        // RFC 8449 section 4: a server that knows the extension answers it, with all there can be if it has no limit.
        let read_limit = config
            .transport
            .record_size_limit
            .map_or(MAX_PLAINTEXT + 1, |limit| limit.clamp(MIN_RECORD_SIZE_LIMIT, MAX_PLAINTEXT + 1));
        let (mut awaiting, mut client_kind) = (Awaiting::Finished, CertificateType::X509);
        let mut extensions = EncryptedExtensions {
            record_size_limit: hello.hello.extensions.record_size_limit.map(|_| read_limit),
            ..EncryptedExtensions::default()
        };
        match &choice.certificates {
            Some(certificates) if P::CERTIFICATES => {
                let own_kind = certificates.own;
                extensions.server_certificate_type = certificates.own_is_named.then_some(own_kind as u8);
                extensions.client_certificate_type =
                    certificates.client.filter(|_| certificates.client_is_named).map(|kind| kind as u8);
                own.say(MessageType::ENCRYPTED_EXTENSIONS, |out| extensions.write(out))?;
                if let Some(kind) = certificates.client {
                    (awaiting, client_kind) = (Awaiting::Certificate, kind);
                    own.say(MessageType::CERTIFICATE_REQUEST, message::write_certificate_request)?;
                }
                own.say(MessageType::CERTIFICATE, |out| {
                    let entries = (0..).map_while(|index| credentials.certificate(own_kind, index));
                    message::write_certificate(out, entries);
                })?;
                let digest = message::signed_digest(cx.crypto, true, &own.transcript.hash());
                let signature = credentials.sign(cx.crypto, cx.rng, &digest);
                let signature = signature.ok_or(AlertDescription::INTERNAL_ERROR)?;
                own.say(MessageType::CERTIFICATE_VERIFY, |out| {
                    message::write_certificate_verify(out, &signature);
                })?;
            }
            _ => own.say(MessageType::ENCRYPTED_EXTENSIONS, |out| extensions.write(out))?,
        }
        let verify_data: Digest = epoch_2.server.finished(cx.crypto, &own.transcript.hash());
        own.say(MessageType::FINISHED, |out| out.bytes(&verify_data))?;
        let epoch_3 = master.traffic(cx.crypto, &own.transcript.hash());
        if let Some(key_log) = &mut cx.dangerous_key_log {
            let random = &hello.hello.random;
            key_log.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", random, epoch_2.client.0.expose());
            key_log.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", random, epoch_2.server.0.expose());
            key_log.secret("CLIENT_TRAFFIC_SECRET_0", random, epoch_3.client.0.expose());
            key_log.secret("SERVER_TRAFFIC_SECRET_0", random, epoch_3.server.0.expose());
        }
        let Speech { mut link, transcript, next_message } = own;
        link.start(cx.now);
        Ok(Self {
            link,
            client_random: hello.hello.random,
            message_seq: verified.message_seq,
            own_cid: choice.own_cid,
            state: State::AwaitFinished(Secured {
                awaiting,
                transcript,
                suite: choice.suite,
                opener: Opener::new(epoch_2.client.keys(cx.crypto), aead, choice.own_cid),
                sealer: Sealer::new(epoch_2.server.keys(cx.crypto), aead, peer_cid),
                client_secret: epoch_2.client,
                master,
                traffic: epoch_3,
                client_certificate: config.client_certificate,
                client_kind,
                client: choice.client,
                authenticated: choice.authenticated,
                read_limit: extensions.record_size_limit.unwrap_or(MAX_PLAINTEXT + 1),
                write_limit: choice.write_limit,
                return_routability: choice.return_routability,
                takes_tickets: choice.takes_tickets,
                next_seq: verified.message_seq.checked_add(1).ok_or(AlertDescription::ILLEGAL_PARAMETER)?,
                next_message,
            }),
        })
    }
}

/// What the server says, and the transcript of it.
struct Speech<P: Profile> {
    link: Link<P::Flight>,
    transcript: Transcript<P::Crypto>,
    next_message: u16,
}

impl<P: Profile> Speech<P> {
    fn say(
        &mut self,
        message_type: MessageType,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), AlertDescription> {
        let said = self.link.flight.push(message_type, self.next_message, body);
        self.transcript.add(message_type, said.ok_or(AlertDescription::INTERNAL_ERROR)?);
        self.next_message += 1;
        Ok(())
    }
}
