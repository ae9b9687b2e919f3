//! Conformance, hostile, interop and end-to-end tests.
