//! Taking up an earlier session (RFC 5246 section 7.3, RFC 5077, RFC 7627 section 5.3).

use sedge_crypto::CryptoRng;

use super::{AwaitFinished, Chosen, Machine, Peer, State};
use crate::alert::AlertDescription;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::dtls12::schedule::MasterSecret;
use crate::dtls12::ticket::Ticket;
use crate::dtls12::transcript::{Speech, Transcript};
use crate::handshake::Context;
use crate::handshake::message::MessageType;
use crate::handshake::resumption::SavedSession;
use crate::profile::Profile;

/// The session that a ClientHello wants to take up, if it may: what cannot be taken up is begun anew, without a word.
pub(super) fn find<P: Profile, R: ?Sized>(
    cx: &Context<'_, P::Crypto, R>,
    credentials: &mut impl Credentials<P::Crypto>,
    config: &ServerConfig<'_>,
    verified: &VerifiedHello<'_>,
) -> Option<SavedSession> {
    if !P::RESUMPTION {
        return None;
    }
    let hello = &verified.hello;
    let saved = match hello.extensions.session_ticket {
        // RFC 5077 section 3.4: beside a ticket, a session identifier says nothing of a session.
        Some(ticket) if !ticket.is_empty() => {
            let (keys, _) = credentials.tickets()?;
            Ticket::open(keys, cx.crypto, cx.now, ticket)?
        }
        _ if !hello.session_id.is_empty() && credentials.session_cache().is_some() => {
            let remembered = credentials.recall(hello.session_id)?;
            let same = remembered.session_id() == hello.session_id && cx.now < remembered.expires();
            same.then_some(remembered.saved)?
        }
        _ => return None,
    };
    let usable = saved.extended_master_secret
        && config.suites.contains(&saved.suite)
        && hello.offers(saved.suite)
        && credentials.may_resume(saved.principal);
    usable.then_some(saved)
}

impl<P: Profile> Machine<P> {
    /// Starts an abbreviated handshake: this side's Finished comes first.
    pub(super) fn resume<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        config: &ServerConfig<'_>,
        chosen: Chosen,
        transcript: Transcript<P::Crypto>,
        verified: &VerifiedHello<'_>,
        saved: SavedSession,
    ) -> Result<Self, AlertDescription> {
        let mut machine = Self::new(config, chosen, transcript, verified);
        let Self { link, chosen, transcript, .. } = &mut machine;
        let master = MasterSecret::from_secret(cx.crypto, saved.secret);
        master.log(cx, &chosen.randoms.client);
        let mut speech = Speech { link, transcript, message_seq: chosen.message_seq };
        speech
            .say(MessageType::SERVER_HELLO, |out| chosen.write_hello(out, &verified.hello))
            .ok_or(AlertDescription::INTERNAL_ERROR)?;
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
