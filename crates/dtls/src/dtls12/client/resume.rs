//! Taking up an earlier session (RFC 5246 section 7.3, RFC 5077, RFC 7627 section 5.3).

use sedge_time::Duration;

use super::chosen::Chosen;
use super::{AwaitFinished, Complete, Machine, Peer, State};
use crate::alert::AlertDescription;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::schedule::MasterSecret;
use crate::dtls12::taken::Place;
use crate::dtls12::ticket::NewSessionTicket;
use crate::dtls12::transcript::Transcript;
use crate::handshake::message::Message;
use crate::handshake::resumption::{Handle, HandleKind, Resumption, SavedSession};
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;

/// How long a session is remembered if the server does not say (RFC 5246 section F.1.4: at most a day).
const DAY: u32 = 24 * 60 * 60;

impl<P: Profile> Machine<P> {
    /// The server takes the session up that was offered: the keys follow from its secret and the new randoms.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn resume<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        chosen: Chosen,
        transcript: Transcript<P::Crypto>,
    ) -> Result<State<P::Crypto>, Discard> {
        let resumption = self.offer.resumable::<P>(credentials);
        // RFC 5246 section 7.4.1.3, RFC 7627 section 5.3: the suite and the extended master secret are the session's.
        let saved = resumption.map(|resumption| resumption.saved).filter(|saved| {
            saved.suite == chosen.agreed.suite
                && saved.extended_master_secret == chosen.agreed.extended_master_secret
        });
        let Some(SavedSession { secret, principal, authentication, .. }) = saved else {
            self.suspect(Failure::Aborted(AlertDescription::ILLEGAL_PARAMETER));
            return Err(Discard::UnofferedChoice);
        };
        let master = MasterSecret::from_secret(cx.crypto, secret);
        master.log(cx, &chosen.randoms.client);
        let sealed = match &self.state {
            State::AwaitFinished(state) => state.session.next_sequence(),
            _ => self.sealed,
        };
        Ok(State::AwaitFinished(AwaitFinished {
            session: chosen.session(master.record_keys(&chosen.randoms), sealed),
            master_secret: master.secret().clone(),
            agreed: chosen.agreed,
            peer: Peer { principal, authentication },
            transcript,
            ticket_taken: false,
            change_cipher_spec: false,
        }))
    }

    /// RFC 5077 section 3.3: right before ChangeCipherSpec.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn new_session_ticket<R: ?Sized>(
        &mut self,
        cx: &Context<'_, P::Crypto, R>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished(state) = &mut self.state else { return Err(Discard::UnexpectedHandshake) };
        match self.taken.place(cx.crypto, message) {
            Place::Due if state.agreed.ticket && !state.ticket_taken => {}
            Place::Repeated => return Err(Discard::HandshakeRepeated),
            Place::Contradicting => return Err(self.contradicted()),
            Place::Due | Place::Early => return Err(Discard::UnexpectedHandshake),
        }
        let _ = NewSessionTicket::parse(message.body).ok_or(Discard::MalformedHandshake)?;
        state.transcript.add(message);
        state.ticket_taken = true;
        self.taken.push(cx.crypto, message);
        Ok(Progress::Continue)
    }

    /// Keeps what a later handshake needs: `ticket` is the body of the server's NewSessionTicket.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn remember<R: ?Sized>(
        &mut self,
        cx: &Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        ticket: Option<&[u8]>,
    ) {
        let State::Complete(Complete { peer, saved, .. }) = &mut self.state else { return };
        let Some((agreed, secret)) = saved.take() else { return };
        let ticket = ticket.filter(|_| agreed.ticket).and_then(NewSessionTicket::parse);
        let (handle, lifetime) = match ticket {
            Some(new) if !new.ticket.is_empty() => {
                (Handle::new(HandleKind::Ticket, new.ticket), new.lifetime_hint)
            }
            // An identifier that came back with a ticket's session says nothing of a session by itself.
            _ if !agreed.resumed && !agreed.session_id.as_bytes().is_empty() => {
                (Handle::new(HandleKind::SessionId, agreed.session_id.as_bytes()), 0)
            }
            _ => return,
        };
        let Some(handle) = handle else { return };
        let seconds = if lifetime == 0 { DAY } else { lifetime.min(7 * DAY) };
        let saved = SavedSession {
            suite: agreed.suite,
            secret,
            principal: peer.principal,
            expires: cx.now + Duration::from_secs(seconds.into()),
            extended_master_secret: agreed.extended_master_secret,
            authentication: peer.authentication,
        };
        credentials.remember(&Resumption { saved, handle, received: cx.now, age_add: 0 });
    }
}
