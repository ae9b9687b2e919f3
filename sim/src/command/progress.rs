//! A bar that shows how far a run is, for people at a terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// A progress bar on the standard error output; nothing where that is no terminal.
pub(super) struct Progress {
    shown: bool,
    began: Instant,
    last: Option<Instant>,
}

const WIDTH: usize = 30;
const PAUSE: Duration = Duration::from_millis(200);

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self { shown: !quiet && stderr().is_terminal(), began: Instant::now(), last: None }
    }

    /// Shows that this share is done.
    pub(super) fn show(&mut self, share: f64, words: &str) {
        let now = Instant::now();
        if !self.shown || self.last.is_some_and(|last| now - last < PAUSE) {
            return;
        }
        self.last = Some(now);
        let done = (share.clamp(0.0, 1.0) * WIDTH as f64) as usize;
        let elapsed = self.began.elapsed().as_secs_f64();
        let left =
            if share > 0.01 { format!(", {:.0} s left", elapsed / share - elapsed) } else { String::new() };
        let bar = format!("{}{}", "█".repeat(done), "░".repeat(WIDTH - done));
        // A terminal that went away is no reason to stop.
        let _shown = write!(stderr(), "\r{bar} {:3.0} % {words}{left}\x1b[K", share * 100.0);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if self.shown {
            let _shown = write!(stderr(), "\r\x1b[K");
        }
    }
}
