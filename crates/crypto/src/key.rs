//! Public keys, key shares, and what can be wrong with keys.

use core::fmt;

/// A group for Diffie-Hellman key exchange
/// ([RFC 8446 section 4.2.7](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedGroup {
    /// NIST P-256.
    Secp256r1,
    /// Curve25519 ([RFC 7748](https://www.rfc-editor.org/rfc/rfc7748)).
    X25519,
}

impl NamedGroup {
    /// The group of this number in the TLS Supported Groups registry, if it is one of these.
    pub const fn from_u16(number: u16) -> Option<Self> {
        match number {
            23 => Some(Self::Secp256r1),
            29 => Some(Self::X25519),
            _ => None,
        }
    }

    /// The group's number in the TLS Supported Groups registry.
    pub const fn to_u16(self) -> u16 {
        match self {
            Self::Secp256r1 => 23,
            Self::X25519 => 29,
        }
    }

    /// Length in bytes of a [`KeyShare`] in this group.
    pub const fn share_len(self) -> usize {
        match self {
            Self::Secp256r1 => PublicKey::LEN,
            Self::X25519 => 32,
        }
    }
}

/// The public half of an ephemeral key, as it goes over the wire
/// ([RFC 8446 section 4.2.8.2](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.8.2)).
#[derive(Clone, Copy)]
pub struct KeyShare {
    group: NamedGroup,
    /// The first [`NamedGroup::share_len`] of these.
    bytes: [u8; PublicKey::LEN],
}

impl KeyShare {
    /// A share in P-256: an uncompressed point.
    pub const fn secp256r1(point: &PublicKey) -> Self {
        Self { group: NamedGroup::Secp256r1, bytes: point.0 }
    }

    /// A share in Curve25519: a u-coordinate.
    pub fn x25519(u: &[u8; 32]) -> Self {
        let mut bytes = [0; PublicKey::LEN];
        for (to, from) in bytes.iter_mut().zip(u) {
            *to = *from;
        }
        Self { group: NamedGroup::X25519, bytes }
    }

    /// The group that the share is in.
    pub const fn group(&self) -> NamedGroup {
        self.group
    }

    /// 65 bytes of uncompressed point in P-256, 32 bytes in Curve25519.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.group.share_len()).unwrap_or(&self.bytes)
    }
}

impl PartialEq for KeyShare {
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeyShare {}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare({:?}, ", self.group)?;
        write_hex(f, self.as_bytes())?;
        f.write_str(")")
    }
}

/// A public key in P-256, as an uncompressed point: `04 | x | y`
/// ([SEC 1](https://www.secg.org/sec1-v2.pdf) section 2.3.3).
///
/// Only its form is known to be right. That the point is on the curve is checked by the provider at each use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; Self::LEN]);

impl PublicKey {
    /// Length in bytes.
    pub const LEN: usize = 65;

    /// The key of these bytes, which have to begin with 4.
    pub const fn new(bytes: [u8; Self::LEN]) -> Result<Self, KeyError> {
        match bytes {
            [4, ..] => Ok(Self(bytes)),
            _ => Err(KeyError::PublicKey),
        }
    }

    /// The key of these bytes: 65, which have to begin with 4.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::new(bytes.try_into().map_err(|_| KeyError::PublicKey)?)
    }

    /// `04 | x | y`.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        write_hex(f, &self.0)?;
        f.write_str(")")
    }
}

/// What is wrong with a key, a key share or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A public key or key share that has the wrong length or form, is no point of its curve, or would make a
    /// shared secret of zeros.
    PublicKey,
    /// A private key of zero, or not below the order of the curve.
    PrivateKey,
    /// A signature that is malformed, or not this key's over this digest.
    Signature,
    /// The source of randomness yields nothing that could be a key.
    Randomness,
    /// The provider does not offer the algorithm, or its hardware failed.
    Provider,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublicKey => "the public key is not valid",
            Self::PrivateKey => "the private key is out of range",
            Self::Signature => "the signature is not valid",
            Self::Randomness => "the source of randomness is broken",
            Self::Provider => "the provider of cryptography cannot do this",
        })
    }
}

impl core::error::Error for KeyError {}

pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
