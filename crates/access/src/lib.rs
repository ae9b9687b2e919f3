//! Who may do what on which topic: patterns, permissions and the decision.
//!
//! A [`Policy`] has the rules that an operator writes: roles, segments of topics, bridges between them. A
//! [`Subject`] is whoever wants something: a device with its own [`Grants`], its roles and its segment, or the
//! bearer of a token with its scope. The question "may this subject do this on that topic" is
//! [`Policy::decide`], and its [`Decision`] names the rules that spoke, so that a refusal can be explained and a
//! permission traced back to the line that gave it.
//!
//! Nothing here knows how a subject proved who it is.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should stop there"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod caller;
mod decision;
mod definition;
mod grants;
mod levels;
pub mod name;
mod pattern;
mod permissions;
mod policy;
mod rules;
pub mod scope;
mod subject;
#[cfg(test)]
mod tests;

pub use caller::Caller;
pub use decision::{Cause, Decision, Rule, Source};
pub use definition::{Bridge, Definition, PolicyError, Role, Segment, check_name};
pub use grants::{Grant, Grants};
pub use name::NameError;
pub use pattern::{PatternError, TopicPattern};
pub use permissions::{Permissions, UnknownVerb, Verb};
pub use policy::Policy;
pub use scope::ScopeError;
pub use subject::{Kind, Subject};
