//! How a publisher shows that its credential is its own
//! ([section 4.1.1.2 of the draft](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-4.1.1.2)).

use sedge_cose::cbor::{Decoder, Encoder, Error, Label};
use sedge_crypto::{Crypto, Hash as _};

use super::join::{Join, SCOPE_MAX};
use super::key;

/// Bytes of a challenge, and of the nonce that answers it.
pub const NONCE_LEN: usize = 8;

/// A challenge, or the nonce beside it.
pub type Nonce = [u8; NONCE_LEN];

/// The body of the 4.00 that asks for a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge(pub Nonce);

impl Challenge {
    /// Length of the body in bytes.
    pub const LEN: usize = 1 + 2 + 1 + NONCE_LEN;

    /// Writes the body.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut encoder = Encoder::new(&mut bytes);
        encoder.map(1).int(key::KDCCHALLENGE).bytes(&self.0);
        // It has exactly this length.
        let _fits = encoder.finish();
        bytes
    }

    /// Reads the body of a refusal, of which it may be a part.
    ///
    /// # Errors
    /// There is no challenge in it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut challenge = None;
        let mut decoder = Decoder::new(bytes);
        decoder.map(|label, value| {
            if label == Label::Int(key::KDCCHALLENGE) {
                challenge = Some(value.bytes()?);
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        let nonce = challenge.and_then(|bytes| bytes.try_into().ok());
        nonce.map(Self).ok_or(Error::Range)
    }
}

/// The digest that a publisher signs: of the scope, the challenge and the nonce, each as a CBOR byte string. `None` if
/// the name of the group is longer than that of any topic.
pub fn possession<C: Crypto>(crypto: &C, join: &Join<'_>, challenge: Challenge) -> Option<[u8; 32]> {
    let mut buffer = [0; SCOPE_MAX];
    let mut encoder = Encoder::new(&mut buffer);
    encoder.bytes_of(|scope| join.scope(scope)).bytes(&challenge.0).bytes(&join.nonce);
    let mut hash = crypto.sha256();
    hash.update(encoder.finish().ok()?);
    Some(hash.finish())
}
