//! Topics whose values only the members of their group can read: the code with which clients protect and open values, under
//! keys that everybody has from the start.

use std::collections::BTreeMap;

use sedge_client::ContentFormat;
use sedge_crypto::Crypto;
use sedge_group::keying::COSE_ENCRYPT0;
use sedge_group::{Cipher, Forgetful, Gid, GroupKey, Publisher, SenderId, Subscriber, Value};

use crate::Random;

/// The format of protected values.
pub(super) const PROTECTED: ContentFormat = ContentFormat(COSE_ENCRYPT0);

/// The groups of one host, one for each topic.
pub(crate) struct Protection {
    seed: u64,
    /// Whose numbers begin anew has another Sender ID each time it starts.
    sender: SenderId,
    publishers: BTreeMap<String, Publisher<Forgetful>>,
    subscribers: BTreeMap<String, Subscriber<4, 2>>,
}

impl Protection {
    /// A member of all groups of the run with this seed, which has started so often before.
    pub(crate) fn new(seed: u64, starts: u64) -> Self {
        let sender = SenderId::from_number(starts as u32);
        Self { seed, sender, publishers: BTreeMap::new(), subscribers: BTreeMap::new() }
    }

    /// Protects a value. A group has its own format, so that no message has to say it.
    pub(super) fn seal(&mut self, crypto: &impl Crypto, topic: &str, payload: &[u8]) -> Vec<u8> {
        let (seed, sender) = (self.seed, self.sender);
        let publisher = self.publishers.entry(topic.into()).or_insert_with(|| {
            let mut publisher = Publisher::new(Forgetful);
            let begun = publisher.begin(crypto, key(seed, topic), sender);
            begun.unwrap_or_else(|error| unreachable!("nothing is stored: {error:?}"));
            publisher
        });
        // The tag of AES-CCM-16-64-128, the headers, and a partial IV of up to five bytes.
        let mut message = vec![0; payload.len() + 32];
        let value = Value { payload, content_format: None };
        let len = publisher.seal(crypto, &value, &mut message).map_or(0, |sealed| sealed.len());
        message.truncate(len);
        message
    }

    /// Opens a value, if it is one.
    pub(super) fn open(&mut self, crypto: &impl Crypto, topic: &str, message: &[u8]) -> Option<Vec<u8>> {
        let seed = self.seed;
        let subscriber = self.subscribers.entry(topic.into()).or_insert_with(|| {
            let mut subscriber = Subscriber::new();
            let _first = subscriber.install(key(seed, topic));
            subscriber
        });
        let mut out = vec![0; message.len()];
        let opened = subscriber.open(crypto, message, false, |_| None, &mut out).ok()?;
        Some(opened.payload.to_vec())
    }
}

/// What tells a protected value from all others: its tag.
pub(crate) fn tag(message: &[u8]) -> Option<[u8; 8]> {
    message.last_chunk().copied()
}

/// The key of a topic's group.
fn key(seed: u64, topic: &str) -> GroupKey {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let topic = topic.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    let mut random = Random::new(seed ^ 0x0067_726f_7570 ^ topic);
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&random.bits().to_be_bytes()));
    let key = GroupKey::new(Cipher::AesCcm16_64_128, &bytes[..16], &bytes[16..29], Gid::from_number(1), 0);
    key.unwrap_or_else(|| unreachable!("a key of 16 bytes and an IV of 13"))
}

#[cfg(test)]
mod tests {
    use sedge_crypto::RustCrypto;

    use super::*;

    #[test]
    fn members_read_each_other_and_nobody_reads_another_topic() {
        let (mut one, mut other) = (Protection::new(7, 0), Protection::new(7, 3));
        let first = one.seal(&RustCrypto, "fleet/command", b"dim to 40");
        let second = one.seal(&RustCrypto, "fleet/command", b"dim to 40");
        assert_eq!(first.len() - 9, 22, "what protection adds to a short value");
        assert_ne!(tag(&first), tag(&second));
        assert_eq!(other.open(&RustCrypto, "fleet/command", &first).as_deref(), Some(&b"dim to 40"[..]));
        assert_eq!(other.open(&RustCrypto, "fleet/command", &second).as_deref(), Some(&b"dim to 40"[..]));
        assert_eq!(other.open(&RustCrypto, "fleet/other", &second), None);
    }
}
