//! Answers, and refusals as RFC 9594 wants them.

use alloc::vec::Vec;

use sedge_coap::{Code, ContentFormat};
use sedge_group::keying::{ACE_GROUPCOMM, Challenge};

use super::state::written;
use crate::Answer;

/// An answer in Content-Format 261.
pub(super) fn content(code: Code, payload: Vec<u8>) -> Answer {
    Answer { content_format: Some(ContentFormat(ACE_GROUPCOMM)), payload, ..Answer::new(code) }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Only a code says so.
    Plain(Code),
    /// With the error of RFC 9594 section 9.
    Error(Code, GroupError),
    /// 4.00 that asks for a proof of possession.
    Challenge(Challenge),
}

/// The errors of [RFC 9594 section 9](https://www.rfc-editor.org/rfc/rfc9594#section-9) that there are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupError {
    MembersOnly = 0,
    Roles = 1,
    Credential = 2,
    NoSenderIds = 4,
    MembershipTerminated = 5,
    GroupDeleted = 6,
}

/// Keys of concise problem details, and of the entry that RFC 9594 adds.
const TITLE: i64 = -1;
const ACE_GROUPCOMM_ERROR: i64 = 0;
const ERROR_ID: i64 = 0;

impl Refusal {
    pub(super) const MALFORMED: Self = Self::Plain(Code::BAD_REQUEST);
    pub(super) const NOT_FOUND: Self = Self::Plain(Code::NOT_FOUND);
    pub(super) const FORBIDDEN: Self = Self::Plain(Code::FORBIDDEN);
    pub(super) const METHOD: Self = Self::Plain(Code::METHOD_NOT_ALLOWED);
    pub(super) const MEMBERS_ONLY: Self = Self::Error(Code::FORBIDDEN, GroupError::MembersOnly);
    pub(super) const DELETED: Self = Self::Error(Code::NOT_FOUND, GroupError::GroupDeleted);
    pub(super) const EVICTED: Self = Self::Error(Code::NOT_FOUND, GroupError::MembershipTerminated);

    pub(super) fn into_answer(self) -> Answer {
        match self {
            Self::Plain(code) => Answer::new(code),
            Self::Challenge(challenge) => content(Code::BAD_REQUEST, challenge.encode().to_vec()),
            Self::Error(code, error) => Answer {
                content_format: Some(ContentFormat::PROBLEM_DETAILS),
                payload: problem(error),
                ..Answer::new(code)
            },
        }
    }
}

fn problem(error: GroupError) -> Vec<u8> {
    let title = match error {
        GroupError::MembersOnly => "for members of the group only",
        GroupError::Roles => "not in this role",
        GroupError::Credential => "the credential does not fit the group",
        GroupError::NoSenderIds => "no Sender ID is free",
        GroupError::MembershipTerminated => "no member any more",
        GroupError::GroupDeleted => "the group is no more",
    };
    written(|encoder| {
        encoder.map(2).int(TITLE).text(title);
        encoder.int(ACE_GROUPCOMM_ERROR).map(1).int(ERROR_ID).int(error as i64);
    })
    .to_vec()
}
