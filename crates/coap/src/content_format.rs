//! Content-Formats ([RFC 7252 section 12.3](https://www.rfc-editor.org/rfc/rfc7252#section-12.3)).

/// The number that stands for a media type, its parameters and its content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentFormat(pub u16);

impl ContentFormat {
    /// `text/plain; charset=utf-8`
    pub const TEXT: Self = Self(0);
    /// `application/cose; cose-type="cose-encrypt0"`
    pub const COSE_ENCRYPT0: Self = Self(16);
    /// `application/cose; cose-type="cose-mac0"`
    pub const COSE_MAC0: Self = Self(17);
    /// `application/cose; cose-type="cose-sign1"`
    pub const COSE_SIGN1: Self = Self(18);
    /// `application/ace+cbor`
    pub const ACE_CBOR: Self = Self(19);
    /// `application/link-format`
    pub const LINK_FORMAT: Self = Self(40);
    /// `application/xml`
    pub const XML: Self = Self(41);
    /// `application/octet-stream`
    pub const OCTET_STREAM: Self = Self(42);
    /// `application/exi`
    pub const EXI: Self = Self(47);
    /// `application/json`
    pub const JSON: Self = Self(50);
    /// `application/cbor`
    pub const CBOR: Self = Self(60);
    /// `application/cwt`
    pub const CWT: Self = Self(61);
    /// `application/cbor-seq`
    pub const CBOR_SEQ: Self = Self(63);
    /// `application/cose-key-set`
    pub const COSE_KEY_SET: Self = Self(102);
    /// `application/senml+json`
    pub const SENML_JSON: Self = Self(110);
    /// `application/senml+cbor`
    pub const SENML_CBOR: Self = Self(112);
    /// `application/concise-problem-details+cbor` ([RFC 9290](https://www.rfc-editor.org/rfc/rfc9290))
    pub const PROBLEM_DETAILS: Self = Self(257);
    /// `application/ace-trl+cbor` ([RFC 9770](https://www.rfc-editor.org/rfc/rfc9770))
    pub const ACE_TRL_CBOR: Self = Self(262);
    /// `application/missing-blocks+cbor-seq` ([RFC 9177](https://www.rfc-editor.org/rfc/rfc9177))
    pub const MISSING_BLOCKS: Self = Self(272);
    /// `application/core-pubsub+cbor`: what draft-ietf-core-coap-pubsub asks for; not yet assigned.
    pub const CORE_PUBSUB: Self = Self(606);

    /// The media type of the formats named here.
    pub const fn media_type(self) -> Option<&'static str> {
        Some(match self {
            Self::TEXT => "text/plain; charset=utf-8",
            Self::COSE_ENCRYPT0 => "application/cose; cose-type=\"cose-encrypt0\"",
            Self::COSE_MAC0 => "application/cose; cose-type=\"cose-mac0\"",
            Self::COSE_SIGN1 => "application/cose; cose-type=\"cose-sign1\"",
            Self::ACE_CBOR => "application/ace+cbor",
            Self::LINK_FORMAT => "application/link-format",
            Self::XML => "application/xml",
            Self::OCTET_STREAM => "application/octet-stream",
            Self::EXI => "application/exi",
            Self::JSON => "application/json",
            Self::CBOR => "application/cbor",
            Self::CWT => "application/cwt",
            Self::CBOR_SEQ => "application/cbor-seq",
            Self::COSE_KEY_SET => "application/cose-key-set",
            Self::SENML_JSON => "application/senml+json",
            Self::SENML_CBOR => "application/senml+cbor",
            Self::PROBLEM_DETAILS => "application/concise-problem-details+cbor",
            Self::ACE_TRL_CBOR => "application/ace-trl+cbor",
            Self::MISSING_BLOCKS => "application/missing-blocks+cbor-seq",
            Self::CORE_PUBSUB => "application/core-pubsub+cbor",
            _ => return None,
        })
    }
}
