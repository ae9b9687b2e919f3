//! Trying every letter in every state.

use std::collections::BTreeSet;
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
    fn send(&mut self, letter: Self::Letter) -> Outcome;
}

/// What a handshake accepts: every prefix whose last letter was taken, and every word that completed it.
#[derive(Debug)]
pub struct Language<L> {
    pub prefixes: BTreeSet<Vec<L>>,
    pub words: BTreeSet<Vec<L>>,
}

/// Learns all that is accepted of the words that are `worth` going on with.
pub fn learn<S: Script>(
    start: impl Fn() -> S,
    alphabet: &[S::Letter],
    worth: impl Fn(&[S::Letter]) -> bool,
) -> Language<S::Letter> {
    let mut language = Language { prefixes: BTreeSet::new(), words: BTreeSet::new() };
    let mut frontier = vec![Vec::new()];
    while let Some(prefix) = frontier.pop() {
        for &letter in alphabet {
            let mut script = start();
            for &earlier in &prefix {
                assert_eq!(
                    script.send(earlier),
                    Outcome::Continue,
                    "a second time, {prefix:?} must go as before"
                );
            }
            let word = [&prefix[..], &[letter]].concat();
            match script.send(letter) {
                Outcome::Complete => {
                    let _ = language.words.insert(word);
                }
                Outcome::Continue => {
                    if worth(&word) {
                        frontier.push(word.clone());
                    }
                    let _ = language.prefixes.insert(word);
                }
                Outcome::Dropped(_) | Outcome::Failed(_) => {}
            }
        }
    }
    language
}

/// Every prefix of these words that is shorter than its word.
pub fn prefixes<L: Copy + Ord>(words: &[Vec<L>]) -> BTreeSet<Vec<L>> {
    words.iter().flat_map(|word| (1..word.len()).map(|len| word[..len].to_vec())).collect()
}
