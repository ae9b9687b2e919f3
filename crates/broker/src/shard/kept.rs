//! Answers that cannot be made a second time, kept while their later blocks are fetched
//! ([RFC 7959 section 3.3](https://www.rfc-editor.org/rfc/rfc7959#section-3.3)).

use std::collections::HashMap;

use sedge_pubsub::Response;
use sedge_time::{Duration, Instant};

/// One answer per session, of those that are administered.
#[derive(Debug, Default)]
pub(super) struct Kept {
    answers: HashMap<u64, (Instant, Response)>,
}

impl Kept {
    const LIMIT: usize = 64;
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Keeps an answer in place of the session's last one.
    pub(super) fn put(&mut self, now: Instant, session: u64, response: Response) {
        if self.answers.len() >= Self::LIMIT {
            let oldest =
                self.answers.iter().min_by_key(|(_, (since, _))| *since).map(|(session, _)| *session);
            drop(oldest.and_then(|oldest| self.answers.remove(&oldest)));
        }
        drop(self.answers.insert(session, (now, response)));
    }

    /// The session's last answer.
    pub(super) fn get(&self, session: u64) -> Option<&Response> {
        self.answers.get(&session).map(|(_, response)| response)
    }

    /// Forgets the session's answer.
    pub(super) fn close(&mut self, session: u64) {
        drop(self.answers.remove(&session));
    }

    /// Forgets answers that nobody has come back for.
    pub(super) fn expire(&mut self, now: Instant) {
        self.answers.retain(|_, (since, _)| now.saturating_since(*since) < Self::PATIENCE);
    }
}
