//! Lists of links that are fetched block by block. A list of a hundred thousand topics has two thousand blocks;
//! it is written once, for the first of them, and not while everyone else waits for the topics two thousand
//! times. So its blocks also fit together, whatever happens to the topics meanwhile.

use alloc::collections::VecDeque;

use sedge_time::Instant;

use crate::Response;

/// How many lists are kept; whoever loses his to others has it written again.
const MANY: usize = 16;

/// The lists that sessions are fetching, each session's last one, in the order of their making.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    kept: VecDeque<Listing>,
}

#[derive(Debug)]
struct Listing {
    session: u64,
    /// What its requests share.
    request: u64,
    response: Response,
    patience_ends: Instant,
}

impl Listings {
    pub(crate) fn find(&self, session: u64, request: u64) -> Option<&Response> {
        let kept = self.kept.iter().find(|kept| (kept.session, kept.request) == (session, request))?;
        Some(&kept.response)
    }

    pub(crate) fn keep(&mut self, session: u64, request: u64, response: Response, patience_ends: Instant) {
        self.close(session);
        if self.kept.len() == MANY {
            self.kept.pop_front();
        }
        self.kept.push_back(Listing { session, request, response, patience_ends });
    }

    pub(crate) fn close(&mut self, session: u64) {
        self.kept.retain(|kept| kept.session != session);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.kept.front().map(|kept| kept.patience_ends)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.kept.retain(|kept| kept.patience_ends > now);
    }
}
