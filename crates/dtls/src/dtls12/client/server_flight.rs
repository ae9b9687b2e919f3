//! What the server says after its hello, in the order of the protocol.

use sedge_crypto::{Crypto, CryptoRng, KeyShare, NamedGroup, PublicKey};

use super::{Due, Machine, ServerFlight, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::certificate;
use crate::dtls12::key_exchange::{DigitallySigned, ServerKeyExchange, ServerShare};
use crate::dtls12::taken::Place;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;
use crate::suite::KeyExchange;

/// Why a message of the server's flight is not taken.
enum Refused {
    /// It makes no sense here.
    Dropped(Discard),
    /// If no better one comes, this is the answer to it.
    Suspect(AlertDescription, Discard),
    /// The same; and what came before it may have been forged.
    Contradicting(AlertDescription, Discard),
}

impl From<Discard> for Refused {
    fn from(discard: Discard) -> Self {
        Self::Dropped(discard)
    }
}

impl<P: Profile> Machine<P> {
    /// Takes in a message between ServerHello and ServerHelloDone.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn server_flight<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let place = self.taken.place(cx.crypto, message);
        match (&self.state, place) {
            (State::AwaitServerFlight(_), Place::Due) => {}
            (State::AwaitServerFlight(_) | State::AwaitFinished(_), Place::Repeated) => {
                if message.message_type == MessageType::SERVER_HELLO_DONE {
                    self.link.repeat(cx.now);
                }
                return Err(Discard::HandshakeRepeated);
            }
            // Its number was taken by another, or the flight seemed to be over: one of the two is not the server's.
            (State::AwaitServerFlight(_), Place::Contradicting)
            | (State::AwaitFinished(_), Place::Contradicting | Place::Due) => return Err(self.contradicted()),
            (State::AwaitServerFlight(_) | State::AwaitFinished(_), Place::Early) => {
                return Err(Discard::HandshakeEarly);
            }
            _ => return Err(Discard::UnexpectedHandshake),
        }
        if message.message_type == MessageType::SERVER_HELLO_DONE {
            return self.server_hello_done(cx, credentials, message);
        }
        let Self { offer, effort, state, .. } = self;
        let State::AwaitServerFlight(flight) = state else { return Err(Discard::UnexpectedHandshake) };
        let step = match (flight.due, message.message_type) {
            (Due::Certificate, MessageType::CERTIFICATE) if P::CERTIFICATES => {
                effort.spend()?;
                flight.certificate(cx, credentials, message)
            }
            (Due::KeyExchange(key), MessageType::SERVER_KEY_EXCHANGE) => {
                if P::CERTIFICATES && key.is_some() {
                    effort.spend()?;
                }
                flight.server_key_exchange::<P, R>(cx, key, message, |group| offer.offers_group(group))
            }
            (Due::Done { share, request: None }, MessageType::CERTIFICATE_REQUEST)
                if P::CERTIFICATES
                    && flight.chosen.key_exchange.in_profile::<P>() == KeyExchange::EcdheEcdsa =>
            {
                certificate::parse_request(message.body)
                    .map(|usable| Due::Done { share, request: Some(usable) })
                    .ok_or(Refused::Dropped(Discard::MalformedHandshake))
            }
            _ => Err(Refused::Dropped(Discard::UnexpectedHandshake)),
        };
        match step {
            Ok(due) => {
                flight.due = due;
                flight.transcript.add(message);
                self.taken.push(cx.crypto, message);
                Ok(Progress::Continue)
            }
            Err(Refused::Dropped(discard)) => Err(discard),
            Err(Refused::Suspect(description, discard)) => {
                self.suspect(Failure::Aborted(description));
                Err(discard)
            }
            Err(Refused::Contradicting(description, discard)) => {
                self.suspect(Failure::Aborted(description));
                let _ = self.contradicted();
                Err(discard)
            }
        }
    }
}

impl<C: Crypto> ServerFlight<C> {
    /// RFC 5246 section 7.4.2. Nobody but the server has anything from showing another's certificate: what follows has to
    /// be signed with its key.
    #[cfg_attr(target_os = "none", inline(never))]
    fn certificate<R: ?Sized>(
        &mut self,
        cx: &Context<'_, C, R>,
        credentials: &mut impl Credentials<C>,
        message: &Message<'_>,
    ) -> Result<Due, Refused> {
        let parsed = certificate::parse(self.chosen.server_kind, message.body);
        let untrusted = |description| Refused::Suspect(description, Discard::UntrustedCertificate);
        // A server always shows something.
        let shown = parsed.ok_or(Discard::MalformedHandshake)?;
        let shown = shown.ok_or(untrusted(AlertDescription::BAD_CERTIFICATE))?;
        let verified = credentials.verify(cx.crypto, &shown).map_err(untrusted)?;
        self.peer.principal = verified.principal;
        Ok(Due::KeyExchange(Some(verified.public_key)))
    }

    /// RFC 8422 section 5.4; without ephemeral keys an identity hint (RFC 4279 section 2), of which this client makes no
    /// use.
    #[cfg_attr(target_os = "none", inline(never))]
    fn server_key_exchange<P: Profile<Crypto = C>, R: ?Sized>(
        &mut self,
        cx: &Context<'_, C, R>,
        key: Option<PublicKey>,
        message: &Message<'_>,
        offered: impl Fn(NamedGroup) -> bool,
    ) -> Result<Due, Refused> {
        let kind = self.chosen.key_exchange.in_profile::<P>();
        let ServerKeyExchange { share, signature } =
            ServerKeyExchange::parse(kind, message.body).ok_or(Discard::MalformedHandshake)?;
        let Some(share) = share.filter(|_| P::ECDHE) else {
            return Ok(Due::Done { share: None, request: None });
        };
        if P::CERTIFICATES
            && let Some(key) = key
        {
            // The server's random is signed too: it may be ServerHello that was forged.
            signature
                .filter(|signed| self.is_signed(cx.crypto, &share, &key, signed))
                .ok_or(Refused::Contradicting(AlertDescription::DECRYPT_ERROR, Discard::BadSignature))?;
        }
        let share = key_share(&share, offered)
            .ok_or(Refused::Contradicting(AlertDescription::ILLEGAL_PARAMETER, Discard::BadKeyShare))?;
        Ok(Due::Done { share: Some(share), request: None })
    }

    /// Whether the server's share is signed with this key.
    #[cfg_attr(target_os = "none", inline(never))]
    fn is_signed(
        &self,
        crypto: &C,
        share: &ServerShare<'_>,
        key: &PublicKey,
        signed: &DigitallySigned<'_>,
    ) -> bool {
        let digest = share.digest(crypto, &self.chosen.randoms);
        signed.signature().is_some_and(|signature| crypto.verify(key, &digest, &signature).is_ok())
    }
}

/// The server's share, if it is in an offered group and has its form.
fn key_share(share: &ServerShare<'_>, offered: impl Fn(NamedGroup) -> bool) -> Option<KeyShare> {
    match NamedGroup::from_u16(share.group).filter(|&group| offered(group))? {
        NamedGroup::Secp256r1 => Some(KeyShare::secp256r1(&PublicKey::from_bytes(share.point).ok()?)),
        NamedGroup::X25519 => Some(KeyShare::x25519(share.point.try_into().ok()?)),
    }
}
