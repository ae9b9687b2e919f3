//! What a client says about itself, and what outlives its session.

use sedge_crypto::Secret;
use sedge_dtls::Resumption;
use sedge_endpoint::Agreed;
use sedge_time::{Duration, Instant};

use super::Client;
use crate::core::{Kind, Missed, SubscriptionId};
use crate::counters::Counters;
use crate::disconnect::Disconnect;
use crate::io::{Clock, Datagram};
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::request::Target;
use crate::saved::{SaveError, Storage};

impl<M: Memory, D: Datagram, C: Clock> Client<M, D, C> {
    /// The topic of a subscription, or the path.
    pub fn topic(&self, subscription: SubscriptionId) -> Option<&str> {
        match self.core.target(subscription)? {
            Target::Topic(name) | Target::Path(name) => Some(name),
            Target::Keys(_) => None,
        }
    }

    /// Whether a subscription is for the keys of this topic.
    pub(crate) fn is_for_keys(&self, subscription: SubscriptionId, topic: &str) -> bool {
        self.core.target(subscription) == Some(Target::Keys(topic))
    }

    /// See [`Core::take_newest`](crate::core::Core::take_newest).
    pub(crate) fn take_newest(
        &mut self,
        subscription: SubscriptionId,
        buffer: &mut [u8],
    ) -> Option<(Kind, usize)> {
        self.core.take_newest(subscription, buffer)
    }

    /// Frees the place of a subscription that is over.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) {
        self.core.forget(subscription);
    }

    /// Whether there is a connection at present.
    pub const fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    /// What the handshake of the connection came to: version, suite, how the server authenticated.
    pub fn agreed(&self) -> Option<Agreed> {
        self.core.agreed()
    }

    /// Tells the secrets of every session that begins from now on, as lines `<label> <client random> <secret>` of the
    /// NSS key log format ([RFC 9850](https://www.rfc-editor.org/rfc/rfc9850)) have them, for looking at captures of
    /// one's own traffic. Whoever learns them can read and forge everything.
    #[cfg(feature = "std")]
    pub fn dangerous_log_keys(&mut self, log: impl FnMut(&str, &[u8; 32], &[u8]) + Send + 'static) {
        self.core.outbox().dangerous_log_keys(log);
    }

    /// The last session as bytes; see [`Core::export_resumption`](crate::core::Core::export_resumption).
    pub fn export_resumption(&self) -> Option<Secret<{ Resumption::EXPORTED_LEN }>> {
        self.core.export_resumption(self.clock.now())
    }

    /// Has the next handshake take up a session that was exported; see
    /// [`Core::import_resumption`](crate::core::Core::import_resumption).
    pub fn import_resumption(&mut self, bytes: &[u8]) -> bool {
        self.core.import_resumption(self.clock.now(), bytes)
    }

    /// Saves the session, so that it outlives a loss of power: what to do about [`Error::Unsaved`](crate::Error::Unsaved).
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.save(storage)
    }

    /// Saves the session as it is, to go to sleep; see [`Core::suspend`](crate::core::Core::suspend).
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn suspend<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.suspend(storage)
    }

    /// Takes up the session that was saved last, instead of a handshake; to be called first. See
    /// [`Core::restore`](crate::core::Core::restore).
    ///
    /// # Errors
    /// The storage cannot be read, or not be written where a slot was empty or lost.
    pub fn restore<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        self.core.restore(storage)
    }

    /// Goes on without saving sessions; see [`Core::stop_saving`](crate::core::Core::stop_saving).
    pub fn stop_saving(&mut self) {
        self.core.stop_saving(self.clock.now());
    }

    /// Tells the time in seconds since 1970. Without it nothing is known of certificates that have expired.
    pub fn set_unix_time(&mut self, seconds: u64) {
        self.core.set_unix_time(self.clock.now(), seconds);
    }

    /// Whether anything has come from the server since it was last dialled.
    pub const fn is_answered(&self) -> bool {
        self.core.is_answered()
    }

    /// Why there is none, as far as known.
    pub const fn failure(&self) -> Option<Disconnect> {
        self.core.failure()
    }

    /// Everything counted since the client was made.
    pub const fn counters(&self) -> &Counters {
        self.core.counters()
    }

    /// What was lost or turned away since then.
    pub fn missed(&self) -> Missed {
        self.core.missed()
    }

    /// The socket, which may be exchanged for another one at any time: a session with a Connection ID goes on.
    pub const fn socket_mut(&mut self) -> &mut D {
        &mut self.socket
    }

    /// The providers of cryptography and of randomness.
    pub(crate) const fn providers(&mut self) -> (&CryptoOf<M>, &mut RngOf<M>) {
        self.core.providers()
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How long to wait before asking again for what does not exist yet.
    pub(crate) const fn topic_poll(&self) -> Duration {
        self.core.config().topic_poll
    }
}
