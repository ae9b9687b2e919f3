//! Peers without security: anyone can pretend to be any number of them, so only those who have proved their address
//! ([`Proof`](super::proof::Proof)) are kept for long.

use std::collections::{HashMap, HashSet, VecDeque};

use sedge_coap::Message;
use sedge_endpoint::SessionId;

use crate::net::Path;

/// The sessions without security.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    sessions: HashMap<u64, Path>,
    paths: HashSet<Path>,
    /// Those that have proved nothing, the oldest first; and which of them are still so.
    queue: VecDeque<SessionId>,
    unproved: HashSet<u64>,
}

impl Strangers {
    /// How many that have proved nothing are remembered, so that what they send again is recognised.
    const LIMIT: usize = 1024;

    /// Whether to look at a datagram at all: it comes from a session, or it is a request, which makes one.
    pub(super) fn admits(&self, path: &Path, datagram: &[u8]) -> bool {
        self.paths.contains(path) || Message::parse(datagram).is_ok_and(|message| message.code().is_request())
    }

    /// Notes a request, and returns the session that is to end for it.
    pub(super) fn heard(&mut self, session: SessionId, path: Path, proved: bool) -> Option<SessionId> {
        let number = session.to_u64();
        let is_new = self.sessions.insert(number, path).is_none();
        let _known = self.paths.insert(path);
        if proved {
            let _was = self.unproved.remove(&number);
        } else if is_new {
            self.queue.push_back(session);
            let _was = self.unproved.insert(number);
        }
        if self.queue.len() <= Self::LIMIT {
            return None;
        }
        self.queue.pop_front().filter(|oldest| self.unproved.contains(&oldest.to_u64()))
    }

    /// Notes the end of a session.
    pub(super) fn close(&mut self, session: SessionId) {
        if let Some(path) = self.sessions.remove(&session.to_u64()) {
            let _was = self.paths.remove(&path);
            let _was = self.unproved.remove(&session.to_u64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Via, Vias};

    #[test]
    fn those_who_prove_nothing_make_room_for_each_other() {
        let mut vias = Vias::for_listeners(1);
        let mut path = |port: u16| {
            vias.path(std::net::SocketAddrV6::new(1.into(), port, 0, 0), Via { listener: 0, local: None })
        };
        let session = |number: u64| SessionId::from_u64(number);
        let mut strangers = Strangers::default();
        let get = [0x40, 1, 0, 1];
        let acknowledgement = [0x60, 0, 0, 1];
        assert!(strangers.admits(&path(1), &get));
        assert!(!strangers.admits(&path(1), &acknowledgement) && !strangers.admits(&path(1), b"junk"));
        assert_eq!(strangers.heard(session(1), path(1), false), None);
        assert!(strangers.admits(&path(1), &acknowledgement));
        // One proves its address, and stays whatever comes.
        assert_eq!(strangers.heard(session(2), path(2), false), None);
        assert_eq!(strangers.heard(session(2), path(2), true), None);
        let mut ended = Vec::new();
        for number in 3..3000 {
            let out = strangers.heard(session(number), path(number as u16), false);
            out.into_iter().for_each(|session| {
                strangers.close(session);
                ended.push(session.to_u64());
            });
        }
        assert!(ended.contains(&1) && !ended.contains(&2));
        assert!(strangers.sessions.len() <= Strangers::LIMIT + 1);
        assert_eq!(strangers.sessions.len(), strangers.paths.len());
    }
}
