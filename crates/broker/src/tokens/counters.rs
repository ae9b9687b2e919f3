//! Why tokens are refused, and how often.

use std::sync::atomic::{AtomicU64, Ordering};

use sedge_coap::Code;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no token, or one in a form that is not understood.
    Malformed,
    /// It is under a key that is not known here.
    UnknownKey,
    /// It was changed, or made by somebody else.
    Forged,
    /// It names another authorisation server.
    Issuer,
    /// It is for another resource server.
    Audience,
    /// It is over.
    Expired,
    /// It is not good yet.
    NotYet,
    /// It was revoked, or it was over before.
    Revoked,
    /// A newer one for the same key was shown before.
    Stale,
    /// Its claims are not understood, or one is missing.
    Claims,
    /// It is bound to no key that can be used here.
    Confirmation,
    /// What it permits is not understood.
    Scope,
    /// Its key is another token's, which was issued to somebody else.
    Conflict,
    /// There are too many.
    Full,
}

impl Refused {
    const ALL: [(&'static str, Self); 14] = [
        ("malformed", Self::Malformed),
        ("unknown_key", Self::UnknownKey),
        ("forged", Self::Forged),
        ("issuer", Self::Issuer),
        ("audience", Self::Audience),
        ("expired", Self::Expired),
        ("not_yet", Self::NotYet),
        ("revoked", Self::Revoked),
        ("stale", Self::Stale),
        ("claims", Self::Claims),
        ("confirmation", Self::Confirmation),
        ("scope", Self::Scope),
        ("conflict", Self::Conflict),
        ("full", Self::Full),
    ];

    /// What is answered ([RFC 9200 section 5.10.1.1](https://www.rfc-editor.org/rfc/rfc9200#section-5.10.1.1)). Of a token
    /// that is not authentic nobody learns what is wrong with it.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Malformed
            | Self::UnknownKey
            | Self::Forged
            | Self::Issuer
            | Self::Expired
            | Self::NotYet
            | Self::Revoked
            | Self::Stale => Code::UNAUTHORIZED,
            Self::Audience => Code::FORBIDDEN,
            Self::Claims | Self::Confirmation | Self::Scope | Self::Conflict => Code::BAD_REQUEST,
            Self::Full => Code::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, refused)| *refused == self).map_or("", |(name, _)| name)
    }
}

/// How many tokens were shown, and what came of them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Counters {
    pub(super) fn accepted(&self) {
        let _before = self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, why: Refused) {
        let place = Refused::ALL.iter().position(|(_, refused)| *refused == why);
        if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
            let _before = counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (String, u64)> {
        let accepted = ("tokens.accepted".to_owned(), self.accepted.load(Ordering::Relaxed));
        let refused = Refused::ALL
            .iter()
            .zip(&self.refused)
            .map(|((name, _), counter)| (format!("tokens.refused.{name}"), counter.load(Ordering::Relaxed)));
        std::iter::once(accepted).chain(refused)
    }
}
