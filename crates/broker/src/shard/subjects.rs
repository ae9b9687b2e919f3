//! Whose each session is, as the rules see it.

use std::collections::BTreeSet;
use std::sync::Arc;

use sedge_access::Subject;
use sedge_endpoint::SessionId;
use sedge_time::Instant;

/// The subjects of a shard's sessions. Sessions without security are not among them.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    /// By the slots of sessions, with their generations.
    slots: Vec<Option<(u32, Arc<Subject>)>>,
    /// When the rights of which session end by themselves.
    ends: BTreeSet<(Instant, u64)>,
}

impl Subjects {
    /// Says whose a session is (now).
    pub(super) fn set(&mut self, session: SessionId, subject: Arc<Subject>) {
        self.close(session);
        let (slot, generation) = parts(session.to_u64());
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        if let Some(end) = subject.valid_until() {
            let _new = self.ends.insert((end, session.to_u64()));
        }
        if let Some(held) = self.slots.get_mut(slot) {
            *held = Some((generation, subject));
        }
    }

    /// Whose a session is.
    pub(super) fn get(&self, session: u64) -> Option<&Arc<Subject>> {
        let (slot, generation) = parts(session);
        let (held, subject) = self.slots.get(slot)?.as_ref()?;
        (*held == generation).then_some(subject)
    }

    /// Forgets a session that is no more.
    pub(super) fn close(&mut self, session: SessionId) {
        let (slot, generation) = parts(session.to_u64());
        let Some(held) = self
            .slots
            .get_mut(slot)
            .filter(|held| held.as_ref().is_some_and(|(known, _)| *known == generation))
        else {
            return;
        };
        if let Some(end) = held.take().and_then(|(_, subject)| subject.valid_until()) {
            let _known = self.ends.remove(&(end, session.to_u64()));
        }
    }

    /// When the next rights end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// A session whose rights have ended, once.
    pub(super) fn expired(&mut self, now: Instant) -> Option<SessionId> {
        self.ends.first().filter(|(end, _)| *end <= now)?;
        self.ends.pop_first().map(|(_, session)| SessionId::from_u64(session))
    }
}

fn parts(session: u64) -> (usize, u32) {
    (session as u32 as usize, (session >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use sedge_access::Grants;

    use super::*;

    #[test]
    fn a_slot_belongs_to_one_session_at_a_time_and_ends_are_told_once() {
        let at = Instant::from_micros;
        let subject = |end: Option<Instant>| {
            let subject = Subject::device("d", &Grants::none());
            Arc::new(match end {
                Some(end) => subject.until(end),
                None => subject,
            })
        };
        let session = |slot: u64, generation: u64| SessionId::from_u64(generation << 32 | slot);
        let mut subjects = Subjects::default();
        subjects.set(session(3, 1), subject(Some(at(5))));
        subjects.set(session(0, 1), subject(Some(at(7))));
        assert!(
            subjects.get(session(3, 1).to_u64()).is_some() && subjects.get(session(3, 2).to_u64()).is_none()
        );
        // What was known of the slot's last session is not taken for the next one's.
        subjects.set(session(3, 2), subject(None));
        subjects.close(session(3, 1));
        assert!(subjects.get(session(3, 2).to_u64()).is_some());
        subjects.set(session(3, 2), subject(Some(at(6))));
        subjects.set(session(3, 2), subject(Some(at(9))));
        assert_eq!(subjects.deadline(), Some(at(5)));
        assert_eq!(subjects.expired(at(4)), None);
        let ended: Vec<_> = std::iter::from_fn(|| subjects.expired(at(9))).collect();
        assert_eq!(ended, [session(3, 1), session(0, 1), session(3, 2)]);
        subjects.close(session(0, 1));
        assert!(subjects.get(session(0, 1).to_u64()).is_none() && subjects.deadline().is_none());
    }
}
