//! A name and a key that sign certificates.

use std::fmt;

use sedge_crypto::{Crypto, CryptoRng, Hash as _, KeyError, PublicKey, Signature};

use super::key::PrivateKey;
use super::template::Template;
use super::{list, write};
use crate::certificate::{Certificate, ECDSA_WITH_SHA256};

/// A CA's name and key.
///
/// It signs what it is told to and remembers nothing: see [`Authority`](super::Authority) for the CA that does.
pub struct Issuer<C: Crypto> {
    crypto: C,
    key: C::SigningKey,
    /// Its subject in DER.
    name: Vec<u8>,
    key_id: Vec<u8>,
}

impl<C: Crypto> Issuer<C> {
    /// The CA of this certificate, whose key this must be.
    pub fn new(crypto: C, key: &PrivateKey, certificate: &Certificate<'_>) -> Result<Self, KeyError> {
        let key = crypto.signing_key(key.scalar())?;
        let public_key = crypto.public_key(&key);
        if public_key != *certificate.public_key() {
            return Err(KeyError::PrivateKey);
        }
        let own = key_identifier(&crypto, &public_key);
        let key_id = certificate.subject_key_identifier().map_or(own, <[u8]>::to_vec);
        Ok(Self { crypto, key, name: certificate.subject().as_der().to_vec(), key_id })
    }

    /// A new CA, and the certificate that it signs for itself.
    pub fn self_signed<R: CryptoRng + ?Sized>(
        crypto: C,
        key: &PrivateKey,
        template: &Template,
        serial: &SerialNumber,
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), KeyError> {
        let key = crypto.signing_key(key.scalar())?;
        let public_key = crypto.public_key(&key);
        let key_id = key_identifier(&crypto, &public_key);
        let issuer = Self { crypto, key, name: template.subject(), key_id };
        let certificate = issuer.issue(template, serial, &public_key, rng)?;
        Ok((issuer, certificate))
    }

    /// Signs a certificate for this key; gives it in DER.
    pub fn issue<R: CryptoRng + ?Sized>(
        &self,
        template: &Template,
        serial: &SerialNumber,
        key: &PublicKey,
        rng: &mut R,
    ) -> Result<Vec<u8>, KeyError> {
        let key_id = key_identifier(&self.crypto, key);
        self.signed(&template.tbs(serial.as_bytes(), &self.name, &self.key_id, key, &key_id), rng)
    }

    /// Signs a list of revoked certificates; gives it in DER.
    pub fn revocation_list<R: CryptoRng + ?Sized>(
        &self,
        contents: &list::RevocationList,
        rng: &mut R,
    ) -> Result<Vec<u8>, KeyError> {
        self.signed(&contents.tbs(&self.name, &self.key_id), rng)
    }

    /// The CA's key.
    pub fn public_key(&self) -> PublicKey {
        self.crypto.public_key(&self.key)
    }

    /// `SEQUENCE { toBeSigned, signatureAlgorithm, signatureValue }`.
    fn signed<R: CryptoRng + ?Sized>(&self, tbs: &[u8], rng: &mut R) -> Result<Vec<u8>, KeyError> {
        let mut hash = self.crypto.sha256();
        hash.update(tbs);
        let signature = self.crypto.sign(&self.key, &hash.finish(), rng)?;
        let mut buffer = [0; Signature::MAX_DER_LEN];
        let signature = write::bit_string(signature.write_der(&mut buffer));
        Ok(write::sequence(&[tbs, &write::sequence(&[ECDSA_WITH_SHA256]), &signature]))
    }
}

/// A number that a CA gives to a certificate, and to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// 64 random bits: the fewest that the public CAs have agreed on, because every device sends them.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = [0; 8];
        // Zero is no serial number.
        while bytes == [0; 8] {
            rng.fill_bytes(&mut bytes);
        }
        Self::new(&bytes)
    }

    /// This number, big-endian; zeros in front do not count.
    pub fn new(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        Self(bytes.get(zeros..).unwrap_or_default().to_vec())
    }

    /// Its bytes, big-endian, without zeros in front.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number in these hexadecimal digits, two to a byte.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let bytes = pairs.iter().map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8));
        let number = Self::new(&bytes.collect::<Option<Vec<u8>>>()?);
        (rest.is_empty() && !number.0.is_empty()).then_some(number)
    }
}

/// In hexadecimal digits.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What certificates call a key: 64 bits of its hash. It only helps to find an issuer, so it is as short as is useful
/// ([RFC 7093 section 2](https://www.rfc-editor.org/rfc/rfc7093#section-2) leaves the length open).
fn key_identifier<C: Crypto>(crypto: &C, key: &PublicKey) -> Vec<u8> {
    let mut hash = crypto.sha256();
    hash.update(key.as_bytes());
    hash.finish().iter().copied().take(8).collect()
}
