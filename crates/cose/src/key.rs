//! COSE_Key (RFC 9052 section 7, RFC 9053 section 7).

use core::fmt;

use sedge_crypto::{PublicKey, Secret};

use crate::algorithm::{Algorithm, SymmetricKey};
use crate::cbor::{self, Decoder, Encoder};
use crate::error::Error;

const KTY: i64 = 1;
const KID: i64 = 2;
const ALG: i64 = 3;
const KEY_OPS: i64 = 4;
const BASE_IV: i64 = 5;

const OKP: i64 = 1;
const EC2: i64 = 2;
const SYMMETRIC: i64 = 4;

/// A key ([RFC 9052 section 7](https://www.rfc-editor.org/rfc/rfc9052#section-7)): a view of an encoded one, or one to
/// be written.
///
/// What makes up the key may be missing: a token can name a key by nothing but its `kid`
/// ([RFC 9202 section 3.3.1](https://www.rfc-editor.org/rfc/rfc9202#section-3.3.1)). Each use asks for what it needs.
/// Secret parts are not printed, and remain the caller's to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoseKey<'b> {
    /// `kid`.
    pub kid: Option<&'b [u8]>,
    /// `alg`: the only algorithm that the key is for.
    pub algorithm: Option<Algorithm>,
    /// `key_ops`: the only purposes that it is for.
    pub ops: Option<KeyOps>,
    /// `Base IV`, with which a Partial IV is combined.
    pub base_iv: Option<&'b [u8]>,
    /// `kty`, and what belongs to it.
    pub material: Material<'b>,
}

/// What makes up a key ([RFC 9053 section 7](https://www.rfc-editor.org/rfc/rfc9053#section-7)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Material<'b> {
    /// An Octet Key Pair.
    Okp {
        /// `crv`.
        curve: Curve,
        /// `x`, the public key.
        x: Option<&'b [u8]>,
        /// `d`, the private key.
        d: Option<&'b [u8]>,
    },
    /// A point on a curve with two coordinates.
    Ec2 {
        /// `crv`.
        curve: Curve,
        /// `x`.
        x: Option<&'b [u8]>,
        /// `y`.
        y: Option<Y<'b>>,
        /// `d`, the private key.
        d: Option<&'b [u8]>,
    },
    /// A key that both sides have.
    Symmetric {
        /// `k`, the key.
        k: Option<&'b [u8]>,
    },
}

/// The second coordinate of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Y<'b> {
    /// All of it.
    Coordinate(&'b [u8]),
    /// Its sign, of a compressed point. Such a key can be read, but not used.
    Sign(bool),
}

/// A curve by its number in the
/// [COSE Elliptic Curves registry](https://www.iana.org/assignments/cose/cose.xhtml#elliptic-curves).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Curve(pub i64);

impl Curve {
    /// NIST P-256.
    pub const P256: Self = Self(1);
    /// X25519, for key agreement.
    pub const X25519: Self = Self(4);
    /// Ed25519, for signatures.
    pub const ED25519: Self = Self(6);

    /// Length in bytes of a coordinate and of a private key, where it is known.
    const fn len(self) -> Option<usize> {
        match self {
            Self::P256 | Self::X25519 | Self::ED25519 => Some(32),
            _ => None,
        }
    }
}

/// What a key may be for ([RFC 9052 section 7.1](https://www.rfc-editor.org/rfc/rfc9052#section-7.1), table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyOp {
    /// Making signatures.
    Sign = 1,
    /// Checking signatures.
    Verify = 2,
    /// Encrypting.
    Encrypt = 3,
    /// Decrypting.
    Decrypt = 4,
    /// Encrypting keys.
    WrapKey = 5,
    /// Decrypting keys.
    UnwrapKey = 6,
    /// Deriving keys.
    DeriveKey = 7,
    /// Deriving bits that are no key.
    DeriveBits = 8,
    /// Making authentication codes.
    MacCreate = 9,
    /// Checking authentication codes.
    MacVerify = 10,
}

/// A set of purposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyOps(u16);

impl KeyOps {
    /// These.
    pub fn of(ops: &[KeyOp]) -> Self {
        Self(ops.iter().fold(0, |bits, op| bits | 1 << *op as u8))
    }

    /// Whether it is among them.
    pub const fn has(self, op: KeyOp) -> bool {
        self.0 >> op as u8 & 1 == 1
    }

    /// `[+ (tstr / int)]`; what has no meaning here is left out, and a key for nothing else is of no use here.
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let (mut ops, count) = (Self(0), decoder.array()?);
        for _ in 0..count {
            if let cbor::Label::Int(number @ 1..=10) = decoder.label()? {
                ops.0 |= 1 << number;
            }
        }
        if ops == Self(0) { Err(Error::Key) } else { Ok(ops) }
    }

    fn encode(self, encoder: &mut Encoder<'_>) {
        encoder.array(self.0.count_ones() as usize);
        for number in (1..=10).filter(|number| self.0 >> number & 1 == 1) {
            encoder.int(number);
        }
    }
}

impl<'b> CoseKey<'b> {
    /// A key of which nothing but what makes it up is said.
    pub const fn new(material: Material<'b>) -> Self {
        Self { kid: None, algorithm: None, ops: None, base_iv: None, material }
    }

    /// A symmetric key for one algorithm.
    pub const fn symmetric(key: &SymmetricKey<'b>) -> Self {
        let material = Material::Symmetric { k: Some(key.expose()) };
        Self { algorithm: Some(key.algorithm()), ..Self::new(material) }
    }

    /// A public key in P-256.
    pub fn public(key: &'b PublicKey) -> Self {
        let [x, y] = key.as_bytes().get(1..).unwrap_or_default().as_chunks::<32>().0 else {
            return Self::new(Material::Ec2 { curve: Curve::P256, x: None, y: None, d: None });
        };
        Self::new(Material::Ec2 { curve: Curve::P256, x: Some(x), y: Some(Y::Coordinate(y)), d: None })
    }

    /// Reads exactly one key.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let key = Self::read(&mut decoder)?;
        decoder.end()?;
        Ok(key)
    }

    /// Reads a key; more may follow.
    ///
    /// # Errors
    /// [`Error::Key`] for types of keys that are not known here, and for coordinates that cannot be of their curve.
    pub fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        let mut key = Self::new(Material::Symmetric { k: None });
        let mut kty = None;
        // What the labels below zero mean depends on the type, which may come later.
        let mut parameters: [Option<Decoder<'b>>; 4] = [None; 4];
        decoder.map(|label, value| {
            let cbor::Label::Int(number) = label else { return Ok(()) };
            match number {
                KTY => kty = Some(value.int()?),
                KID => key.kid = Some(value.bytes()?),
                ALG => key.algorithm = Some(Algorithm(value.int()?)),
                KEY_OPS => key.ops = Some(KeyOps::read(value)?),
                BASE_IV => key.base_iv = Some(value.bytes()?),
                -4..=-1 => {
                    let place = usize::try_from(-1 - number).ok().and_then(|at| parameters.get_mut(at));
                    place.into_iter().for_each(|place| *place = Some(*value));
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let [first, second, third, fourth] = parameters;
        let bytes = |value: Option<Decoder<'b>>| value.map(|mut value| value.bytes()).transpose();
        let curve = || first.ok_or(Error::Key).and_then(|mut value| Ok(Curve(value.int()?)));
        key.material = match kty.ok_or(Error::Key)? {
            OKP => Material::Okp { curve: curve()?, x: bytes(second)?, d: bytes(fourth)? },
            EC2 => {
                let y = third.map(|mut value| match value.bool() {
                    Ok(sign) => Ok(Y::Sign(sign)),
                    Err(_) => value.bytes().map(Y::Coordinate),
                });
                Material::Ec2 { curve: curve()?, x: bytes(second)?, y: y.transpose()?, d: bytes(fourth)? }
            }
            SYMMETRIC => Material::Symmetric { k: bytes(first)? },
            _ => return Err(Error::Key),
        };
        key.check_lengths()?;
        Ok(key)
    }

    fn check_lengths(&self) -> Result<(), Error> {
        let (curve, x, y, d) = match self.material {
            Material::Okp { curve, x, d } => (curve, x, None, d),
            Material::Ec2 { curve, x, y, d } => (curve, x, y, d),
            Material::Symmetric { .. } => return Ok(()),
        };
        let y = match y {
            Some(Y::Coordinate(y)) => Some(y),
            _ => None,
        };
        let fits = |part: &[u8]| curve.len().is_none_or(|len| part.len() == len);
        if [x, y, d].into_iter().flatten().all(fits) { Ok(()) } else { Err(Error::Key) }
    }

    /// Writes the key.
    pub fn encode(&self, encoder: &mut Encoder<'_>) {
        let Self { kid, algorithm, ops, base_iv, material } = *self;
        let (kty, curve, strings, y) = match material {
            Material::Okp { curve, x, d } => (OKP, Some(curve), [(-2, x), (-3, None), (-4, d)], None),
            Material::Ec2 { curve, x, y, d } => {
                let (coordinate, sign) = match y {
                    Some(Y::Coordinate(y)) => (Some(y), None),
                    Some(Y::Sign(sign)) => (None, Some(sign)),
                    None => (None, None),
                };
                (EC2, Some(curve), [(-2, x), (-3, coordinate), (-4, d)], sign)
            }
            Material::Symmetric { k } => (SYMMETRIC, None, [(-1, k), (-2, None), (-3, None)], None),
        };
        let common = [kid.is_some(), algorithm.is_some(), ops.is_some(), base_iv.is_some()];
        let count =
            1 + common.into_iter().chain([curve.is_some(), y.is_some()]).filter(|&there| there).count();
        encoder.map(count + strings.iter().filter(|(_, value)| value.is_some()).count());
        encoder.int(KTY).int(kty);
        if let Some(kid) = kid {
            encoder.int(KID).bytes(kid);
        }
        if let Some(Algorithm(number)) = algorithm {
            encoder.int(ALG).int(number);
        }
        if let Some(ops) = ops {
            ops.encode(encoder.int(KEY_OPS));
        }
        if let Some(base_iv) = base_iv {
            encoder.int(BASE_IV).bytes(base_iv);
        }
        if let Some(Curve(number)) = curve {
            encoder.int(-1).int(number);
        }
        for (label, value) in strings {
            if let Some(value) = value {
                encoder.int(label).bytes(value);
            }
            if let (-3, Some(sign)) = (label, y) {
                encoder.int(-3).bool(sign);
            }
        }
    }

    /// The symmetric key, for this algorithm and purpose.
    ///
    /// # Errors
    /// [`Error::Key`] if it is of another type, says that it is for something else, or has a length that the algorithm
    /// does not take.
    pub fn symmetric_for(&self, algorithm: Algorithm, op: KeyOp) -> Result<SymmetricKey<'b>, Error> {
        self.check_use(algorithm, op)?;
        match self.material {
            Material::Symmetric { k: Some(k) } => SymmetricKey::new(algorithm, k),
            _ => Err(Error::Key),
        }
    }

    /// The public key in P-256 that verifies ES256. Whether it is a point of the curve is seen when it is used.
    ///
    /// # Errors
    /// [`Error::Key`] if it is another key, is not for that, or is compressed.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        self.check_use(Algorithm::ES256, KeyOp::Verify)?;
        let Material::Ec2 { curve: Curve::P256, x: Some(x), y: Some(Y::Coordinate(y)), .. } = self.material
        else {
            return Err(Error::Key);
        };
        let mut point = [4; PublicKey::LEN];
        let coordinates = x.iter().chain(y);
        point.iter_mut().skip(1).zip(coordinates).for_each(|(to, from)| *to = *from);
        PublicKey::new(point).map_err(|_| Error::Key)
    }

    /// The private key in P-256 that signs with ES256, for [`signing_key`](sedge_crypto::Crypto::signing_key).
    ///
    /// # Errors
    /// [`Error::Key`] if it is another key, or is not for that.
    pub fn private_key(&self) -> Result<Secret<32>, Error> {
        self.check_use(Algorithm::ES256, KeyOp::Sign)?;
        match self.material {
            Material::Ec2 { curve: Curve::P256, d: Some(d), .. } => {
                d.try_into().map(Secret::new).map_err(|_| Error::Key)
            }
            _ => Err(Error::Key),
        }
    }

    fn check_use(&self, algorithm: Algorithm, op: KeyOp) -> Result<(), Error> {
        let suits =
            self.algorithm.is_none_or(|only| only == algorithm) && self.ops.is_none_or(|ops| ops.has(op));
        if suits { Ok(()) } else { Err(Error::Key) }
    }
}

impl fmt::Debug for Material<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |there: Option<&[u8]>| there.map(|_| format_args!("[secret]"));
        match self {
            Self::Okp { curve, x, d } => {
                f.debug_struct("Okp").field("curve", curve).field("x", x).field("d", &secret(*d)).finish()
            }
            Self::Ec2 { curve, x, y, d } => f
                .debug_struct("Ec2")
                .field("curve", curve)
                .field("x", x)
                .field("y", y)
                .field("d", &secret(*d))
                .finish(),
            Self::Symmetric { k } => f.debug_struct("Symmetric").field("k", &secret(*k)).finish(),
        }
    }
}
