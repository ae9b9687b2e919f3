//! The client's last flight, what the server says to it, and starting over (RFC 8446 section 4.4, RFC 9147 section 7).

use sedge_crypto::CryptoRng;
use sedge_time::Instant;

use super::{AwaitAck, Machine, Secured, State};
use crate::alert::{Alert, AlertDescription};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls13::transcript::Transcript;
use crate::dtls13::{Identity, message};
use crate::handshake::message::MessageType;
use crate::handshake::{Context, Failure, MAX_PLAINTEXT, Progress};
use crate::profile::Profile;
use crate::record::ContentType;
use crate::session::{Cids, Content, Direction, Extra, Of, Parameters13, Role, Session13};

/// What the session has beside what the handshake knew already.
struct Epoch3 {
    read: Direction,
    write: Direction,
    extra: Extra,
    /// The message_seq behind our flight.
    next_message: u16,
}

impl<P: Profile> Machine<P> {
    /// The server's Finished was right: it is our turn.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn finish<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Progress {
        let outcome = self.last_flight(cx, credentials).and_then(|epoch_3| self.await_ack(epoch_3));
        match outcome {
            Ok(()) => {
                self.start_timer(cx.now);
                Progress::Continue
            }
            Err(description) => {
                self.state = State::Taken;
                self.link.abort(description)
            }
        }
    }

    /// Certificate and CertificateVerify if they were asked for, and Finished.
    #[cfg_attr(target_os = "none", inline(never))]
    fn last_flight<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Result<Epoch3, AlertDescription> {
        let State::AwaitFinished(secured) = &mut self.state else {
            return Err(AlertDescription::INTERNAL_ERROR);
        };
        let Secured { transcript, traffic, master, .. } = secured;
        let flight = &mut self.link.flight;
        let epoch_3 = master.traffic(cx.crypto, &transcript.hash());
        if let Some(key_log) = &mut cx.dangerous_key_log {
            key_log.secret("CLIENT_TRAFFIC_SECRET_0", &self.offer.random, epoch_3.client.0.expose());
            key_log.secret("SERVER_TRAFFIC_SECRET_0", &self.offer.random, epoch_3.server.0.expose());
        }
        flight.clear();
        flight.limit_records(secured.write_limit);
        let mut seq = self.offer.message_seq;
        let mut next = || {
            seq = seq.saturating_add(1);
            seq
        };
        if P::CERTIFICATES && secured.certificate_requested {
            let kind = secured.client_kind;
            let entries = (0..).map_while(|index| credentials.certificate(kind, index));
            let shown = credentials.certificate(kind, 0).is_some();
            let body = flight.push(MessageType::CERTIFICATE, next(), |out| {
                message::write_certificate(out, entries);
            });
            transcript.add(MessageType::CERTIFICATE, body.ok_or(AlertDescription::INTERNAL_ERROR)?);
            if shown {
                let digest = message::signed_digest(cx.crypto, false, &transcript.hash());
                let signature = credentials.sign(cx.crypto, cx.rng, &digest);
                let signature = signature.ok_or(AlertDescription::INTERNAL_ERROR)?;
                let body = flight.push(MessageType::CERTIFICATE_VERIFY, next(), |out| {
                    message::write_certificate_verify(out, &signature);
                });
                transcript
                    .add(MessageType::CERTIFICATE_VERIFY, body.ok_or(AlertDescription::INTERNAL_ERROR)?);
            }
        }
        let verify_data = traffic.client.finished(cx.crypto, &transcript.hash());
        let body = flight.push(MessageType::FINISHED, next(), |out| out.bytes(&verify_data));
        transcript.add(MessageType::FINISHED, body.ok_or(AlertDescription::INTERNAL_ERROR)?);
        let extra = match P::RESUMPTION {
            true => Extra::Resumption(master.resumption(cx.crypto, &transcript.hash())),
            false => Extra::Nothing,
        };
        Ok(Epoch3 {
            read: Direction::new(cx.crypto, epoch_3.server),
            write: Direction::new(cx.crypto, epoch_3.client),
            extra,
            next_message: next(),
        })
    }

    /// Our last flight is made, and with it the session.
    #[cfg_attr(target_os = "none", inline(never))]
    fn await_ack(&mut self, epoch_3: Epoch3) -> Result<(), AlertDescription> {
        let State::AwaitFinished(secured) = core::mem::replace(&mut self.state, State::Taken) else {
            return Err(AlertDescription::INTERNAL_ERROR);
        };
        let Secured { opener, sealer, server, .. } = secured;
        let Epoch3 { read, write, extra, next_message } = epoch_3;
        let session = Session13::new(Parameters13 {
            role: Role::Client,
            aead: opener.aead,
            read,
            write,
            extra,
            cids: Cids::new(opener.cid(), sealer.cid.as_bytes()).ok_or(AlertDescription::INTERNAL_ERROR)?,
            read_limit: self.offer.record_size_limit.unwrap_or(MAX_PLAINTEXT + 1),
            write_limit: secured.write_limit,
            next_message,
            next_received: secured.next_seq,
            return_routability: secured.return_routability,
        });
        self.state = State::AwaitAck(AwaitAck { session: Some(session), opener, sealer, server });
        Ok(())
    }

    /// A record of epoch 3: whatever it is, the server has our last flight, for it sends none before.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn answered<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        content_type: ContentType,
        plaintext: &[u8],
    ) -> Result<Progress, Discard> {
        let State::AwaitAck(state) = &mut self.state else { return Err(Discard::UnknownEpoch) };
        match content_type {
            ContentType::ACK => {
                self.link.acknowledged(cx.now, plaintext)?;
                return Ok(self.complete_if_acknowledged());
            }
            ContentType::ALERT => {
                let alert = Alert::parse(plaintext).ok_or(Discard::MalformedContent)?.in_dtls_1_3();
                if alert.ends_connection() {
                    return Ok(self.link.fail(Failure::Refused(alert.description)));
                }
            }
            ContentType::HANDSHAKE => {
                let Identity { principal, authentication, .. } = state.server;
                // Whatever comes of it, it shows that the server is done.
                if let Some(session) = &mut state.session
                    && let Ok(Content::Ticket(ticket)) =
                        session.post_handshake(&Of::<P>::new(cx.crypto), plaintext)
                    && P::RESUMPTION
                    && let Some(resumption) = ticket.resumption(cx.now, principal, authentication)
                {
                    credentials.remember(&resumption);
                }
            }
            // Data that came before the ACK is lost, as any datagram may be.
            _ => {}
        }
        Ok(self.complete())
    }

    /// RFC 9147 section 7: done once all of the last flight has arrived.
    pub(super) fn complete_if_acknowledged(&mut self) -> Progress {
        match &self.state {
            State::AwaitAck(state) if self.link.has_arrived(&state.sealer) => self.complete(),
            _ => Progress::Continue,
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn complete(&mut self) -> Progress {
        self.state = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitAck(AwaitAck { session: Some(session), server, .. }) => {
                State::Complete(server.of(session))
            }
            State::AwaitAck(_) => State::Taken,
            other => other,
        };
        self.link.timer.stop();
        self.link.received.clear();
        self.link.flight.clear();
        Progress::Complete
    }

    /// Makes the next flight a first ClientHello again, under a new random and key share so that no key comes twice.
    pub(super) fn start_over<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Option<()> {
        self.offer.renew::<P, R>(cx, credentials)?;
        let mut transcript = Transcript::new(cx.crypto);
        self.link.received.clear();
        self.hello(cx, credentials, &mut transcript, None, &[])?;
        self.transcript = transcript;
        (self.retry, self.verified) = (None, None);
        self.state = State::AwaitServerHello;
        self.started_over = true;
        Some(())
    }

    /// A new flight goes out. Patience is renewed only until the handshake has started over once, or a server that
    /// contradicts itself would be asked for ever.
    pub(super) fn start_timer(&mut self, now: Instant) {
        match self.started_over {
            false => self.link.start(now),
            true => self.link.resume(now),
        }
    }
}
