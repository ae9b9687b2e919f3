//! The running hash of all handshake messages (RFC 5246 section 7.4.9, RFC 6347 section 4.2.6).

use sedge_crypto::{Crypto, Hash};

use crate::handshake::link::Link;
use crate::handshake::message::{Message, MessageType};
use crate::profile::Buffer;
use crate::wire::Writer;

/// The messages so far, each as if it had been sent in one piece.
pub(crate) struct Transcript<C: Crypto>(C::Hash);

impl<C: Crypto> Transcript<C> {
    pub(crate) fn new(crypto: &C) -> Self {
        Self(crypto.sha256())
    }

    /// Takes in a message that stands somewhere with its header.
    pub(crate) fn add_bytes(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// Takes in a received message.
    pub(crate) fn add(&mut self, message: &Message<'_>) {
        self.0.update(&message.header());
        self.0.update(message.body);
    }

    /// The hash of everything so far.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.0.clone().finish()
    }
}

impl<C: Crypto> Clone for Transcript<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What a side says in one flight: every message goes into the flight, under the next number, and into the transcript.
pub(crate) struct Speech<'a, B, C: Crypto> {
    pub(crate) link: &'a mut Link<B>,
    pub(crate) transcript: &'a mut Transcript<C>,
    /// The number of the next message.
    pub(crate) message_seq: u16,
}

impl<B: Buffer, C: Crypto> Speech<'_, B, C> {
    /// Says a message; `None` if the flight has no room for it.
    pub(crate) fn say(
        &mut self,
        message_type: MessageType,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<()> {
        self.transcript.add_bytes(self.link.flight.push(message_type, self.message_seq, body)?);
        self.message_seq = self.message_seq.checked_add(1)?;
        Some(())
    }
}
