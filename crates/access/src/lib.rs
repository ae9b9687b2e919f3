//! Who may do what on which topic: patterns, permissions and the decision.
//!
//! A caller holds [`Grants`]: topic patterns, each with the [`Permissions`] that it carries. The question
//! "may this caller do this on that topic" is [`Grants::decide`], and its [`Decision`] names the rule that
//! decided, so that a refusal can be explained and a permission traced back to the line that gave it.
//!
//! Nothing here knows how a caller proved who it is: credentials and tokens only yield grants.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should stop there"))]

extern crate alloc;

mod grants;
pub mod name;
mod pattern;
mod permissions;
#[cfg(test)]
mod tests;

pub use grants::{Decision, Grant, Grants, Refusal, Rule};
pub use name::NameError;
pub use pattern::{PatternError, TopicPattern};
pub use permissions::{Permissions, UnknownVerb, Verb};
