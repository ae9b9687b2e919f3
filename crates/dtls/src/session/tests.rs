//! Tests of established sessions.
