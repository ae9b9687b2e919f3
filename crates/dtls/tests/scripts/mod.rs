//! Peers whose next message the caller chooses.
//!
//! A script plays the other side. It speaks the protocol honestly in every respect but one: which message comes next,
//! and what exactly stands in it, is up to the caller. Its transcript, its keys and its Finished always fit the messages
//! that it did send. The protocol is written out once more here, so that a mistake in the crate does not hide itself.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

pub mod dtls12;
pub mod dtls13;
pub mod party;
pub mod wire;

use std::fmt::Debug;

use sedge_dtls::{Discard, Failure, Progress};

/// What a letter led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Continue,
    Dropped(Discard),
    Complete,
    Failed(Failure),
}

impl From<Result<Progress, Discard>> for Outcome {
    fn from(result: Result<Progress, Discard>) -> Self {
        match result {
            Ok(Progress::Continue) => Self::Continue,
            Ok(Progress::Complete) => Self::Complete,
            Ok(Progress::Failed(failure)) => Self::Failed(failure),
            Err(discard) => Self::Dropped(discard),
        }
    }
}

/// A peer whose next message the test chooses, with the handshake that it talks to.
pub trait Script {
    type Letter: Copy + Debug + Ord;

    /// Sends one message.
    fn send(&mut self, letter: Self::Letter) -> Outcome {
        self.send_edited(letter, &mut |_| {})
    }

    /// Sends one message whose body was changed before it entered the transcript.
    fn send_edited(&mut self, letter: Self::Letter, edit: &mut dyn FnMut(&mut Vec<u8>)) -> Outcome;
}
