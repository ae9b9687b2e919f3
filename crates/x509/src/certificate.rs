//! A certificate, as a view over its bytes.

use core::fmt;

use sedge_crypto::{Crypto, Hash, PublicKey, Signature, public_key_from_info};

use crate::der::{self, Element, Reader};
use crate::error::Error;
use crate::extension::{BasicConstraints, ExtendedKeyUsage, Extensions, KeyUsage, NameConstraints};
use crate::general_name::{GeneralName, SubjectAltName};
use crate::name::Name;
use crate::time::Validity;

/// A certificate of X.509 version 3 with a P-256 key, signed with ECDSA and SHA-256
/// ([RFC 5280 section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
///
/// To have one means that its form is right. Whether to believe what it says is for
/// [`PinnedIssuer`](crate::PinnedIssuer) to tell on a device, and for `Verifier` on a host.
#[derive(Clone, Copy)]
pub struct Certificate<'a> {
    der: &'a [u8],
    /// What is signed.
    tbs: &'a [u8],
    serial: &'a [u8],
    issuer: Name<'a>,
    validity: Validity,
    subject: Name<'a>,
    public_key: PublicKey,
    extensions: Extensions<'a>,
    signature: Signature,
}

impl<'a> Certificate<'a> {
    /// Takes exactly one certificate in DER.
    ///
    /// # Errors
    /// [`Error::Malformed`]: not such a certificate, or not in DER to the letter.
    /// [`Error::UnsupportedAlgorithm`]: a certificate with another kind of key or signature.
    /// [`Error::UnknownCriticalExtension`]: one that says more than is understood here.
    pub fn parse(der: &'a [u8]) -> Result<Self, Error> {
        Self::parse_with(der, NameConstraints::Refused)
    }

    pub(crate) fn parse_with(der: &'a [u8], name_constraints: NameConstraints) -> Result<Self, Error> {
        // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
        let mut certificate = der::single(der::SEQUENCE, der)?.reader();
        let tbs = certificate.expect(der::SEQUENCE)?;
        let algorithm = certificate.expect(der::SEQUENCE)?;
        let signature = certificate.octet_aligned_bits()?;
        certificate.end()?;

        // TBSCertificate ::= SEQUENCE { version [0], serialNumber, signature, issuer, validity, subject,
        //                               subjectPublicKeyInfo, extensions [3] }
        let mut fields = tbs.reader();
        let mut version = fields.expect(der::context_constructed(0))?.reader();
        let is_v3 = version.byte()? == 2;
        version.end()?;
        let serial = fields.unsigned()?;
        let signed_with = fields.expect(der::SEQUENCE)?;
        if !is_v3 || serial.len() > MAX_SERIAL_LEN || signed_with.content != algorithm.content {
            return Err(Error::Malformed);
        }
        if algorithm.content != ECDSA_WITH_SHA256 {
            return Err(unsupported(algorithm));
        }
        let issuer = Name::parse(fields.expect(der::SEQUENCE)?)?;
        let validity = Validity::parse(fields.expect(der::SEQUENCE)?)?;
        let subject = Name::parse(fields.expect(der::SEQUENCE)?)?;
        let public_key = public_key(fields.expect(der::SEQUENCE)?)?;
        let extensions = match fields.optional(der::context_constructed(3))? {
            Some(explicit) => {
                Extensions::parse(der::single(der::SEQUENCE, explicit.content)?, name_constraints)?
            }
            None => Extensions::default(),
        };
        fields.end()?;
        if issuer.is_empty() {
            return Err(Error::Malformed);
        }
        let signature = Signature::from_der(signature).map_err(|_| Error::Malformed)?;
        Ok(Self { der, tbs: tbs.der, serial, issuer, validity, subject, public_key, extensions, signature })
    }

    /// All of it, in DER.
    pub const fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// The number that its issuer gave it, big-endian and without zeros in front: 1 to 20 bytes.
    pub const fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// Who signed it.
    pub const fn issuer(&self) -> Name<'a> {
        self.issuer
    }

    /// From when until when it is valid.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Whom it is about; may be empty.
    pub const fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// The subject's key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether the subject is a CA. Without the extension it is not.
    pub fn basic_constraints(&self) -> BasicConstraints {
        self.extensions.basic_constraints.unwrap_or_default()
    }

    /// What the key is for; anything without.
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage
    }

    /// What the peer may do with the key; anything without.
    pub const fn extended_key_usage(&self) -> Option<ExtendedKeyUsage> {
        self.extensions.extended_key_usage
    }

    /// The subject's names.
    pub const fn subject_alt_name(&self) -> Option<SubjectAltName<'a>> {
        self.extensions.subject_alt_name
    }

    /// Which of the issuer's keys has signed it
    /// ([RFC 5280 section 4.2.1.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.1)).
    pub const fn authority_key_identifier(&self) -> Option<&'a [u8]> {
        self.extensions.authority_key_identifier
    }

    /// What the certificates that the subject's key signs call this key
    /// ([RFC 5280 section 4.2.1.2](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.2)).
    pub const fn subject_key_identifier(&self) -> Option<&'a [u8]> {
        self.extensions.subject_key_identifier
    }

    #[cfg(feature = "std")]
    pub(crate) const fn has_name_constraints(&self) -> bool {
        self.extensions.has_name_constraints
    }

    /// The one name by which to know the peer: its first DNS name, else its first URI, else its common name.
    ///
    /// Devices have an EUI-64 or a name of their maker's there
    /// ([RFC 7925 section 4.4](https://www.rfc-editor.org/rfc/rfc7925#section-4.4)).
    pub fn peer_name(&self) -> Option<&'a str> {
        let names = || self.subject_alt_name().into_iter().flat_map(|names| names.iter());
        let dns =
            || names().find_map(|name| if let GeneralName::Dns(text) = name { Some(text) } else { None });
        let uri =
            || names().find_map(|name| if let GeneralName::Uri(text) = name { Some(text) } else { None });
        dns().or_else(uri).or_else(|| self.subject.common_name())
    }

    /// The peer's name as an EUI-64, which is eight pairs of hexadecimal digits with `-` between them
    /// ([RFC 7925 section 4.4.2](https://www.rfc-editor.org/rfc/rfc7925#section-4.4.2)).
    pub fn eui64(&self) -> Option<[u8; 8]> {
        let mut pairs = self.peer_name()?.split('-');
        let mut eui = [0; 8];
        for byte in &mut eui {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(eui)
    }

    /// Whether it was signed with the private half of this key.
    pub fn verify_signature<C: Crypto>(&self, crypto: &C, issuer: &PublicKey) -> Result<(), Error> {
        let mut hash = crypto.sha256();
        hash.update(self.tbs);
        crypto.verify(issuer, &hash.finish(), &self.signature).map_err(|_| Error::BadSignature)
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("bytes", &self.der.len())
            .field("issuer", &self.issuer)
            .field("validity", &self.validity)
            .field("subject", &self.subject)
            .field("public_key", &self.public_key)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// Bytes in the longest serial number
/// ([RFC 5280 section 4.1.2.2](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.2)).
const MAX_SERIAL_LEN: usize = 20;

/// The OBJECT IDENTIFIER 1.2.840.10045.4.3.2, and no parameters
/// ([RFC 5758 section 3.2](https://www.rfc-editor.org/rfc/rfc5758#section-3.2)).
pub(crate) const ECDSA_WITH_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// What there is to say of an AlgorithmIdentifier that is not the expected one.
fn unsupported(algorithm: Element<'_>) -> Error {
    fn read(mut reader: Reader<'_>) -> Result<(), Error> {
        reader.expect(der::OBJECT_IDENTIFIER)?;
        if !reader.is_empty() {
            reader.element()?;
        }
        reader.end()
    }
    read(algorithm.reader()).err().unwrap_or(Error::UnsupportedAlgorithm)
}

pub(crate) fn public_key(info: Element<'_>) -> Result<PublicKey, Error> {
    public_key_from_info(info.der).map_err(|_| {
        let mut reader = info.reader();
        let algorithm = reader.expect(der::SEQUENCE);
        let well_formed = reader.octet_aligned_bits().is_ok() && reader.is_empty();
        match algorithm {
            Ok(algorithm) if well_formed => unsupported(algorithm),
            _ => Error::Malformed,
        }
    })
}
