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

    /// Appends a message to the flight, and takes it in.
    pub(crate) fn say<B: Buffer>(
        &mut self,
        link: &mut Link<B>,
        message_type: MessageType,
        message_seq: u16,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<()> {
        self.add_bytes(link.flight.push(message_type, message_seq, body)?);
        Some(())
    }

    /// The hash of everything so far.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.0.clone().finish()
    }
}

impl<C: Crypto> Clone for Transcript<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
