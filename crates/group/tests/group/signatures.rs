//! Which of the members it was.

use sedge_crypto::{Crypto as _, PublicKey, RustCrypto, RustSigningKey, Secret};
use sedge_group::{Cipher, OpenError, SenderId, Value};

use crate::{CRYPTO, Listener, key, listener, open, open_as, publisher, seal, sender};

/// Deterministic "randomness": signatures add it to what RFC 6979 has, so it need not be good.
struct Counter(u64);

impl sedge_crypto::TryRng for Counter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        for byte in to {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

impl sedge_crypto::TryCryptoRng for Counter {}

fn signer(secret: u8) -> (RustSigningKey, PublicKey) {
    let key = RustCrypto.signing_key(&Secret::new([secret; 32])).unwrap();
    let public = RustCrypto.public_key(&key);
    (key, public)
}

fn signed(number: u32, secret: u8, payload: &[u8]) -> Vec<u8> {
    let one = &mut publisher(key(Cipher::default(), 0), number);
    let mut buffer = vec![0; payload.len() + 120];
    let len = one.seal(&CRYPTO, &Value { payload, content_format: None }, &mut buffer).unwrap().len();
    one.countersign(&CRYPTO, &signer(secret).0, &mut Counter(1), &mut buffer, len).unwrap().to_vec()
}

/// Sender 1 has the key 11, sender 2 the key 12.
fn members(sender: SenderId) -> Option<PublicKey> {
    match sender.as_bytes() {
        [number @ 1..=2] => Some(signer(10 + number).1),
        _ => None,
    }
}

fn expect(listener: &mut Listener, message: &[u8]) -> Result<(SenderId, bool), OpenError> {
    open_as(listener, message, true, members).map(|seen| (seen.sender, seen.verified))
}

#[test]
fn a_countersignature_says_who_it_was() {
    let mut other = listener(key(Cipher::default(), 0));
    assert_eq!(expect(&mut other, &signed(1, 11, b"x")), Ok((sender(1), true)));
    assert_eq!(expect(&mut other, &signed(2, 12, b"x")), Ok((sender(2), true)));
    assert_eq!(expect(&mut other, &signed(3, 13, b"x")), Err(OpenError::UnknownSender(sender(3))));
    // Where nobody has to sign, a signature that cannot be checked is none.
    let seen = open(&mut listener(key(Cipher::default(), 0)), &signed(3, 13, b"x")).unwrap();
    assert_eq!((seen.sender, seen.verified), (sender(3), false));
}

#[test]
fn what_is_opened_unsigned_is_whoever_says_it_is() {
    let mut other = listener(key(Cipher::default(), 0));
    // The signature is not that of sender 1.
    let message = signed(1, 12, b"x");
    let mut out = vec![0; message.len()];
    let opened = other.open_unsigned(&CRYPTO, &message, &mut out).unwrap();
    assert_eq!((&*opened.payload, opened.sender, opened.verified), (&b"x"[..], sender(1), false));
    // A Sender ID that is not found by trying stands in the message.
    let mut one = publisher(key(Cipher::default(), 0), 300);
    let message = seal(&mut one, b"y");
    let mut out = vec![0; message.len()];
    let opened = other.open_unsigned(&CRYPTO, &message, &mut out).unwrap();
    assert_eq!((&*opened.payload, opened.sender, opened.verified), (&b"y"[..], sender(300), false));
    let again = other.open_unsigned(&CRYPTO, &signed(1, 11, b"x"), &mut [0; 200]).map(|opened| opened.number);
    assert_eq!(again, Err(OpenError::Replayed));
}

#[test]
fn nobody_signs_for_another() {
    let mut other = listener(key(Cipher::default(), 0));
    // Member 2 has the group's key and so can make a message under the Sender ID of member 1, but not sign it.
    assert_eq!(expect(&mut other, &signed(1, 12, b"x")), Err(OpenError::Forged));
    // Nor can it put its own signature below somebody else's message: the nonce has the Sender ID in it.
    let mut one = publisher(key(Cipher::default(), 0), 1);
    let theirs = seal(&mut one, b"x");
    let mut two = publisher(key(Cipher::default(), 0), 2);
    let _number = seal(&mut two, b"");
    let mut buffer = theirs.clone();
    buffer.resize(theirs.len() + 100, 0);
    let stolen = two.countersign(&CRYPTO, &signer(12).0, &mut Counter(1), &mut buffer, theirs.len()).unwrap();
    assert_eq!(expect(&mut other, stolen), Err(OpenError::Forged));
}

#[test]
fn a_signature_that_is_taken_off_is_missed() {
    let mut other = listener(key(Cipher::default(), 0));
    let bare = seal(&mut publisher(key(Cipher::default(), 0), 1), b"x");
    assert_eq!(expect(&mut other, &bare), Err(OpenError::Unsigned));
    let message = signed(1, 11, b"x");
    assert_eq!(message.len() - bare.len(), 76);
    for at in 0..message.len() {
        let mut altered = message.clone();
        altered[at] ^= 1;
        assert!(expect(&mut other, &altered).is_err(), "byte {at}");
    }
    assert_eq!(expect(&mut other, &message), Ok((sender(1), true)));
    assert_eq!(open_as(&mut other, &message, true, members).map(|seen| seen.repeated), Ok(true));
}
