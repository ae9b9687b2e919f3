//! What the rules refuse: counted, and told to whoever keeps the books.

use sedge_access::{Cause, Subject};
use sedge_pubsub::Denied;

use crate::audit::Audit;

/// What a shard has refused.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Requests by cause, in the order of [`Cause::ALL`].
    requests: [u64; Cause::ALL.len()],
    /// Observations that were ended.
    observations: u64,
}

impl Refused {
    /// A request was refused.
    pub(super) fn request(&mut self, audit: &Audit, subject: &Subject, denied: &Denied) {
        self.requests[denied.cause as usize] += 1;
        audit.refused(subject, denied);
    }

    /// An observation ends because its session may not read the topic any more.
    pub(super) fn observation(&mut self, audit: &Audit, subject: &Subject, topic: &str, cause: Cause) {
        self.observations += 1;
        audit.observation_ended(subject, topic, cause);
    }

    /// Every counter by its name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (String, u64)> {
        let name = |cause: Cause| format!("access.refused.{}", cause.as_str().replace('-', "_"));
        let requests = Cause::ALL.into_iter().map(name).zip(self.requests);
        requests.chain([("access.observations_ended".to_owned(), self.observations)])
    }
}
