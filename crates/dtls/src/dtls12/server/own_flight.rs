//! What a server says first: flight 4 of a full handshake.

use sedge_crypto::{Crypto, CryptoRng};

use super::{Chosen, Claim, Machine, State};
use crate::alert::AlertDescription;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::dtls12::certificate;
use crate::dtls12::effort::Effort;
use crate::dtls12::key_exchange::{ServerKeyExchange, ServerShare};
use crate::dtls12::taken::Taken;
use crate::dtls12::transcript::{Speech, Transcript};
use crate::handshake::Context;
use crate::handshake::link::Link;
use crate::handshake::message::MessageType;
use crate::profile::{Profile, Slot};
use crate::suite::KeyExchange;

impl<P: Profile> Machine<P> {
    /// Starts a full handshake.
    pub(super) fn answer<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        chosen: Chosen,
        transcript: Transcript<P::Crypto>,
        verified: &VerifiedHello<'_>,
    ) -> Result<Self, AlertDescription> {
        let mut machine = Self::new(config, chosen, transcript, verified);
        machine.write_flight(cx, credentials, verified).ok_or(AlertDescription::INTERNAL_ERROR)?;
        machine.state = machine.start();
        machine.link.timer.start(cx.now);
        Ok(machine)
    }

    /// Nothing said yet.
    pub(super) fn new(
        config: &ServerConfig<'_>,
        chosen: Chosen,
        transcript: Transcript<P::Crypto>,
        verified: &VerifiedHello<'_>,
    ) -> Self {
        Self {
            // RFC 6347 section 4.2.1: record and message numbers go on from the hello's, as no other is kept.
            link: Link::new(&config.transport, verified.sequence),
            taken: Taken::starting_at(chosen.message_seq + 1),
            chosen,
            ephemeral: None,
            transcript,
            effort: Effort::new(),
            state: State::Taken,
        }
    }

    /// Where the client's flight begins.
    pub(super) fn start(&self) -> State<P::Crypto> {
        match self.chosen.means.client {
            Some(_) if P::CERTIFICATES => State::AwaitCertificate,
            _ => State::AwaitClientKeyExchange(self.transcript.clone(), Claim::Nothing(Ok(()))),
        }
    }

    fn write_flight<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        verified: &VerifiedHello<'_>,
    ) -> Option<()> {
        let Self { link, chosen, ephemeral, transcript, .. } = self;
        let mut speech = Speech { link, transcript, message_seq: chosen.message_seq };
        // RFC 5246 section 7.4.1.3.
        speech.say(MessageType::SERVER_HELLO, |out| chosen.write_hello(out, &verified.hello))?;
        let means = chosen.means;
        // RFC 5246 section 7.4.2.
        if P::CERTIFICATES && means.own.is_some() {
            let own = means.own;
            speech.say(MessageType::CERTIFICATE, |out| certificate::write(out, own, &*credentials))?;
        }
        // RFC 8422 section 5.4.
        if P::ECDHE
            && let Some(group) = means.group
        {
            let key = cx.crypto.ephemeral_key(group, cx.rng).ok()?;
            let share = cx.crypto.key_share(&key);
            let kind = chosen.key_exchange;
            let signature = match kind {
                KeyExchange::EcdheEcdsa => {
                    let digest = ServerShare::digest_of(cx.crypto, &chosen.randoms, group, share.as_bytes())?;
                    Some(credentials.sign(cx.crypto, cx.rng, &digest)?)
                }
                KeyExchange::Psk | KeyExchange::EcdhePsk => None,
            };
            speech.say(MessageType::SERVER_KEY_EXCHANGE, |out| {
                ServerKeyExchange::write(out, kind, group, share.as_bytes(), signature.as_ref());
            })?;
            *ephemeral = Some(Slot::put(key)?);
        }
        // RFC 5246 section 7.4.4.
        if P::CERTIFICATES && means.client.is_some() {
            speech.say(MessageType::CERTIFICATE_REQUEST, certificate::write_request)?;
        }
        // RFC 5246 section 7.4.5.
        speech.say(MessageType::SERVER_HELLO_DONE, |_| {})?;
        chosen.next_seq = speech.message_seq;
        Some(())
    }
}
