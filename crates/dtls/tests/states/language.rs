//! Trying every letter in every state.

use std::collections::BTreeSet;

use crate::scripts::{Outcome, Script};

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
