//! Rights that change while sessions last: every request and every notification is decided by those that hold at that
//! moment, and what is no longer permitted ends.

use std::sync::Arc;

use sedge_access::{Kind, Subject};
use sedge_endpoint::SessionId;
use sedge_pubsub::Frontend;
use sedge_time::Instant;

use super::Shard;
use super::authorize::goes_by_token;
use super::link::Outlet;
use crate::Principal;

impl Shard {
    /// Takes over what has changed. Called before anything is decided, so that nothing is decided by rights that an
    /// administrator knows to be gone.
    pub(super) fn hear_of_rights(&mut self, now: Instant) {
        let Some(news) = self.shared.mailboxes[self.number].rights() else { return };
        if !news.devices.is_empty() {
            let sessions = self.link.endpoint.sessions();
            let theirs = sessions.filter(|(_, principal)| news.devices.contains(principal));
            for (session, principal) in theirs.collect::<Vec<_>>() {
                match self.subject_of(principal) {
                    Some(subject) => self.regrant(now, session, subject),
                    None if goes_by_token(principal) => self.dismiss(now, session),
                    None => self.end(session),
                }
            }
        }
        if news.policy {
            self.policy = self.shared.state.policy();
            let (frontend, mut outlet) = self.outlet(now);
            frontend.recheck_all(&mut outlet);
        }
    }

    /// Whose the sessions of this number are.
    pub(super) fn subject_of(&self, principal: Principal) -> Option<Arc<Subject>> {
        match principal {
            0 => Some(self.shared.insecure.clone()),
            principal if goes_by_token(principal) => self.shared.state.subject_of_token(principal),
            principal => self.shared.state.directory.subject(principal),
        }
    }

    /// Has a session be this subject's from now on, and ends what it may no longer have.
    pub(super) fn regrant(&mut self, now: Instant, session: SessionId, subject: Arc<Subject>) {
        self.subjects.set(session, subject);
        self.recheck(now, session);
    }

    /// Ends the observations of a session that its rights do not cover any more.
    fn recheck(&mut self, now: Instant, session: SessionId) {
        self.recheck_watchers(now, session);
        let (frontend, mut outlet) = self.outlet(now);
        frontend.recheck(now, session.to_u64(), &mut outlet);
    }

    /// Ends the observations of sessions whose rights have ended by themselves.
    pub(super) fn expire_rights(&mut self, now: Instant) {
        while let Some(session) = self.subjects.expired(now) {
            self.recheck(now, session);
            if self.subjects.get(session.to_u64()).is_some_and(|subject| subject.kind() == Kind::Token) {
                self.let_go(now, session);
            }
        }
    }

    /// The observations, and the way of their notifications out.
    pub(super) fn outlet(&mut self, now: Instant) -> (&mut Frontend, Outlet<'_>) {
        let Self { frontend, link, policy, subjects, shared, refused, .. } = self;
        let (anyone, audit) = (&shared.insecure, &shared.state.audit);
        (frontend, Outlet { link, policy, subjects, anyone, refused, audit, now })
    }
}
