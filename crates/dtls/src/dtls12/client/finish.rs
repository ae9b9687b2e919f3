//! The end of the handshake.

use sedge_crypto::{Crypto, constant_time_eq};

use super::{AwaitFinished, Complete, Machine, State};
use crate::alert::AlertDescription;
use crate::discard::Discard;
use crate::dtls12::schedule::MasterSecret;
use crate::dtls12::transcript::Transcript;
use crate::handshake::link::in_turn;
use crate::handshake::message::{Message, VERIFY_DATA};
use crate::handshake::{Context, Failure, Progress};
use crate::profile::Profile;
use crate::session::{LastFlight, Role};

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
    #[cfg_attr(target_os = "none", inline(never))]
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
        let expected = state.verify_data(cx.crypto, Role::Server, &state.transcript);
        if !constant_time_eq(message.body, &expected) {
            return match state.ticket_taken {
                // The ticket came unprotected after our Finished, so nothing has vouched for it.
                true => Err(self.contradicted()),
                false => Ok(self.link.fail(Failure::Aborted(AlertDescription::DECRYPT_ERROR))),
            };
        }
        // In a resumption the client has the last word.
        let last_flight = (P::RESUMPTION && state.agreed.resumed).then(|| {
            let mut transcript = state.transcript.clone();
            transcript.add(message);
            LastFlight {
                verify_data: state.verify_data(cx.crypto, Role::Client, &transcript),
                message_seq: self.offer.message_seq.saturating_add(1),
                sequence: self.link.sequence() as u32,
                ticket: None,
            }
        });
        self.complete(last_flight);
        Ok(Progress::Complete)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn complete(&mut self, last_flight: Option<LastFlight>) {
        self.state = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitFinished(AwaitFinished { mut session, agreed, master_secret, peer, .. }) => {
                let resumed = agreed.resumed;
                if let Some(last_flight) = last_flight {
                    session.set_last_flight(last_flight);
                }
                let saved = P::RESUMPTION.then_some((agreed, master_secret));
                State::Complete(Complete { session, peer, resumed, sent: !resumed, saved })
            }
            other => other,
        };
        self.link.timer.stop();
        self.link.flight.clear();
    }
}

impl<C: Crypto> AwaitFinished<C> {
    /// What the Finished of that side has to say behind the messages of `transcript`.
    #[cfg_attr(target_os = "none", inline(never))]
    fn verify_data(&self, crypto: &C, role: Role, transcript: &Transcript<C>) -> [u8; VERIFY_DATA] {
        let master = MasterSecret::from_secret(crypto, self.master_secret.clone());
        match role {
            Role::Client => master.client_verify_data(&transcript.hash()),
            Role::Server => master.server_verify_data(&transcript.hash()),
        }
    }
}
