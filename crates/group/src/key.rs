//! The key of a group, in one of its generations.

use core::fmt;

use sedge_cose::cbor::{Decoder, Encoder, Error, Label};
use sedge_cose::{Algorithm, SymmetricKey};
use sedge_crypto::{Aead, CryptoRng, Secret};

use crate::id::{Gid, SenderId};

/// A cipher for values ([RFC 9053 section 4](https://www.rfc-editor.org/rfc/rfc9053#section-4)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES-128 in CCM mode with a 13-byte nonce and an 8-byte tag; values of up to 65535 bytes.
    // Counted from one, so that a place without a key is all zero, which is written by what a device links anyway.
    #[default]
    AesCcm16_64_128 = 1,
    /// AES-128 in Galois/Counter mode with a 12-byte nonce and a 16-byte tag.
    A128Gcm,
    /// ChaCha20 and Poly1305 with a 12-byte nonce and a 16-byte tag.
    ChaCha20Poly1305,
}

impl Cipher {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AesCcm16_64_128, Self::A128Gcm, Self::ChaCha20Poly1305];

    /// The cipher of this number in the registry of COSE algorithms, if it is one of these.
    pub fn from_cose(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.to_cose() == number)
    }

    /// Its number in the registry of COSE algorithms.
    pub const fn to_cose(self) -> i64 {
        match self {
            Self::AesCcm16_64_128 => 10,
            Self::A128Gcm => 1,
            Self::ChaCha20Poly1305 => 24,
        }
    }

    /// Its name in that registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AesCcm16_64_128 => "AES-CCM-16-64-128",
            Self::A128Gcm => "A128GCM",
            Self::ChaCha20Poly1305 => "ChaCha20/Poly1305",
        }
    }

    /// What a provider of cryptography calls it.
    pub const fn aead(self) -> Aead {
        match self {
            Self::AesCcm16_64_128 => Aead::Aes128Ccm8,
            Self::A128Gcm => Aead::Aes128Gcm,
            Self::ChaCha20Poly1305 => Aead::ChaCha20Poly1305,
        }
    }

    /// Length of its nonce in bytes.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::AesCcm16_64_128 => 13,
            Self::A128Gcm | Self::ChaCha20Poly1305 => 12,
        }
    }

    /// Length of the longest Sender ID: six bytes less than the nonce.
    pub const fn sender_id_len(self) -> usize {
        self.nonce_len() - 6
    }
}

/// One generation of a group's key: what the members share, and nobody else has.
///
/// `Debug` shows its names and none of its secrets, which are erased when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey {
    cipher: Cipher,
    key: Secret<32>,
    base_iv: Secret<13>,
    gid: Gid,
    number: u64,
}

impl GroupKey {
    /// The key of these bytes; `None` if key or Base IV have not the lengths that the cipher takes.
    pub fn new(cipher: Cipher, key: &[u8], base_iv: &[u8], gid: Gid, number: u64) -> Option<Self> {
        if key.len() != cipher.aead().key_len() || base_iv.len() != cipher.nonce_len() {
            return None;
        }
        let mut made = Self { cipher, key: Secret::zero(), base_iv: Secret::zero(), gid, number };
        made.key.expose_mut().get_mut(..key.len())?.copy_from_slice(key);
        made.base_iv.expose_mut().get_mut(..base_iv.len())?.copy_from_slice(base_iv);
        Some(made)
    }

    /// A new random key.
    pub fn generate<R: CryptoRng + ?Sized>(cipher: Cipher, gid: Gid, number: u64, rng: &mut R) -> Self {
        let mut made = Self { cipher, key: Secret::zero(), base_iv: Secret::zero(), gid, number };
        let (key_len, nonce_len) = (cipher.aead().key_len(), cipher.nonce_len());
        rng.fill_bytes(made.key.expose_mut().get_mut(..key_len).unwrap_or_default());
        rng.fill_bytes(made.base_iv.expose_mut().get_mut(..nonce_len).unwrap_or_default());
        made
    }

    /// The cipher.
    pub const fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The name of this generation.
    pub const fn gid(&self) -> Gid {
        self.gid
    }

    /// The number of this generation, `num`: 0 when the group was made, one more with each new key.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The key itself.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.expose().get(..self.cipher.aead().key_len()).unwrap_or_default()
    }

    /// The key for its one algorithm.
    pub(crate) fn symmetric(&self) -> Result<SymmetricKey<'_>, sedge_cose::Error> {
        SymmetricKey::new(Algorithm(self.cipher.to_cose()), self.key())
    }

    /// What nonces are made of.
    pub(crate) fn base_iv(&self) -> &[u8] {
        self.base_iv.expose().get(..self.cipher.nonce_len()).unwrap_or_default()
    }

    /// The nonce of one message
    /// ([draft-ietf-ace-coap-pubsub-profile, section 6.2](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-6.2)):
    ///
    /// ```text
    ///  | length of ID 1 B | 0.. | Sender ID | 0.. | number |   XOR   Base IV
    ///                      <- nonce - 6 B -> <--- 5 B --->
    /// ```
    pub(crate) fn nonce(&self, sender: SenderId, number: u64) -> Nonce {
        let len = self.cipher.nonce_len();
        let mut bytes = self.base_iv.clone();
        let id = sender.as_bytes();
        let number = number.to_be_bytes();
        if let Some(nonce) = bytes.expose_mut().get_mut(..len)
            && let Some((first, rest)) = nonce.split_first_mut()
        {
            *first ^= id.len() as u8;
            let tail = id.iter().chain(number.iter().skip(3)).rev();
            for (to, from) in rest.iter_mut().rev().zip(tail) {
                *to ^= from;
            }
        }
        Nonce { bytes, len }
    }

    /// Writes the key as a COSE_Key ([RFC 9052 section 7](https://www.rfc-editor.org/rfc/rfc9052#section-7)).
    pub fn encode(&self, encoder: &mut Encoder<'_>) {
        encoder.map(5).int(KTY).int(SYMMETRIC).int(KID).bytes(self.gid.as_bytes());
        encoder.int(ALG).int(self.cipher.to_cose()).int(BASE_IV).bytes(self.base_iv());
        encoder.int(K).bytes(self.key());
    }

    /// Reads a COSE_Key, which has to say everything that a group needs; `number` is told beside it.
    ///
    /// # Errors
    /// It is not that.
    pub fn decode(decoder: &mut Decoder<'_>, number: u64) -> Result<Self, Error> {
        let (mut kty, mut kid, mut alg, mut base_iv, mut k) = (None, None, None, None, None);
        decoder.map(|label, value| {
            match label {
                Label::Int(KTY) => kty = Some(value.int()?),
                Label::Int(KID) => kid = Some(value.bytes()?),
                Label::Int(ALG) => alg = Some(value.int()?),
                Label::Int(BASE_IV) => base_iv = Some(value.bytes()?),
                Label::Int(K) => k = Some(value.bytes()?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let (Some(SYMMETRIC), Some(kid), Some(alg), Some(base_iv), Some(k)) = (kty, kid, alg, base_iv, k)
        else {
            return Err(Error::Range);
        };
        let gid = Gid::new(kid).ok_or(Error::Range)?;
        let cipher = Cipher::from_cose(alg).ok_or(Error::Range)?;
        Self::new(cipher, k, base_iv, gid, number).ok_or(Error::Range)
    }
}

const KTY: i64 = 1;
const SYMMETRIC: i64 = 4;
const KID: i64 = 2;
const ALG: i64 = 3;
const BASE_IV: i64 = 5;
const K: i64 = -1;

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cipher, gid, number, .. } = self;
        f.debug_struct("GroupKey")
            .field("cipher", cipher)
            .field("gid", gid)
            .field("number", number)
            .finish_non_exhaustive()
    }
}

/// A nonce, which tells something of the Base IV and is erased.
pub(crate) struct Nonce {
    bytes: Secret<13>,
    len: usize,
}

impl Nonce {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.expose().get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_nonce_is_made_as_the_draft_draws_it() {
        let gid = Gid::new(b"g").unwrap();
        let key = GroupKey::new(Cipher::AesCcm16_64_128, &[1; 16], &[0xf0; 13], gid, 0).unwrap();
        let sender = SenderId::new(&[0x25, 0x26]).unwrap();
        let nonce = key.nonce(sender, 0x01_0203);
        let plain: [u8; 13] = [2, 0, 0, 0, 0, 0, 0x25, 0x26, 0, 0, 1, 2, 3];
        assert_eq!(nonce.as_bytes(), plain.map(|byte| byte ^ 0xf0));
        let key = GroupKey::new(Cipher::A128Gcm, &[1; 16], &[0; 12], gid, 0).unwrap();
        assert_eq!(key.nonce(SenderId::new(&[]).unwrap(), 0).as_bytes(), [0; 12]);
        assert_eq!(
            key.nonce(SenderId::new(&[9]).unwrap(), 7).as_bytes(),
            [1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 7]
        );
    }

    #[test]
    fn nonces_differ_in_sender_length_and_number() {
        let key =
            GroupKey::new(Cipher::AesCcm16_64_128, &[1; 16], &[0x5a; 13], Gid::new(b"").unwrap(), 0).unwrap();
        let mut seen = HashSet::new();
        let senders: [&[u8]; 6] = [&[], &[0], &[0, 0], &[1], &[1, 0], &[0, 1]];
        for sender in senders {
            for number in [0, 1, 255, 256, 65_535, (1 << 40) - 1] {
                let nonce = key.nonce(SenderId::new(sender).unwrap(), number);
                assert!(seen.insert(nonce.as_bytes().to_vec()), "{sender:?} {number}");
            }
        }
    }

    #[test]
    fn a_key_goes_through_cose_and_keeps_its_secrets() {
        for cipher in Cipher::ALL {
            let (key, iv) = ([7; 32], [8; 13]);
            let gid = Gid::new(&[1, 2]).unwrap();
            let (key, iv) = (&key[..cipher.aead().key_len()], &iv[..cipher.nonce_len()]);
            let made = GroupKey::new(cipher, key, iv, gid, 3).unwrap();
            let mut buffer = [0; 96];
            let mut encoder = Encoder::new(&mut buffer);
            made.encode(&mut encoder);
            let encoded = encoder.finish().unwrap();
            let mut decoder = Decoder::new(encoded);
            assert_eq!(GroupKey::decode(&mut decoder, 3), Ok(made.clone()));
            assert_eq!(decoder.end(), Ok(()));
            let shown = std::format!("GroupKey {{ cipher: {cipher:?}, gid: 0102, number: 3, .. }}");
            assert_eq!(std::format!("{made:?}"), shown);
            assert!(GroupKey::new(cipher, &key[1..], iv, gid, 3).is_none());
            assert!(GroupKey::new(cipher, key, &iv[1..], gid, 3).is_none());
            for cut in 0..encoded.len() {
                assert!(GroupKey::decode(&mut Decoder::new(&encoded[..cut]), 3).is_err());
            }
        }
    }
}
