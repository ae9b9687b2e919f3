//! Private keys, in files that `openssl pkey` reads and writes as well.

use std::fmt;

use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use sedge_crypto::{Crypto, CryptoRng, KeyError, PublicKey, Secret};
use zeroize::Zeroizing;

use crate::der::{self, Reader};

/// A private key in P-256; erased when dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateKey {
    scalar: Secret<32>,
}

impl PrivateKey {
    /// A new key.
    pub fn generate<C: Crypto, R: CryptoRng + ?Sized>(crypto: &C, rng: &mut R) -> Result<Self, KeyError> {
        let mut scalar = Secret::zero();
        // One number in 2^32 is out of range. A source that yields nothing else is broken.
        for _ in 0..8 {
            rng.fill_bytes(scalar.expose_mut());
            if crypto.signing_key(&scalar).is_ok() {
                return Ok(Self { scalar });
            }
        }
        Err(KeyError::Randomness)
    }

    /// The key with this scalar, big-endian.
    pub const fn new(scalar: Secret<32>) -> Self {
        Self { scalar }
    }

    /// The scalar, for [`Crypto::signing_key`].
    pub const fn scalar(&self) -> &Secret<32> {
        &self.scalar
    }

    /// The public half.
    pub fn public_key<C: Crypto>(&self, crypto: &C) -> Result<PublicKey, KeyError> {
        Ok(crypto.public_key(&crypto.signing_key(&self.scalar)?))
    }

    /// The key in PEM: PKCS#8 ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)), plain or encrypted, or an
    /// `EC PRIVATE KEY` ([RFC 5915](https://www.rfc-editor.org/rfc/rfc5915)).
    ///
    /// # Errors
    /// [`PrivateKeyError::PassphraseNeeded`] if it is encrypted and `passphrase` is `None`.
    pub fn from_pem(pem: &str, passphrase: Option<&[u8]>) -> Result<Self, PrivateKeyError> {
        // What stands before the key, such as the name of its curve, is passed over.
        let pem = LABELS
            .iter()
            .find_map(|label| {
                pem.find(&format!("-----BEGIN {label}-----")).and_then(|start| pem.get(start..))
            })
            .ok_or(PrivateKeyError::NoKey)?;
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| PrivateKeyError::Malformed)?;
        let scalar = match label {
            SEC1 => ec_private_key(document.as_bytes(), None),
            PKCS8 => private_key_info(document.as_bytes()),
            _ => {
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| PrivateKeyError::Malformed)?;
                let passphrase = passphrase.ok_or(PrivateKeyError::PassphraseNeeded)?;
                let plain = encrypted.decrypt(passphrase).map_err(|_| PrivateKeyError::WrongPassphrase)?;
                private_key_info(plain.as_bytes())
            }
        };
        Ok(Self { scalar: scalar? })
    }

    /// The key in PEM: PKCS#8, encrypted if there is a passphrase.
    ///
    /// The passphrase is stretched by scrypt and the key encrypted with AES-256-CBC
    /// ([RFC 8018 section 6.2](https://www.rfc-editor.org/rfc/rfc8018#section-6.2),
    /// [RFC 7914](https://www.rfc-editor.org/rfc/rfc7914)).
    pub fn to_pem<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        crypto: &C,
        passphrase: Option<&[u8]>,
        rng: &mut R,
    ) -> Result<Zeroizing<String>, PrivateKeyError> {
        let plain = self.to_private_key_info(crypto)?;
        let Some(passphrase) = passphrase else {
            return Ok(Zeroizing::new(crate::pem::encode(PKCS8, plain.as_ref())));
        };
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        let encrypted = encrypt(plain.as_ref(), passphrase, &salt, iv).ok_or(PrivateKeyError::Malformed)?;
        Ok(Zeroizing::new(crate::pem::encode(ENCRYPTED, &encrypted)))
    }

    /// `PrivateKeyInfo`, with the public key in it.
    fn to_private_key_info<C: Crypto>(&self, crypto: &C) -> Result<Zeroizing<[u8; 138]>, PrivateKeyError> {
        let public_key = self.public_key(crypto)?;
        let bytes = HEAD.iter().chain(self.scalar.expose()).chain(PUBLIC_KEY).chain(public_key.as_bytes());
        // In place, so that the key is nowhere else.
        let mut info = Zeroizing::new([0; 138]);
        info.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(info)
    }
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// The text has no private key in PEM.
    NoKey,
    /// It is not a private key of a kind that is known here.
    Malformed,
    /// It is not in P-256.
    UnsupportedAlgorithm,
    /// It is encrypted.
    PassphraseNeeded,
    /// It is encrypted with another passphrase, or in a way that is not known here.
    WrongPassphrase,
    /// It is no number that could be a key.
    Key(KeyError),
}

impl From<KeyError> for PrivateKeyError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl fmt::Display for PrivateKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "there is no private key in PEM",
            Self::Malformed => "the private key is malformed",
            Self::UnsupportedAlgorithm => "the private key is not in P-256",
            Self::PassphraseNeeded => "the private key is encrypted: its passphrase is needed",
            Self::WrongPassphrase => "the passphrase does not open the private key",
            Self::Key(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for PrivateKeyError {}

const PKCS8: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const LABELS: [&str; 3] = [PKCS8, ENCRYPTED, SEC1];

/// `PrivateKeyInfo`, as far as the scalar.
#[rustfmt::skip]
const HEAD: &[u8] = &[
    0x30, 0x81, 0x87, // SEQUENCE
    0x02, 1, 0, // INTEGER: version 1
    0x30, 19, 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // SEQUENCE, id-ecPublicKey
    0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // secp256r1
    0x04, 109, 0x30, 107, // OCTET STRING, and in it ECPrivateKey, a SEQUENCE
    0x02, 1, 1, // INTEGER: version 1
    0x04, 32, // OCTET STRING
];
/// What stands between the scalar and the point.
const PUBLIC_KEY: &[u8] = &[0xa1, 68, 0x03, 66, 0];

/// The OBJECT IDENTIFIERs of an algorithm and of a curve.
const ID_EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const SECP256R1: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// scrypt's costs: 16 MiB of memory, five times over. OpenSSL refuses to spend more than 32 MiB.
const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 5;

fn encrypt(plain: &[u8], passphrase: &[u8], salt: &[u8], iv: [u8; 16]) -> Option<Vec<u8>> {
    let costs = pkcs8::pkcs5::scrypt::Params::new(LOG_N, R, P).ok()?;
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(costs, salt, iv).ok()?;
    let info = pkcs8::PrivateKeyInfoRef::try_from(plain).ok()?;
    Some(info.encrypt_with_params(scheme, passphrase).ok()?.as_bytes().to_vec())
}

/// `SEQUENCE { version, algorithm, privateKey, attributes [0], publicKey [1] }`
/// ([RFC 5958 section 2](https://www.rfc-editor.org/rfc/rfc5958#section-2)).
fn private_key_info(info: &[u8]) -> Result<Secret<32>, PrivateKeyError> {
    let malformed = |_| PrivateKeyError::Malformed;
    let mut reader = der::single(der::SEQUENCE, info).map_err(malformed)?.reader();
    reader.byte().map_err(malformed)?;
    let algorithm = reader.expect(der::SEQUENCE).map_err(malformed)?.content;
    let key = reader.expect(der::OCTET_STRING).map_err(malformed)?.content;
    match algorithm.strip_prefix(ID_EC_PUBLIC_KEY) {
        Some(curve) => ec_private_key(key, Some(curve)),
        None => Err(PrivateKeyError::UnsupportedAlgorithm),
    }
}

/// `SEQUENCE { version, privateKey, parameters [0], publicKey [1] }`
/// ([RFC 5915 section 3](https://www.rfc-editor.org/rfc/rfc5915#section-3)), whose parameters may have stood before it.
fn ec_private_key(key: &[u8], curve: Option<&[u8]>) -> Result<Secret<32>, PrivateKeyError> {
    let read = || {
        let mut reader: Reader<'_> = der::single(der::SEQUENCE, key)?.reader();
        reader.byte()?;
        let scalar = reader.expect(der::OCTET_STRING)?.content;
        let own_curve = reader.optional(der::context_constructed(0))?.map(|element| element.content);
        Ok::<_, crate::Error>((scalar, own_curve))
    };
    let (scalar, own_curve) = read().map_err(|_| PrivateKeyError::Malformed)?;
    let curves = [curve, own_curve];
    let mut curves = curves.iter().flatten().peekable();
    if curves.peek().is_none() || curves.any(|curve| *curve != SECP256R1) {
        return Err(PrivateKeyError::UnsupportedAlgorithm);
    }
    let scalar: &[u8; 32] = scalar.try_into().map_err(|_| PrivateKeyError::Malformed)?;
    let mut secret = Secret::zero();
    secret.expose_mut().copy_from_slice(scalar);
    Ok(secret)
}
