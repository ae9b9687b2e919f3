//! Cipher suites: what each number stands for.

use sedge_crypto::Aead;

/// A cipher suite's number in the
/// [IANA registry](https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// Pre-shared key, AES-128-CCM with an 8-byte tag: what every CoAP node speaks
    /// ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655),
    /// [RFC 7925 section 4.2](https://www.rfc-editor.org/rfc/rfc7925#section-4.2)).
    pub const TLS_PSK_WITH_AES_128_CCM_8: Self = Self(0xc0a8);
    /// Pre-shared key, AES-128-CCM with a 16-byte tag ([RFC 6655](https://www.rfc-editor.org/rfc/rfc6655)).
    pub const TLS_PSK_WITH_AES_128_CCM: Self = Self(0xc0a4);
    /// DTLS 1.3 with AES-128-CCM and an 8-byte tag
    /// ([RFC 8446 appendix B.4](https://www.rfc-editor.org/rfc/rfc8446#appendix-B.4)). Forgeries are counted, and keys
    /// replaced in time, as [RFC 9147 section 4.5.3](https://www.rfc-editor.org/rfc/rfc9147#section-4.5.3) demands.
    pub const TLS_AES_128_CCM_8_SHA256: Self = Self(0x1305);
    /// DTLS 1.3 with AES-128-CCM and a 16-byte tag.
    pub const TLS_AES_128_CCM_SHA256: Self = Self(0x1304);
    /// DTLS 1.3 with AES-128 in Galois/Counter mode and a 16-byte tag.
    pub const TLS_AES_128_GCM_SHA256: Self = Self(0x1301);
    /// Not a suite but a client's word that it knows secure renegotiation
    /// ([RFC 5746 section 3.3](https://www.rfc-editor.org/rfc/rfc5746#section-3.3)).
    pub(crate) const TLS_EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);

    /// Every suite this crate can speak, the preferred first.
    pub const ALL: &'static [Self] = &[
        Self::TLS_AES_128_CCM_8_SHA256,
        Self::TLS_AES_128_CCM_SHA256,
        Self::TLS_AES_128_GCM_SHA256,
        Self::TLS_PSK_WITH_AES_128_CCM_8,
        Self::TLS_PSK_WITH_AES_128_CCM,
    ];

    /// The registry's name, or `"unknown cipher suite"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TLS_PSK_WITH_AES_128_CCM_8 => "TLS_PSK_WITH_AES_128_CCM_8",
            Self::TLS_PSK_WITH_AES_128_CCM => "TLS_PSK_WITH_AES_128_CCM",
            Self::TLS_AES_128_CCM_8_SHA256 => "TLS_AES_128_CCM_8_SHA256",
            Self::TLS_AES_128_CCM_SHA256 => "TLS_AES_128_CCM_SHA256",
            Self::TLS_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
            _ => "unknown cipher suite",
        }
    }

    /// How keys are agreed on, or `None` if this crate does not speak it.
    pub(crate) const fn key_exchange(self) -> Option<KeyExchange> {
        match self {
            Self::TLS_PSK_WITH_AES_128_CCM_8 | Self::TLS_PSK_WITH_AES_128_CCM => Some(KeyExchange::Psk),
            Self::TLS_AES_128_CCM_8_SHA256 | Self::TLS_AES_128_CCM_SHA256 | Self::TLS_AES_128_GCM_SHA256 => {
                Some(KeyExchange::Extensions)
            }
            _ => None,
        }
    }

    /// How the suite protects records, or `None` if this crate does not speak it.
    pub const fn aead(self) -> Option<Aead> {
        match self {
            Self::TLS_PSK_WITH_AES_128_CCM_8 | Self::TLS_AES_128_CCM_8_SHA256 => Some(Aead::Aes128Ccm8),
            Self::TLS_PSK_WITH_AES_128_CCM | Self::TLS_AES_128_CCM_SHA256 => Some(Aead::Aes128Ccm),
            Self::TLS_AES_128_GCM_SHA256 => Some(Aead::Aes128Gcm),
            _ => None,
        }
    }
}

/// How a suite agrees on keys and authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// A pre-shared key alone (RFC 4279).
    Psk,
    /// Ephemeral Diffie-Hellman under a pre-shared key (RFC 5489).
    EcdhePsk,
    /// Ephemeral Diffie-Hellman signed by a certificate's key (RFC 8422).
    EcdheEcdsa,
    /// DTLS 1.3: the suite leaves it to the extensions.
    Extensions,
}
