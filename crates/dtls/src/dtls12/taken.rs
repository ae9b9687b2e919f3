//! Which messages of the peer's flight were taken, to know them again.

use sedge_crypto::{Crypto, Hash};

use crate::handshake::message::Message;

/// The messages of the peer's flight that were taken, by number.
///
/// None of them is authenticated before Finished, so any may be somebody else's. What comes again and is the same was
/// sent again; what comes again and differs shows that one of the two is not the peer's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    first_seq: u16,
    digests: [[u8; 8]; Self::MAX],
    len: u8,
}

/// What a message is to those that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is one that was taken, or from before.
    Repeated,
    /// Its number is that of one which was taken, and it is another.
    Contradicting,
    /// Its turn has come.
    Due,
    /// Others have to come before it.
    Early,
}

impl Taken {
    /// The most that a side takes before Finished: ServerHello, Certificate, ServerKeyExchange, CertificateRequest,
    /// ServerHelloDone, NewSessionTicket.
    const MAX: usize = 6;

    /// None yet; the first one will have this number.
    pub(crate) fn starting_at(first_seq: u16) -> Self {
        Self { first_seq, ..Self::default() }
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// The number of the message whose turn it is.
    pub(crate) const fn next_seq(&self) -> u16 {
        self.first_seq.saturating_add(self.len as u16)
    }

    /// What this message is to those that were taken.
    pub(crate) fn place<C: Crypto>(&self, crypto: &C, message: &Message<'_>) -> Place {
        match message.message_seq.checked_sub(self.first_seq).map(usize::from) {
            Some(index) if index > self.len() => Place::Early,
            Some(index) if index == self.len() => Place::Due,
            Some(index) if self.digests.get(index) == Some(&digest(crypto, message)) => Place::Repeated,
            Some(_) => Place::Contradicting,
            None => Place::Repeated,
        }
    }

    /// Notes the message whose turn it was.
    pub(crate) fn push<C: Crypto>(&mut self, crypto: &C, message: &Message<'_>) {
        if let Some(place) = self.digests.get_mut(usize::from(self.len)) {
            *place = digest(crypto, message);
            self.len += 1;
        }
    }
}

/// Short, because a digest that fits by chance only makes a forged message look like one that was had already.
fn digest<C: Crypto>(crypto: &C, message: &Message<'_>) -> [u8; 8] {
    let mut hash = crypto.sha256();
    hash.update(&message.header());
    hash.update(message.body);
    *hash.finish().first_chunk().unwrap_or(&[0; 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::message::MessageType;
    use sedge_crypto::RustCrypto;

    #[test]
    fn a_message_is_known_by_number_and_content() {
        let message =
            |message_seq, body| Message { message_type: MessageType::CERTIFICATE, message_seq, body };
        let mut taken = Taken::starting_at(3);
        let place = |taken: &Taken, message: &Message<'_>| taken.place(&RustCrypto, message);
        assert_eq!(place(&taken, &message(3, b"one")), Place::Due);
        taken.push(&RustCrypto, &message(3, b"one"));
        assert_eq!(place(&taken, &message(3, b"one")), Place::Repeated);
        assert_eq!(place(&taken, &message(3, b"eno")), Place::Contradicting);
        assert_eq!(place(&taken, &message(2, b"one")), Place::Repeated);
        assert_eq!(place(&taken, &message(4, b"two")), Place::Due);
        assert_eq!(place(&taken, &message(5, b"three")), Place::Early);
        assert_eq!((taken.len(), taken.next_seq()), (1, 4));
    }
}
