//! What a test needs from the machine, and what happens where that is missing.

use std::io::Write;

/// Gives what a test needs, or says aloud that the test was not run and why.
///
/// ```no_run
/// # use sedge_tests::{need, peers};
/// let Some(peers) = need::or_say_why("interop::mbedtls", peers::find()) else { return };
/// ```
///
/// # Panics
/// Where the variable `CI` is set: there everything must run.
pub fn or_say_why<T>(test: &str, needed: Result<T, String>) -> Option<T> {
    match needed {
        Ok(value) => Some(value),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{test} could not run: {why}"),
        Err(why) => {
            // Straight to the file: the test harness hides what a passing test prints.
            let _ = writeln!(std::io::stderr().lock(), "\nnot run: {test}: {why}");
            None
        }
    }
}

/// Whether this process may make network namespaces.
///
/// # Errors
/// One line that says what is missing.
pub fn root() -> Result<(), String> {
    // The effective user is the owner of what /proc shows of this process.
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata("/proc/self") {
        Ok(own) if own.uid() == 0 => Ok(()),
        _ => Err("needs root, to make network namespaces".to_owned()),
    }
}
