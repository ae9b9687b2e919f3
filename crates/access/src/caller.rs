//! A subject under a policy.

use sedge_time::Instant;

use crate::{Decision, Policy, Subject, Verb};

/// Whoever makes a request, and the rules that hold: all that it takes to decide.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The rules that hold.
    pub policy: &'a Policy,
    /// Who asks.
    pub subject: &'a Subject,
}

impl<'a> Caller<'a> {
    /// Whether it may do `verb` on the topic called `topic`, and why.
    pub fn decide(&self, now: Instant, verb: Verb, topic: &'a str) -> Decision<'a> {
        self.policy.decide(now, self.subject, verb, topic)
    }

    /// Whether it may know that the topic called `topic` exists.
    pub fn sees(&self, now: Instant, topic: &str) -> bool {
        self.policy.sees(now, self.subject, topic)
    }

    /// How the names of all topics begin that it may know of.
    pub fn prefixes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.policy.prefixes(self.subject)
    }
}
