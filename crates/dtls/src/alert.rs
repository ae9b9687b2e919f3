//! The alert protocol (RFC 5246 section 7.2).

use core::fmt;

/// An alert: what went wrong and whether the sender gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Warning or fatal.
    pub level: AlertLevel,
    /// What it is about.
    pub description: AlertDescription,
}

impl Alert {
    /// The sender will send nothing more.
    pub const CLOSE_NOTIFY: Self =
        Self { level: AlertLevel::WARNING, description: AlertDescription::CLOSE_NOTIFY };
    /// The answer to an attempt at renegotiation.
    pub const NO_RENEGOTIATION: Self =
        Self { level: AlertLevel::WARNING, description: AlertDescription::NO_RENEGOTIATION };

    /// A fatal alert.
    pub const fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::FATAL, description }
    }

    /// Whether the connection is over: a fatal alert or `close_notify`.
    pub fn ends_connection(&self) -> bool {
        self.level != AlertLevel::WARNING || self.description == AlertDescription::CLOSE_NOTIFY
    }

    /// The alert as DTLS 1.3 sees it: what it is about decides, not the level (RFC 8446 section 6).
    pub(crate) fn in_dtls_1_3(self) -> Self {
        let closure = [AlertDescription::CLOSE_NOTIFY, AlertDescription::USER_CANCELED];
        match closure.contains(&self.description) {
            true => Self { level: AlertLevel::WARNING, ..self },
            false => Self::fatal(self.description),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[level, description] = bytes else { return None };
        Some(Self { level: AlertLevel(level), description: AlertDescription(description) })
    }

    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        [self.level.0, self.description.0]
    }
}

/// `AlertLevel` ([RFC 5246 section 7.2](https://www.rfc-editor.org/rfc/rfc5246#section-7.2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertLevel(pub u8);

impl AlertLevel {
    /// The connection may go on.
    pub const WARNING: Self = Self(1);
    /// The connection is over.
    pub const FATAL: Self = Self(2);
}

/// `AlertDescription` ([RFC 5246 section 7.2](https://www.rfc-editor.org/rfc/rfc5246#section-7.2)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlertDescription(pub u8);

macro_rules! descriptions {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl AlertDescription {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self($code);)*

            /// The name the RFC gives it, or `"unknown alert"`.
            pub const fn as_str(self) -> &'static str {
                match self.0 {
                    $($code => $text,)*
                    _ => "unknown alert",
                }
            }
        }
    };
}

descriptions! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
}

impl fmt::Debug for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.as_str(), self.0)
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
