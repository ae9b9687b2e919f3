//! What comes in: hellos in the clear, sealed records, their messages in turn (RFC 9147 sections 4 and 5).

use core::cmp::Ordering;

use sedge_crypto::CryptoRng;

use super::{Client, Secured, State};
use crate::alert::Alert;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls13::ack::RecordNumber;
use crate::dtls13::epoch::is_of_handshake;
use crate::dtls13::link::Arrival;
use crate::dtls13::protection::OpenedRecord;
use crate::handshake::link::for_each_fragment;
use crate::handshake::message::{Fragment, MessageType};
use crate::handshake::{Context, Progress};
use crate::profile::Profile;
use crate::record::ContentType;
use crate::session::{Of, Unprotected, Unprotected13};

impl<P: Profile> Client<P> {
    /// A handshake message in the clear.
    pub(super) fn hello<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        fragment: Fragment<'_>,
        sequence: u64,
    ) -> Result<Progress, Discard> {
        if P::DTLS_1_2
            && fragment.message_type == MessageType::HELLO_VERIFY_REQUEST
            && let Some(message) = fragment.whole()
        {
            return self.machine.hello_verify_request(cx, credentials, &message);
        }
        if fragment.message_type != MessageType::SERVER_HELLO {
            return Err(Discard::UnexpectedHandshake);
        }
        let secured = !matches!(self.machine.state, State::AwaitServerHello);
        let mut outcome = match fragment.whole() {
            Some(message) => self.machine.server_hello(cx, credentials, &message),
            // What is being put together now is protected, and not to be thrown away for something that is not.
            None if secured => Err(Discard::HandshakeRepeated),
            None => match self.inbox.accept(fragment)? {
                Some(message) => {
                    let outcome = self.machine.server_hello(cx, credentials, &message);
                    self.inbox.clear();
                    outcome
                }
                None => return Ok(Progress::Continue),
            },
        };
        if outcome.is_ok() {
            self.unseal(cx.crypto, secured);
            outcome = Ok(self.take_in_what_waited(cx, credentials));
        }
        // RFC 9147 section 7: what of the flight is in the clear is acknowledged like the rest.
        if matches!(outcome, Ok(_) | Err(Discard::HandshakeRepeated))
            && matches!(self.machine.state, State::AwaitFinished(_))
        {
            self.machine.link.note(cx.now, RecordNumber { epoch: 0, sequence });
        }
        outcome
    }

    /// A record with a unified header.
    pub(super) fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let own_cid = self.own_cid();
        let opener = match &mut self.machine.state {
            State::AwaitFinished(secured) => &mut secured.opener,
            State::AwaitAck(state) if !state.opener.is_for(record) => {
                let session = state.session.as_mut().ok_or(Discard::UnknownEpoch)?;
                let unprotected = session.unprotect(&Of::<P>::new(cx.crypto), record)?;
                let Unprotected::Current(Unprotected13 { content_type, plaintext, .. }) = unprotected else {
                    return Err(Discard::UnknownEpoch);
                };
                return self.machine.answered(cx, credentials, content_type, plaintext);
            }
            State::AwaitAck(state) => &mut state.opener,
            // It may have overtaken the ServerHello.
            State::AwaitServerHello if is_of_handshake(record, &own_cid) => {
                self.inbox.put_sealed(record);
                return Err(Discard::UnknownEpoch);
            }
            _ => return Err(Discard::UnknownEpoch),
        };
        let OpenedRecord { content_type, plaintext, sequence } = opener.open(cx.crypto, record)?;
        if let State::AwaitFinished(secured) = &mut self.machine.state {
            secured.authentic = true;
        }
        match content_type {
            ContentType::HANDSHAKE => {
                let number = RecordNumber { epoch: 2, sequence };
                self.messages(cx, credentials, plaintext, number)
            }
            ContentType::ACK => {
                self.machine.link.acknowledged(cx.now, plaintext)?;
                Ok(self.machine.complete_if_acknowledged())
            }
            ContentType::ALERT => {
                let alert = Alert::parse(plaintext).ok_or(Discard::MalformedContent)?.in_dtls_1_3();
                match alert.ends_connection() {
                    true => Ok(self.machine.refused(alert.description)),
                    false => Ok(Progress::Continue),
                }
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }

    /// The handshake messages of a record of epoch 2.
    fn messages<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        plaintext: &[u8],
        number: RecordNumber,
    ) -> Result<Progress, Discard> {
        let mut arrival = Arrival::default();
        let outcome = for_each_fragment(plaintext, |fragment| {
            let outcome = self.fragment(cx, credentials, fragment, &mut arrival);
            arrival.note(outcome);
            outcome
        });
        // Only a flight that is not complete is acknowledged: our answer says that the whole one has arrived.
        if matches!(self.machine.state, State::AwaitFinished(_)) {
            self.machine.link.note_arrival(cx.now, number, &arrival);
        }
        outcome
    }

    fn fragment<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        fragment: Fragment<'_>,
        arrival: &mut Arrival,
    ) -> Result<Progress, Discard> {
        let Self { inbox, machine } = self;
        let secured = match &machine.state {
            State::AwaitFinished(secured) => secured,
            // The server's flight again: it does not have ours.
            _ => {
                machine.link.repeat(cx.now);
                return Err(Discard::HandshakeRepeated);
            }
        };
        if secured.is_refused() {
            return Err(Discard::UnexpectedHandshake);
        }
        match fragment.message_seq.cmp(&secured.next_seq) {
            Ordering::Less => return Err(Discard::HandshakeRepeated),
            Ordering::Equal => {}
            Ordering::Greater => return arrival.early(inbox.store(&fragment, secured.next_seq)),
        }
        let Some(message) = inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let progress = machine.message(cx, credentials, &message);
        inbox.clear();
        match progress {
            Progress::Continue => Ok(self.take_in_what_waited(cx, credentials)),
            end => Ok(end),
        }
    }

    /// Takes in what came ahead of its turn, if that has come.
    fn take_in_what_waited<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Progress {
        let Self { inbox, machine } = self;
        while let State::AwaitFinished(secured) = &machine.state
            && let message_seq = secured.next_seq
            && let Some(message) = inbox.due(message_seq)
        {
            let progress = machine.message(cx, credentials, &message);
            inbox.clear();
            inbox.forget_early(message_seq);
            if progress != Progress::Continue {
                return progress;
            }
        }
        Progress::Continue
    }

    /// There are keys: opens what came before them, unless these are others than it was waiting for.
    fn unseal(&mut self, crypto: &P::Crypto, replaced: bool) {
        let Self { inbox, machine } = self;
        inbox.clear();
        if replaced {
            inbox.clear_early();
        }
        let State::AwaitFinished(Secured { opener, authentic, .. }) = &mut machine.state else { return };
        inbox.unseal(|record| {
            let from = opener.header_len(record)?;
            let OpenedRecord { content_type, plaintext, .. } = opener.open(crypto, record).ok()?;
            *authentic = true;
            (content_type == ContentType::HANDSHAKE).then(|| from..from + plaintext.len())
        });
    }
}
