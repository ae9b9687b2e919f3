//! Which observation a non-confirmable notification was of, for when its receiver rejects it
//! ([RFC 7641 section 3.6](https://www.rfc-editor.org/rfc/rfc7641#section-3.6)).

use alloc::vec::Vec;

use crate::ObservationId;

/// The last few notifications. A rejection comes within a round trip; one that comes later is answered by the
/// next confirmable notification instead.
#[derive(Debug, Default)]
pub struct Resets {
    entries: Vec<Option<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    session: u64,
    message_id: u16,
    observation: ObservationId,
}

impl Resets {
    const ENTRIES: usize = 4096;

    /// None yet.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Notes a notification that went out.
    pub fn sent(&mut self, session: u64, message_id: u16, observation: ObservationId) {
        // Memory only for brokers that send such notifications.
        if self.entries.is_empty() {
            self.entries.resize(Self::ENTRIES, None);
        }
        if let Some(entry) = self.entries.get_mut(Self::place(session, message_id)) {
            *entry = Some(Entry { session, message_id, observation });
        }
    }

    /// The observation whose notification was rejected.
    pub fn rejected(&mut self, session: u64, message_id: u16) -> Option<ObservationId> {
        let entry = self.entries.get_mut(Self::place(session, message_id))?;
        let found = (*entry)?;
        if found.session != session || found.message_id != message_id {
            return None;
        }
        *entry = None;
        Some(found.observation)
    }

    fn place(session: u64, message_id: u16) -> usize {
        let mixed = (session ^ u64::from(message_id) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 52) as usize % Self::ENTRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_finds_its_observation_once() {
        let mut resets = Resets::new();
        assert_eq!(resets.rejected(1, 2), None);
        let observation = ObservationId::from_u64(7);
        resets.sent(1, 2, observation);
        assert_eq!(resets.rejected(1, 3), None);
        assert_eq!(resets.rejected(2, 2), None);
        assert_eq!(resets.rejected(1, 2), Some(observation));
        assert_eq!(resets.rejected(1, 2), None);
    }
}
