//! The running hash of all handshake messages (RFC 8446 section 4.4.1).
//!
//! A message enters it with the header it has in TLS, of type and length: RFC 9147 section 5.2 leaves message_seq and
//! fragments out.

use sedge_crypto::{Crypto, Hash};

use super::schedule::Digest;
use crate::handshake::message::MessageType;

/// The messages so far.
pub(crate) struct Transcript<C: Crypto>(C::Hash);

impl<C: Crypto> Transcript<C> {
    pub(crate) fn new(crypto: &C) -> Self {
        Self(crypto.sha256())
    }

    /// What a HelloRetryRequest makes of a transcript: in place of the first ClientHello stands a message with its
    /// hash, so that the server need not keep more of it.
    pub(crate) fn after_retry(crypto: &C, first_hello: &Digest) -> Self {
        let mut transcript = Self::new(crypto);
        transcript.add(MessageType::MESSAGE_HASH, first_hello);
        transcript
    }

    pub(crate) fn add(&mut self, message_type: MessageType, body: &[u8]) {
        self.begin(message_type, body.len());
        self.0.update(body);
    }

    /// The hash of everything so far.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn hash(&self) -> Digest {
        self.0.clone().finish()
    }

    /// The hash with the beginning of a ClientHello that will have `length` bytes: what binders are over
    /// (RFC 8446 section 4.2.11.2).
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn hash_truncated(&self, length: usize, beginning: &[u8]) -> Digest {
        let mut truncated = self.clone();
        truncated.begin(MessageType::CLIENT_HELLO, length);
        truncated.0.update(beginning);
        truncated.0.finish()
    }

    fn begin(&mut self, message_type: MessageType, length: usize) {
        let [.., a, b, c] = (length as u32).to_be_bytes();
        self.0.update(&[message_type.0, a, b, c]);
    }
}

impl<C: Crypto> Clone for Transcript<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
