//! What a client says once the server has said everything: flight 5 of a full handshake.

use sedge_crypto::{Crypto, CryptoRng, Secret};

use super::{AwaitFinished, Due, Machine, ServerFlight, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::certificate;
use crate::dtls12::key_exchange::ClientKeyExchange;
use crate::dtls12::premaster::Premaster;
use crate::dtls12::schedule::{Binding, MasterSecret, RecordKeys};
use crate::dtls12::transcript::Speech;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;
use crate::suite::KeyExchange;

impl<P: Profile> Machine<P> {
    /// RFC 5246 section 7.4.5: now it is our turn.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn server_hello_done<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let State::AwaitServerFlight(flight) = &self.state else { return Err(Discard::UnexpectedHandshake) };
        if !message.body.is_empty() {
            return Err(Discard::MalformedHandshake);
        }
        let (share, request) = match flight.due {
            Due::Done { share, request } => (share, request),
            Due::KeyExchange(None) if flight.chosen.key_exchange.in_profile::<P>() == KeyExchange::Psk => {
                (None, None)
            }
            Due::Certificate | Due::KeyExchange(_) => return Err(Discard::UnexpectedHandshake),
        };
        // The key agreement comes before anything is changed: a share that is no point is not the server's.
        let mut shared = Secret::zero();
        let mut own_share = None;
        if P::ECDHE
            && let Some(share) = share
        {
            self.effort.spend()?;
            let agreed = cx.crypto.ephemeral_key(share.group(), cx.rng).and_then(|key| {
                own_share = Some(cx.crypto.key_share(&key));
                cx.crypto.agree(&key, share.as_bytes())
            });
            match agreed {
                Ok(agreed) => shared = agreed,
                Err(_) => {
                    self.suspect(Failure::Aborted(AlertDescription::ILLEGAL_PARAMETER));
                    let _ = self.contradicted();
                    return Err(Discard::BadKeyShare);
                }
            }
        }
        let own_point = own_share.as_ref().map_or(&[][..], |share| share.as_bytes());
        self.taken.push(cx.crypto, message);
        match self.write_flight(cx, credentials, message, &shared, own_point, request) {
            Some(()) => {
                self.start_timer(cx.now);
                Ok(Progress::Continue)
            }
            None => Ok(self.link.fail(Failure::Aborted(AlertDescription::INTERNAL_ERROR))),
        }
    }

    /// Makes the flight ours, and waits for the server's Finished.
    #[cfg_attr(target_os = "none", inline(never))]
    fn write_flight<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
        shared: &Secret<32>,
        own_point: &[u8],
        request: Option<bool>,
    ) -> Option<()> {
        let Self { link, offer, state, .. } = self;
        let State::AwaitServerFlight(ServerFlight { chosen, transcript, .. }) = state else { return None };
        transcript.add(message);
        link.flight.clear();
        let message_seq = offer.message_seq.checked_add(1)?;
        let mut speech = Speech { link, transcript, message_seq };

        // RFC 5246 section 7.4.6: whoever was asked answers, be it that there is nothing to show.
        let own = request.filter(|_| P::CERTIFICATES).map(|usable| {
            Some(chosen.client_kind).filter(|&kind| usable && credentials.certificate(kind, 0).is_some())
        });
        if let Some(own) = own {
            speech.say(MessageType::CERTIFICATE, |out| certificate::write(out, own, &*credentials))?;
        }
        let kind = chosen.key_exchange.in_profile::<P>();
        let premaster = key_exchange::<P>(&mut speech, credentials, kind, shared, own_point)?;
        let session_hash = speech.transcript.hash();
        let binding = match chosen.agreed.extended_master_secret {
            true => Binding::SessionHash(&session_hash),
            false => Binding::Randoms,
        };
        let master = MasterSecret::new(cx.crypto, &premaster, &chosen.randoms, binding);
        master.log(cx, &chosen.randoms.client);
        // RFC 5246 section 7.4.8: signs everything so far.
        if let Some(Some(_)) = own {
            let signature = credentials.sign(cx.crypto, cx.rng, &session_hash)?;
            speech.say(MessageType::CERTIFICATE_VERIFY, |out| certificate::write_verify(out, &signature))?;
        }
        let verify_data = master.client_verify_data(&speech.transcript.hash());
        speech.link.flight.change_cipher_spec();
        speech.say(MessageType::FINISHED, |out| out.bytes(&verify_data))?;
        let keys = master.record_keys(&chosen.randoms);
        self.await_finished(&master, keys);
        Some(())
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn await_finished(&mut self, master: &MasterSecret<P::Crypto>, keys: RecordKeys) {
        let State::AwaitServerFlight(ServerFlight { chosen, peer, transcript, .. }) = &self.state else {
            return;
        };
        self.state = State::AwaitFinished(AwaitFinished {
            session: chosen.session(keys, self.sealed),
            master_secret: master.secret().clone(),
            agreed: chosen.agreed,
            peer: *peer,
            transcript: transcript.clone(),
            ticket_taken: false,
            change_cipher_spec: false,
        });
    }
}

/// RFC 5246 section 7.4.7: says ClientKeyExchange, and what the exchange yields. A suite with a pre-shared key was offered
/// because there was one.
#[cfg_attr(target_os = "none", inline(never))]
fn key_exchange<P: Profile>(
    speech: &mut Speech<'_, P::Flight, P::Crypto>,
    credentials: &mut impl Credentials<P::Crypto>,
    kind: KeyExchange,
    shared: &Secret<32>,
    point: &[u8],
) -> Option<Premaster> {
    let own_psk = if P::PSK && kind.uses_psk() { Some(credentials.own_psk()?) } else { None };
    let identity = own_psk.map_or(&[][..], |(identity, _)| identity);
    let body = ClientKeyExchange { identity, point };
    speech.say(MessageType::CLIENT_KEY_EXCHANGE, |out| body.write(out, kind))?;
    Some(match (kind, own_psk) {
        (KeyExchange::EcdhePsk, Some((_, psk))) => Premaster::ecdhe_psk(shared, psk),
        (KeyExchange::Psk, Some((_, psk))) => Premaster::psk(psk),
        (_, _) => Premaster::ecdhe(shared),
    })
}
