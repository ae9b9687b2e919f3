//! The end of the handshake.

use sedge_crypto::constant_time_eq;

use super::{AwaitFinished, Complete, Machine, State};
use crate::alert::AlertDescription;
use crate::discard::Discard;
use crate::dtls12::schedule::MasterSecret;
use crate::handshake::link::in_turn;
use crate::handshake::message::Message;
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;
use crate::session::LastFlight;

impl<P: Profile> Machine<P> {
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

    /// RFC 5246 section 7.4.9: if the server's Finished is right, the session is good.
    pub(super) fn finished<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished(state) = &self.state else { return Err(Discard::UnexpectedHandshake) };
        if !state.change_cipher_spec {
            return Err(Discard::UnexpectedHandshake);
        }
        if P::RESUMPTION && state.agreed.ticket && !state.ticket_taken {
            return Err(Discard::HandshakeEarly);
        }
        in_turn(message.message_seq, self.taken.next_seq())?;
        let mut transcript = state.transcript.clone();
        let master = MasterSecret::<P::Crypto>::from_secret(cx.crypto, state.master_secret.clone());
        let expected = master.server_verify_data(&transcript.hash());
        if !constant_time_eq(message.body, &expected) {
            return match state.ticket_taken {
                // The ticket came unprotected after our Finished, so nothing has vouched for it.
                true => Err(self.contradicted()),
                false => Ok(self.link.fail(Failure::Aborted(AlertDescription::DECRYPT_ERROR))),
            };
        }
        transcript.add(message);
        let resumed = state.agreed.resumed;
        self.state = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitFinished(AwaitFinished { mut session, agreed, master_secret, peer, .. }) => {
                // In a resumption the client has the last word.
                if P::RESUMPTION && resumed {
                    session.set_last_flight(LastFlight {
                        verify_data: master.client_verify_data(&transcript.hash()),
                        message_seq: self.offer.message_seq.saturating_add(1),
                        sequence: self.link.sequence() as u32,
                        ticket: None,
                    });
                }
                let saved = P::RESUMPTION.then_some((agreed, master_secret));
                State::Complete(Complete { session, peer, resumed, sent: !resumed, saved })
            }
            other => other,
        };
        self.link.timer.stop();
        self.link.flight.clear();
        Ok(Progress::Complete)
    }
}
