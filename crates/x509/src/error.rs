//! Why a certificate is not accepted.

use core::fmt;

/// Why a certificate, or the chain it came with, is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Not a certificate of X.509 version 3 in DER, or something in it is not as
    /// [RFC 5280](https://www.rfc-editor.org/rfc/rfc5280) has it.
    Malformed,
    /// A key that is not in P-256, or a signature that is not ECDSA with SHA-256.
    UnsupportedAlgorithm,
    /// An extension that is critical, and not understood here.
    UnknownCriticalExtension,
    /// A signature that is not the issuer's.
    BadSignature,
    /// The time is past notAfter.
    Expired,
    /// The time is before notBefore.
    NotYetValid,
    /// No issuer that is trusted leads to it.
    UnknownIssuer,
    /// An issuer whose certificate is not that of a CA.
    IssuerNotCa,
    /// More issuers than one of them allows below itself.
    PathTooLong,
    /// Names that one of the issuers may not certify.
    NameNotPermitted,
    /// It has no such name.
    WrongName,
    /// Its key is not for signing in a handshake, or not for this side of one.
    WrongUsage,
    /// It is the certificate of a CA, which is nobody's peer.
    IsCa,
    /// Its issuer has revoked it.
    Revoked,
    /// Nothing says whether it is revoked, and that has to be known.
    RevocationUnknown,
    /// The list that would say whether it is revoked is past its nextUpdate.
    CrlExpired,
    /// The list that would say whether it is revoked is not signed by its issuer, or of a kind that is not
    /// supported.
    BadCrl,
    /// No certificate at all.
    NoCertificate,
    /// More certificates than are looked at.
    TooMany,
    /// A certificate longer than are looked at.
    TooLarge,
}

impl Error {
    /// The number of the TLS alert that tells the peer
    /// ([RFC 8446 section 6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2)).
    pub const fn alert(self) -> u8 {
        const BAD_CERTIFICATE: u8 = 42;
        const UNSUPPORTED_CERTIFICATE: u8 = 43;
        const CERTIFICATE_REVOKED: u8 = 44;
        const CERTIFICATE_EXPIRED: u8 = 45;
        const CERTIFICATE_UNKNOWN: u8 = 46;
        const UNKNOWN_CA: u8 = 48;
        match self {
            Self::Malformed
            | Self::BadSignature
            | Self::WrongName
            | Self::NameNotPermitted
            | Self::NoCertificate
            | Self::TooMany
            | Self::TooLarge => BAD_CERTIFICATE,
            Self::UnsupportedAlgorithm | Self::UnknownCriticalExtension | Self::WrongUsage | Self::IsCa => {
                UNSUPPORTED_CERTIFICATE
            }
            Self::Revoked => CERTIFICATE_REVOKED,
            // There is one alert for "has expired or is not currently valid".
            Self::Expired | Self::NotYetValid => CERTIFICATE_EXPIRED,
            Self::RevocationUnknown | Self::CrlExpired | Self::BadCrl => CERTIFICATE_UNKNOWN,
            Self::UnknownIssuer | Self::IssuerNotCa | Self::PathTooLong => UNKNOWN_CA,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the certificate is malformed",
            Self::UnsupportedAlgorithm => "the certificate does not use P-256 and SHA-256",
            Self::UnknownCriticalExtension => "the certificate has a critical extension that is not known",
            Self::BadSignature => "the certificate's signature is not valid",
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::UnknownIssuer => "the certificate's issuer is not trusted",
            Self::IssuerNotCa => "the certificate of an issuer is not that of a CA",
            Self::PathTooLong => "there are more issuers between than one of them allows",
            Self::NameNotPermitted => "an issuer may not certify the certificate's names",
            Self::WrongName => "the certificate is for another name",
            Self::WrongUsage => "the certificate is for another use",
            Self::IsCa => "the certificate is that of a CA",
            Self::Revoked => "the certificate is revoked",
            Self::RevocationUnknown => "no list says whether the certificate is revoked",
            Self::CrlExpired => "the list of revoked certificates has expired",
            Self::BadCrl => "the list of revoked certificates is not valid",
            Self::NoCertificate => "there is no certificate",
            Self::TooMany => "there are too many certificates",
            Self::TooLarge => "a certificate is too large",
        })
    }
}

impl core::error::Error for Error {}
