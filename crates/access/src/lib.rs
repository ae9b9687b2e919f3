//! Who may do what on which topic: patterns, permissions and the decision.
#![no_std]
