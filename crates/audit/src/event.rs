//! What is recorded.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};

/// Something that happened, before it is in the log. Nothing in it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    kind: Kind,
    by: Option<String>,
    subject: Option<String>,
    details: BTreeMap<String, String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody was given a right, or other rights.
    Grant,
    /// Somebody wanted to do what they may not.
    Refusal,
    /// Somebody may connect now.
    Enrolment,
    /// Somebody has lost all rights, or the way to use them.
    Revocation,
    /// Somebody could not prove who they are.
    SignInFailure,
    /// An administrator has done something else.
    Administration,
    /// Something happened to the log itself.
    Log,
}

/// A record as it is kept. Field numbers are never reused.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Record {
    /// Its number, from 1.
    #[n(0)]
    pub number: u64,
    /// When, in milliseconds since 1970.
    #[n(1)]
    pub time: u64,
    /// What kind of thing: a [`Kind`]'s name.
    #[n(2)]
    pub kind: String,
    /// Who did it.
    #[n(3)]
    pub by: Option<String>,
    /// To whom, or who wanted to.
    #[n(4)]
    pub subject: Option<String>,
    /// The rest, by name.
    #[n(5)]
    pub details: BTreeMap<String, String>,
}

/// The longest text that a record keeps; strangers choose some of them.
const MAX_TEXT: usize = 512;

impl Event {
    /// An event of this kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, by: None, subject: None, details: BTreeMap::new() }
    }

    /// The same with who did it.
    #[must_use]
    pub fn by(self, who: &str) -> Self {
        Self { by: Some(short(who)), ..self }
    }

    /// The same with whom it is about.
    #[must_use]
    pub fn about(self, subject: &str) -> Self {
        Self { subject: Some(short(subject)), ..self }
    }

    /// The same with one thing more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        let _before = self.details.insert(name.into(), short(&value.to_string()));
        self
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn record(&self, number: u64, time: u64) -> Record {
        Record {
            number,
            time,
            kind: self.kind.as_str().into(),
            by: self.by.clone(),
            subject: self.subject.clone(),
            details: self.details.clone(),
        }
    }
}

impl Kind {
    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Refusal => "refusal",
            Self::Enrolment => "enrolment",
            Self::Revocation => "revocation",
            Self::SignInFailure => "sign-in-failure",
            Self::Administration => "administration",
            Self::Log => "log",
        }
    }
}

impl Record {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // A vector takes everything, and no encoder here refuses a value.
        minicbor::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
