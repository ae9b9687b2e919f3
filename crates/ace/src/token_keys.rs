//! The keys by which a resource server knows the tokens that are for it.

use sedge_cose::cbor::{Decoder, Encoder, NoRoom};
use sedge_cose::{Algorithm, CoseKey, Error, KeyOp, KeyOps, Material, SymmetricKey};
use sedge_crypto::{PublicKey, Secret};

/// HKDF with SHA-256, as keys for it say (`direct+HKDF-SHA-256`,
/// [RFC 9053 section 6.1.2](https://www.rfc-editor.org/rfc/rfc9053#section-6.1.2)).
const HKDF_SHA_256: Algorithm = Algorithm(-10);
/// COSE_Keys for each generation.
const PARTS: usize = 4;

/// The keys that an authorisation server and one resource server share, of one generation.
///
/// Whoever has them can make tokens for this resource server, and read those that were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKeys {
    /// The `kid` in the header of tokens under these keys.
    pub id: [u8; 8],
    /// For tokens in COSE_Encrypt0 by AES-CCM-16-128-128.
    pub encryption: Secret<16>,
    /// For tokens in COSE_Mac0 by HMAC 256/256.
    pub mac: Secret<32>,
    /// From which keys are derived that tokens name and do not carry
    /// ([`derive_key`](crate::derive_key)).
    pub derivation: Secret<32>,
    /// By which tokens in COSE_Sign1 (ES256) are verified.
    pub verification: PublicKey,
}

impl TokenKeys {
    /// The key of tokens that are encrypted.
    pub fn encryption_key(&self) -> Result<SymmetricKey<'_>, Error> {
        SymmetricKey::new(Algorithm::AES_CCM_16_128_128, self.encryption.expose())
    }

    /// The key of tokens with an authentication code.
    pub fn mac_key(&self) -> Result<SymmetricKey<'_>, Error> {
        SymmetricKey::new(Algorithm::HMAC_256, self.mac.expose())
    }

    /// Writes generations as a COSE_KeySet ([RFC 9052 section 7](https://www.rfc-editor.org/rfc/rfc9052#section-7)): of
    /// each generation the keys for encryption, for authentication codes, for derivation and for verification, in this
    /// order, all with its `kid`.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode_set<'o>(set: &[Self], out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(out);
        encoder.array(set.len() * PARTS);
        for keys in set {
            let symmetric = |algorithm, op, k| CoseKey {
                kid: Some(&keys.id),
                algorithm: Some(algorithm),
                ops: Some(KeyOps::of(&[op])),
                ..CoseKey::new(Material::Symmetric { k: Some(k) })
            };
            let Self { encryption, mac, derivation, verification, .. } = keys;
            symmetric(Algorithm::AES_CCM_16_128_128, KeyOp::Decrypt, encryption.expose())
                .encode(&mut encoder);
            symmetric(Algorithm::HMAC_256, KeyOp::MacVerify, mac.expose()).encode(&mut encoder);
            symmetric(HKDF_SHA_256, KeyOp::DeriveKey, derivation.expose()).encode(&mut encoder);
            let public = CoseKey {
                kid: Some(&keys.id),
                algorithm: Some(Algorithm::ES256),
                ops: Some(KeyOps::of(&[KeyOp::Verify])),
                ..CoseKey::public(verification)
            };
            public.encode(&mut encoder);
        }
        encoder.finish()
    }

    /// Reads what [`encode_set`](Self::encode_set) has written, and calls `each` with every generation.
    ///
    /// # Errors
    /// It is no strict CBOR, or another set of keys.
    pub fn decode_set(set: &[u8], mut each: impl FnMut(Self)) -> Result<(), Error> {
        let mut decoder = Decoder::new(set);
        let count = decoder.array()?;
        if !count.is_multiple_of(PARTS) {
            return Err(Error::Key);
        }
        for _ in 0..count / PARTS {
            each(Self::read(&mut decoder)?);
        }
        decoder.end()?;
        Ok(())
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let first = CoseKey::read(&mut decoder.clone())?;
        let id: [u8; 8] = first.kid.and_then(|kid| kid.try_into().ok()).ok_or(Error::Key)?;
        let mut next = || {
            let key = CoseKey::read(decoder)?;
            if key.kid == Some(&id) { Ok(key) } else { Err(Error::Key) }
        };
        let encryption = secret(&next()?, Algorithm::AES_CCM_16_128_128, KeyOp::Decrypt)?;
        let mac = secret(&next()?, Algorithm::HMAC_256, KeyOp::MacVerify)?;
        let derivation = secret(&next()?, HKDF_SHA_256, KeyOp::DeriveKey)?;
        let verification = next()?.public_key()?;
        Ok(Self { id, encryption, mac, derivation, verification })
    }
}

/// The secret of a key that is for this and for nothing else.
fn secret<const N: usize>(key: &CoseKey<'_>, algorithm: Algorithm, op: KeyOp) -> Result<Secret<N>, Error> {
    if key.algorithm != Some(algorithm) || key.ops != Some(KeyOps::of(&[op])) {
        return Err(Error::Key);
    }
    match key.material {
        Material::Symmetric { k: Some(k) } => k.try_into().map(Secret::new).map_err(|_| Error::Key),
        _ => Err(Error::Key),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use sedge_crypto::{Crypto as _, RustCrypto};

    use super::*;

    fn keys(number: u8) -> TokenKeys {
        let signing = RustCrypto.signing_key(&Secret::new([number; 32])).unwrap();
        TokenKeys {
            id: [number; 8],
            encryption: Secret::new([number; 16]),
            mac: Secret::new([number + 1; 32]),
            derivation: Secret::new([number + 2; 32]),
            verification: RustCrypto.public_key(&signing),
        }
    }

    #[test]
    fn a_set_reads_back_and_nothing_else_is_one() {
        let set = [keys(1), keys(7)];
        let mut out = [0; 1024];
        let encoded = TokenKeys::encode_set(&set, &mut out).unwrap().to_vec();
        // An array of eight keys, of which the first is {1: 4, 2: kid, 3: 30, 4: [4], -1: k}.
        assert_eq!(&encoded[..10], [0x88, 0xa5, 0x01, 0x04, 0x02, 0x48, 1, 1, 1, 1]);
        let read = |bytes: &[u8]| {
            let mut read = Vec::new();
            TokenKeys::decode_set(bytes, |keys| read.push(keys)).map(|()| read)
        };
        assert_eq!(read(&encoded).unwrap(), set);
        assert_eq!(read(&[0x80]).unwrap(), []);
        assert!(read(&encoded[..encoded.len() - 1]).is_err() && read(&[0xa0]).is_err());
        // The names of keys that belong together differ; a key is for something else; one is missing.
        for (at, byte) in [(6, 9), (16, 1), (18, 3), (0, 0x84)] {
            let mut other = encoded.clone();
            assert_ne!(other[at], byte);
            other[at] = byte;
            assert!(read(&other).is_err(), "{at}");
        }
        assert!(TokenKeys::encode_set(&set, &mut [0; 64]).is_err());
    }
}
