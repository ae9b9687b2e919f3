//! Benchmarks: everything measured side by side in one run.
