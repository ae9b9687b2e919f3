//! The side that protects values.

use core::fmt;

use sedge_cose::cbor::Label;
use sedge_cose::{Encrypt0, Envelope, Header, countersign};
use sedge_crypto::{Crypto, CryptoRng};

use crate::id::SenderId;
use crate::key::GroupKey;
use crate::sequence::{Context, Sequence, SequenceError};
use crate::storage::Storage;

/// What a publisher has of a group: the newest key, its Sender ID, and the sequence numbers that it has used.
///
/// - Inputs: [`begin`](Self::begin) with a Sender ID that was just handed out, [`resume`](Self::resume) with one that
///   was used before, [`rekey`](Self::rekey).
/// - [`seal`](Self::seal) and [`countersign`](Self::countersign) make messages.
#[derive(Debug)]
pub struct Publisher<S> {
    keys: Option<(GroupKey, SenderId)>,
    sequence: Sequence<S>,
}

/// Why a value cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError<E> {
    /// There is no key yet: join the group.
    NoKey,
    /// There is no sequence number.
    Sequence(SequenceError<E>),
    /// The buffer is too short.
    NoRoom {
        /// How many bytes it takes.
        needed: usize,
    },
    /// The value is longer than the cipher allows, or the provider has not got the cipher.
    Cipher,
}

/// A value to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'v> {
    /// The value.
    pub payload: &'v [u8],
    /// Its Content-Format, if it is another than the group's members know anyway: it takes two bytes or more.
    pub content_format: Option<u16>,
}

impl<S: Storage> Publisher<S> {
    /// A publisher that has no key yet.
    pub const fn new(storage: S) -> Self {
        Self { keys: None, sequence: Sequence::new(storage) }
    }

    /// Takes a key and a Sender ID of which nobody can have used a number: the answer of a join or of a renewal.
    ///
    /// # Errors
    /// [`SequenceError::Storage`].
    pub fn begin<C: Crypto>(
        &mut self,
        crypto: &C,
        key: GroupKey,
        sender: SenderId,
    ) -> Result<(), SequenceError<S::Error>> {
        self.sequence.begin(crypto, context(crypto, &key, sender))?;
        self.keys = Some((key, sender));
        Ok(())
    }

    /// Takes a key and a Sender ID that were used before a loss of power.
    ///
    /// # Errors
    /// [`SequenceError::Unknown`] if the memory knows nothing of them: then ask for a new Sender ID.
    pub fn resume<C: Crypto>(
        &mut self,
        crypto: &C,
        key: GroupKey,
        sender: SenderId,
    ) -> Result<(), SequenceError<S::Error>> {
        self.sequence.resume(crypto, context(crypto, &key, sender))?;
        self.keys = Some((key, sender));
        Ok(())
    }

    /// Takes a new key; the Sender ID stays. Says whether it is one. Only for who knows that nobody else has this Sender ID
    /// under the new key: a key distribution centre may have given it away if another one has joined under the same name.
    ///
    /// # Errors
    /// [`SequenceError::Storage`].
    pub fn rekey<C: Crypto>(&mut self, crypto: &C, key: &GroupKey) -> Result<bool, SequenceError<S::Error>> {
        match self.keys {
            Some((ref known, sender)) if known.number() < key.number() => {
                self.begin(crypto, key.clone(), sender).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The Sender ID.
    pub fn sender(&self) -> Option<SenderId> {
        self.keys.as_ref().map(|(_, sender)| *sender)
    }

    /// The number of the key's generation.
    pub fn generation(&self) -> Option<u64> {
        self.keys.as_ref().map(|(key, _)| key.number())
    }

    /// Whether sequence numbers are noted anywhere, so that [`resume`](Self::resume) can work.
    pub fn is_durable(&self) -> bool {
        self.sequence.is_durable()
    }

    /// The sequence numbers: how often their memory was written.
    pub const fn sequence(&self) -> &Sequence<S> {
        &self.sequence
    }

    /// Protects a value: writes a COSE_Encrypt0 to the beginning of `out` and returns it
    /// ([draft-ietf-ace-coap-pubsub-profile, section 6.1](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-6.1)).
    ///
    /// With AES-CCM-16-64-128 and a value in the group's own format of less than 64 KB, it is at most 25 bytes longer than
    /// the value.
    ///
    /// # Errors
    /// [`SealError`]. What went wrong after a sequence number was taken has used that up.
    pub fn seal<'o, C: Crypto>(
        &mut self,
        crypto: &C,
        value: &Value<'_>,
        out: &'o mut [u8],
    ) -> Result<&'o mut [u8], SealError<S::Error>> {
        let (key, sender) = self.keys.as_ref().ok_or(SealError::NoKey)?;
        let number = self.sequence.next(crypto).map_err(SealError::Sequence)?;
        let digits = number.to_be_bytes();
        let zeros = digits.iter().take(3).take_while(|byte| **byte == 0).count();
        let gid = key.gid();
        let content_type = value.content_format.map(|format| Label::Int(format.into()));
        let envelope = Envelope {
            protected: Header { content_type, ..Header::default() },
            unprotected: Header {
                kid: Some(gid.as_bytes()),
                partial_iv: digits.get(zeros..),
                // Those of one byte are found without.
                kid_context: Some(sender.as_bytes()).filter(|id| id.len() > 1),
                ..Header::default()
            },
            ..Envelope::default()
        };
        let nonce = key.nonce(*sender, number.into());
        let symmetric = key.symmetric().map_err(|_| SealError::Cipher)?;
        Encrypt0::seal(crypto, &symmetric, nonce.as_bytes(), &envelope, value.payload, out).map_err(failed)
    }

    /// Adds a countersignature to the message in the first `len` bytes of `buffer`, so that subscribers know who it was:
    /// 76 bytes more with a Sender ID of one byte.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn countersign<'o, C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        crypto: &C,
        signing_key: &C::SigningKey,
        rng: &mut R,
        buffer: &'o mut [u8],
        len: usize,
    ) -> Result<&'o mut [u8], SealError<S::Error>> {
        let sender = self.sender().ok_or(SealError::NoKey)?;
        let signer = Header { kid: Some(sender.as_bytes()), ..Header::default() };
        countersign::add(crypto, signing_key, rng, &signer, b"", buffer, len).map_err(failed)
    }
}

fn context<C: Crypto>(crypto: &C, key: &GroupKey, sender: SenderId) -> Context {
    Context::new(crypto, [key.gid().as_bytes(), sender.as_bytes(), key.base_iv()])
}

fn failed<E>(error: sedge_cose::Error) -> SealError<E> {
    match error {
        sedge_cose::Error::NoRoom { needed } => SealError::NoRoom { needed },
        _ => SealError::Cipher,
    }
}

impl<E: fmt::Display> fmt::Display for SealError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("there is no group key yet"),
            Self::Sequence(error) => error.fmt(f),
            Self::NoRoom { needed } => write!(f, "the protected value takes {needed} bytes"),
            Self::Cipher => f.write_str("the value cannot be encrypted: it is too long"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for SealError<E> {}
