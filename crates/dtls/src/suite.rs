//! Cipher suites: what each number stands for.

use sedge_crypto::Aead;

use crate::profile::Profile;

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
    /// Ephemeral Diffie-Hellman signed by a certificate's key, AES-128-CCM with an 8-byte tag: what a CoAP node with
    /// certificates or raw public keys speaks ([RFC 7251](https://www.rfc-editor.org/rfc/rfc7251),
    /// [RFC 7925 section 4.4](https://www.rfc-editor.org/rfc/rfc7925#section-4.4)).
    pub const TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8: Self = Self(0xc0ae);
    /// The same with a 16-byte tag ([RFC 7251](https://www.rfc-editor.org/rfc/rfc7251)).
    pub const TLS_ECDHE_ECDSA_WITH_AES_128_CCM: Self = Self(0xc0ac);
    /// The same with AES-128-GCM ([RFC 5289](https://www.rfc-editor.org/rfc/rfc5289)).
    pub const TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: Self = Self(0xc02b);
    /// Ephemeral Diffie-Hellman under a pre-shared key, AES-128-CCM with an 8-byte tag: recorded traffic stays secret
    /// when the key is lost ([RFC 8442](https://www.rfc-editor.org/rfc/rfc8442)).
    pub const TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256: Self = Self(0xd003);
    /// The same with a 16-byte tag ([RFC 8442](https://www.rfc-editor.org/rfc/rfc8442)).
    pub const TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256: Self = Self(0xd005);
    /// The same with AES-128-GCM ([RFC 8442](https://www.rfc-editor.org/rfc/rfc8442)).
    pub const TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256: Self = Self(0xd001);
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

    /// Every suite this crate can speak, the preferred first: with forward secrecy before those without, short tags
    /// before long ones.
    pub const ALL: &'static [Self] = &[
        Self::TLS_AES_128_CCM_8_SHA256,
        Self::TLS_AES_128_CCM_SHA256,
        Self::TLS_AES_128_GCM_SHA256,
        Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
        Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
        Self::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
        Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256,
        Self::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        Self::TLS_PSK_WITH_AES_128_CCM_8,
        Self::TLS_PSK_WITH_AES_128_CCM,
    ];

    /// The registry's name, or `"unknown cipher suite"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 => "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
            Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM => "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
            Self::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256 => "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256",
            Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256 => "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256",
            Self::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
            Self::TLS_PSK_WITH_AES_128_CCM_8 => "TLS_PSK_WITH_AES_128_CCM_8",
            Self::TLS_PSK_WITH_AES_128_CCM => "TLS_PSK_WITH_AES_128_CCM",
            Self::TLS_AES_128_CCM_8_SHA256 => "TLS_AES_128_CCM_8_SHA256",
            Self::TLS_AES_128_CCM_SHA256 => "TLS_AES_128_CCM_SHA256",
            Self::TLS_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
            _ => "unknown cipher suite",
        }
    }

    /// How keys are agreed on in DTLS 1.2, or `None` if it is no suite of that version or this crate does not speak it.
    pub(crate) const fn key_exchange(self) -> Option<KeyExchange> {
        match self {
            Self::TLS_PSK_WITH_AES_128_CCM_8 | Self::TLS_PSK_WITH_AES_128_CCM => Some(KeyExchange::Psk),
            Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256
            | Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256
            | Self::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 => Some(KeyExchange::EcdhePsk),
            Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
            | Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM
            | Self::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => Some(KeyExchange::EcdheEcdsa),
            _ => None,
        }
    }

    /// How the suite protects records, or `None` if this crate does not speak it.
    pub const fn aead(self) -> Option<Aead> {
        match self {
            Self::TLS_PSK_WITH_AES_128_CCM_8
            | Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256
            | Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
            | Self::TLS_AES_128_CCM_8_SHA256 => Some(Aead::Aes128Ccm8),
            Self::TLS_PSK_WITH_AES_128_CCM
            | Self::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256
            | Self::TLS_ECDHE_ECDSA_WITH_AES_128_CCM
            | Self::TLS_AES_128_CCM_SHA256 => Some(Aead::Aes128Ccm),
            Self::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256
            | Self::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | Self::TLS_AES_128_GCM_SHA256 => Some(Aead::Aes128Gcm),
            _ => None,
        }
    }
}

/// How a suite of DTLS 1.2 agrees on keys and authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// A pre-shared key alone (RFC 4279).
    Psk,
    /// Ephemeral Diffie-Hellman under a pre-shared key (RFC 5489).
    EcdhePsk,
    /// Ephemeral Diffie-Hellman signed by a certificate's key (RFC 8422).
    EcdheEcdsa,
}

impl KeyExchange {
    /// The same, which the compiler knows where a profile leaves no choice: what it lacks was never offered.
    pub(crate) const fn in_profile<P: Profile>(self) -> Self {
        match self {
            _ if !P::ECDHE => Self::Psk,
            _ if !P::PSK => Self::EcdheEcdsa,
            Self::EcdheEcdsa if !P::CERTIFICATES => Self::EcdhePsk,
            offered => offered,
        }
    }

    /// Whether both sides need the same pre-shared key.
    pub(crate) const fn uses_psk(self) -> bool {
        matches!(self, Self::Psk | Self::EcdhePsk)
    }

    /// Whether both sides make a key for this one handshake.
    pub(crate) const fn is_ephemeral(self) -> bool {
        matches!(self, Self::EcdhePsk | Self::EcdheEcdsa)
    }
}
