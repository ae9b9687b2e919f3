//! A session that outlives a loss of power: saved, taken up again, or given up.

use sedge_time::Instant;

use super::Core;
use super::link::Link;
use crate::memory::Memory;
use crate::saved::{SaveError, Storage};
use crate::tell::tell;

impl<M: Memory> Core<M> {
    /// Whether nothing is sent before the session is [saved](Self::save).
    pub fn must_save(&self) -> bool {
        self.line.must_save()
    }

    /// Saves the session, so that it outlives a loss of power, with [`reserve`](crate::Config::reserve) record numbers for what is
    /// sent next.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        let reserve = self.line.config.reserve;
        let saved = self.line.save(reserve, storage);
        told_of_saving(reserve, saved)
    }

    /// Saves the session as it is, to go to sleep: nothing is skipped when it is taken up again. Whoever goes on instead
    /// has to save it again before anything is sent.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn suspend<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        let saved = self.line.save(0, storage);
        told_of_saving(0, saved)
    }

    /// Takes up the session that was saved last, instead of a handshake; subscriptions are registered anew. Says whether
    /// there is one. If the server knows it no more, nothing is answered, and a handshake follows in its time.
    ///
    /// # Errors
    /// The storage cannot be read, or not be written where a slot was empty or lost.
    pub fn restore<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        if self.line.config.reserve == 0
            || !matches!(self.link, Link::Down { .. })
            || !self.line.restore(storage)?
        {
            return Ok(false);
        }
        tell!(info, "session restored");
        self.connected();
        Ok(true)
    }

    /// Goes on with a session that is not saved. One that may have been is given up, and another one made: what is sent on it
    /// would be noted nowhere, and sent under the same numbers again by whoever takes it up.
    pub fn stop_saving(&mut self, now: Instant) {
        tell!(warn, "sessions are saved no more");
        let lost = self.line.config.reserve > 0 && self.line.has_session();
        self.line.config.reserve = 0;
        if lost {
            self.line.hang_up();
            self.link = Link::Down { until: now, failures: 0 };
            self.subscriptions_lost(now);
        }
    }
}

fn told_of_saving<E>(reserve: u32, saved: Result<(), SaveError<E>>) -> Result<(), SaveError<E>> {
    match &saved {
        Ok(()) => tell!(info, "session saved, {} records reserved", reserve),
        Err(SaveError::Storage(_)) => tell!(warn, "session not saved: the storage fails"),
        Err(SaveError::TooFewSlots) => tell!(warn, "session not saved: the storage has too few slots"),
        Err(SaveError::NoSession) => tell!(warn, "session not saved: there is none"),
    }
    saved
}
