//! What a client counts. Nothing that arrives vanishes without a trace here.

use sedge_dtls::Discard;

/// Totals since the client was made, each modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Handshakes completed.
    pub handshakes_completed: u32,
    /// Those of them that took up an earlier session.
    pub handshakes_resumed: u32,
    /// Handshakes that came to nothing: refused, timed out, wrong key.
    pub handshakes_failed: u32,
    /// Answers and notifications received.
    pub responses_received: u32,
    /// Messages sent again because no acknowledgement came.
    pub retransmissions: u32,
    /// Messages given up.
    pub timeouts: u32,
    /// Repeated messages recognised.
    pub duplicates: u32,
    /// Notifications dropped because a newer one had already arrived (RFC 7641 section 3.4).
    pub stale_notifications: u32,
    /// Responses and acknowledgements that nothing asked for.
    pub unmatched: u32,
    /// Messages that are not well-formed CoAP.
    pub malformed_messages: u32,
    /// Datagrams that came while there was neither a session nor a handshake.
    pub unknown_peer: u32,
    /// Records that were forged, repeated, or made no sense.
    pub discarded: u32,
    /// Why the last of them was discarded.
    pub last_discard: Option<Discard>,
}

impl Counters {
    pub(crate) const fn discard(&mut self, reason: Discard) {
        self.discarded = self.discarded.wrapping_add(1);
        self.last_discard = Some(reason);
    }
}
