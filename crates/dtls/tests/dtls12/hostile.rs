//! Everything that a stranger can send.
