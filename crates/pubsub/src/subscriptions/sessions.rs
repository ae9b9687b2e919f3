//! Which observations a session has: a list through their records, found by the session.

use hashbrown::HashTable;
use sedge_coap::Token;

use super::observation::{NO_SLOT, Observations};

/// The first observation of each session; the others follow by [`next`](super::observation::Observation).
///
/// The table holds slots only and compares sessions where they are, in the records: 5 bytes an entry.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    heads: HashTable<u32>,
}

impl Sessions {
    /// The slot of one of the session's observations, if it has any.
    pub(crate) fn first(&self, session: u64, observations: &Observations) -> Option<u32> {
        self.heads.find(hash(session), |&slot| belongs(slot, session, observations)).copied()
    }

    /// The slots of the session's observations.
    pub(crate) fn slots<'o>(
        &self,
        session: u64,
        observations: &'o Observations,
    ) -> impl Iterator<Item = u32> + 'o {
        let head = self.first(session, observations);
        let next = |slot: &u32| observations.at(*slot).map(|observation| observation.next);
        core::iter::successors(head, next).take_while(|&slot| slot != NO_SLOT)
    }

    /// The slot of the session's observation with this token.
    pub(crate) fn find(&self, session: u64, token: Token, observations: &Observations) -> Option<u32> {
        self.slots(session, observations)
            .find(|&slot| observations.at(slot).is_some_and(|observation| observation.token == token))
    }

    /// Adds the observation in `slot` to its session.
    pub(crate) fn add(&mut self, session: u64, slot: u32, observations: &mut Observations) {
        let mut next = NO_SLOT;
        match self.heads.find_mut(hash(session), |&slot| belongs(slot, session, observations)) {
            Some(head) => next = core::mem::replace(head, slot),
            None => {
                let rehash =
                    |&slot: &u32| hash(observations.at(slot).map_or(0, |observation| observation.session));
                self.heads.insert_unique(hash(session), slot, rehash);
            }
        }
        if let Some(observation) = observations.at_mut(slot) {
            observation.next = next;
        }
    }

    /// Takes the observation in `slot` from its session.
    pub(crate) fn remove(&mut self, session: u64, slot: u32, observations: &mut Observations) {
        let Some(next) = observations.at(slot).map(|observation| observation.next) else { return };
        let before = self
            .slots(session, observations)
            .find(|&before| observations.at(before).is_some_and(|observation| observation.next == slot));
        if let Some(before) = before.and_then(|before| observations.at_mut(before)) {
            before.next = next;
        } else if let Ok(mut head) =
            self.heads.find_entry(hash(session), |&slot| belongs(slot, session, observations))
        {
            if next == NO_SLOT {
                let _ = head.remove();
            } else {
                *head.get_mut() = next;
            }
        }
    }
}

fn belongs(slot: u32, session: u64, observations: &Observations) -> bool {
    observations.at(slot).is_some_and(|observation| observation.session == session)
}

/// Sessions are numbered by the broker, so that nobody outside can choose keys that collide.
fn hash(session: u64) -> u64 {
    session.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
