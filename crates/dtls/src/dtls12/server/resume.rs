//! Taking up an earlier session (RFC 5246 section 7.3, RFC 5077, RFC 7627 section 5.3).

use sedge_crypto::{Crypto, CryptoRng};
use sedge_time::Instant;

use super::{AwaitFinished, Chosen, Machine, Peer, State};
use crate::alert::AlertDescription;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::dtls12::schedule::MasterSecret;
use crate::dtls12::ticket::Ticket;
use crate::dtls12::transcript::{Speech, Transcript};
use crate::handshake::message::MessageType;
use crate::handshake::resumption::SavedSession;
use crate::handshake::{Context, ticket};
use crate::profile::Profile;

/// A session that is to be taken up again.
pub(super) struct Found {
    pub(super) saved: SavedSession,
    /// When the client proved who it is, if a ticket says so.
    authenticated: Option<Instant>,
}

/// The session that a ClientHello wants to take up, if it may: what cannot be taken up is begun anew, without a word.
pub(super) fn find<P: Profile, R: ?Sized>(
    cx: &Context<'_, P::Crypto, R>,
    credentials: &mut impl Credentials<P::Crypto>,
    config: &ServerConfig<'_>,
    verified: &VerifiedHello<'_>,
) -> Option<Found> {
    if !P::RESUMPTION {
        return None;
    }
    let hello = &verified.hello;
    let (saved, authenticated) = match hello.extensions.session_ticket {
        // RFC 5077 section 3.4: beside a ticket, a session identifier says nothing of a session.
        Some(ticket) if !ticket.is_empty() => {
            let (keys, _) = credentials.tickets()?;
            let (saved, authenticated) = Ticket::open(keys, cx.crypto, cx.now, ticket)?;
            (saved, Some(authenticated))
        }
        _ if !hello.session_id.is_empty() && credentials.session_cache().is_some() => {
            let remembered = credentials.recall(hello.session_id)?;
            let same = remembered.session_id() == hello.session_id && cx.now < remembered.expires();
            (same.then_some(remembered.saved)?, None)
        }
        _ => return None,
    };
    let usable = saved.extended_master_secret
        && config.suites.contains(&saved.suite)
        && hello.offers(saved.suite)
        && credentials.may_resume(saved.principal);
    usable.then_some(Found { saved, authenticated })
}

/// A new ticket for a session that was taken up, if the one that was shown has less than half of its time left: a device
/// that comes back now and then needs a full handshake only as often as it has to prove anew who it is
/// ([`MAX_AGE`](crate::handshake::ticket::MAX_AGE)), and pays for a ticket only when it gains by it.
fn renew<C: Crypto, R: CryptoRng + ?Sized>(
    cx: &mut Context<'_, C, R>,
    credentials: &impl Credentials<C>,
    found: &Found,
) -> Option<Ticket> {
    let (keys, lifetime) = credentials.tickets()?;
    let Found { saved, authenticated } = found;
    let authenticated = (*authenticated)?;
    let expires = ticket::ends(cx.now, lifetime, authenticated)?;
    let is_old = saved.expires.saturating_since(cx.now) < lifetime.fraction(1, 2);
    let saved = SavedSession { expires, ..saved.clone() };
    (is_old && expires > found.saved.expires)
        .then(|| Ticket::seal(keys, cx.crypto, cx.rng, cx.now, &saved, authenticated))?
}

impl<P: Profile> Machine<P> {
    /// Starts an abbreviated handshake: this side's Finished comes first.
    pub(super) fn resume<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        mut chosen: Chosen,
        transcript: Transcript<P::Crypto>,
        verified: &VerifiedHello<'_>,
        found: Found,
    ) -> Result<Self, AlertDescription> {
        let ticket = renew(cx, credentials, &found);
        chosen.ticket = ticket.is_some();
        let saved = found.saved;
        let mut machine = Self::new(config, chosen, transcript, verified);
        let Self { link, chosen, transcript, .. } = &mut machine;
        let master = MasterSecret::from_secret(cx.crypto, saved.secret);
        master.log(cx, &chosen.randoms.client);
        let mut speech = Speech { link, transcript, message_seq: chosen.message_seq };
        speech
            .say(MessageType::SERVER_HELLO, |out| chosen.write_hello(out, &verified.hello))
            .ok_or(AlertDescription::INTERNAL_ERROR)?;
        // RFC 5077 section 3.3: before ChangeCipherSpec.
        if let Some(ticket) = &ticket {
            speech
                .say(MessageType::NEW_SESSION_TICKET, |out| ticket.write(out))
                .ok_or(AlertDescription::INTERNAL_ERROR)?;
        }
        let verify_data = master.server_verify_data(&speech.transcript.hash());
        speech.link.flight.change_cipher_spec();
        speech
            .say(MessageType::FINISHED, |out| out.bytes(&verify_data))
            .ok_or(AlertDescription::INTERNAL_ERROR)?;
        let expected = master.client_verify_data(&transcript.hash());
        machine.state = State::AwaitFinished(AwaitFinished {
            session: chosen.session(&master),
            master_secret: master.secret().clone(),
            peer: Ok(Peer { principal: saved.principal, authentication: saved.authentication }),
            expected,
            resumed: true,
            change_cipher_spec: false,
        });
        machine.link.timer.start(cx.now);
        Ok(machine)
    }
}
