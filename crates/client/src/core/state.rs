//! What the client says about itself, and what of it outlives its session.

use sedge_crypto::Secret;
use sedge_dtls::Resumption;
use sedge_endpoint::Agreed;
use sedge_time::Instant;

use super::Core;
use super::link::Link;
use crate::config::Config;
use crate::counters::Counters;
use crate::disconnect::Disconnect;
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::outbox::Outbox;

/// What a client counts, beside its endpoint's [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Values that came while nobody took any, and that newer ones pushed out.
    pub values: u64,
    /// Datagrams that no session of this client explains.
    pub datagrams: u64,
}

impl<M: Memory> Core<M> {
    /// Whether there is a connection.
    pub const fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Whether anything has come from the server since it was last dialled.
    pub const fn is_answered(&self) -> bool {
        self.heard
    }

    /// Whether the client was closed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.link, Link::Closed)
    }

    /// How the last connection, or the last attempt at one, ended.
    pub const fn failure(&self) -> Option<Disconnect> {
        self.failure
    }

    /// As [`failure`](Self::failure), once for each.
    pub fn take_failure(&mut self) -> Option<Disconnect> {
        core::mem::take(&mut self.unreported).then_some(self.failure).flatten()
    }

    /// What the handshake of the connection came to; `None` without one, and on plain CoAP.
    pub fn agreed(&self) -> Option<Agreed> {
        self.line.agreed()
    }

    /// What was counted.
    pub const fn counters(&self) -> &Counters {
        &self.line.counters
    }

    /// The datagrams that wait to be sent.
    pub(crate) const fn outbox(&mut self) -> &mut Outbox<M::Datagram> {
        self.line.outbox()
    }

    /// The providers of cryptography and of randomness.
    pub(crate) const fn providers(&mut self) -> (&CryptoOf<M>, &mut RngOf<M>) {
        self.line.providers()
    }

    /// What was lost or turned away.
    pub fn missed(&self) -> Missed {
        Missed { values: self.inbox.lost.into(), datagrams: self.line.counters.unknown_peer.into() }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.line.config
    }

    /// The last session as bytes, keys included, so that a device can resume it after a sleep that its memory does not
    /// outlive; `None` if there is none to resume, or no memory for one.
    pub fn export_resumption(&self, now: Instant) -> Option<Secret<{ Resumption::EXPORTED_LEN }>> {
        Some(self.login.resumption()?.export(now))
    }

    /// Has the next handshake take up the session that [`export_resumption`](Self::export_resumption) gave these bytes
    /// for. Says whether they are such bytes and there is memory for it. A server that knows it no more makes the
    /// handshake a full one.
    pub fn import_resumption(&mut self, now: Instant, bytes: &[u8]) -> bool {
        Resumption::import(now, bytes).is_ok_and(|resumption| self.login.set_resumption(Some(resumption)))
    }
}
