//! What an endpoint counts. Nothing that arrives vanishes without a trace here.

use sedge_dtls::Discard;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Totals since the endpoint was made.
        #[derive(Clone, Debug)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
            discards: [u64; Discard::ALL.len()],
        }

        impl Default for Counters {
            fn default() -> Self {
                Self { $($name: 0,)+ discards: [0; Discard::ALL.len()] }
            }
        }

        impl Counters {
            /// All totals except those of [`Counters::discards`], each with its name.
            pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Handshakes that peers or we completed.
    handshakes_completed,
    /// Those of them that took up an earlier session.
    handshakes_resumed,
    /// Handshakes that came to nothing: refused, timed out, wrong key.
    handshakes_failed,
    /// ClientHellos answered with a cookie; nothing is kept for them.
    cookies_sent,
    /// Handshakes turned away because the pool was full.
    handshakes_refused,
    /// Sessions turned away because the table was full.
    sessions_refused,
    /// Sessions that moved to another path.
    sessions_moved,
    /// Return routability checks begun, and moves without one (RFC 9853).
    path_validations_started,
    /// New paths that were proven.
    path_validations_succeeded,
    /// New paths that nobody answered on in time.
    path_validations_failed,
    /// New paths that came to nothing because the peer was found on its old one.
    paths_kept,
    /// Moves that were not looked into because there was no memory for it.
    path_validations_refused,
    /// Challenges sent, and pings in place of one.
    path_challenges_sent,
    /// Challenges of peers answered.
    path_challenges_answered,
    /// Answers that nobody waits for: from the wrong path, to no challenge or to an old one.
    path_answers_invalid,
    /// Messages held back because three times the bytes from a path that is not proven were sent there.
    amplification_limited,
    /// Tickets of DTLS 1.3 that servers gave us.
    tickets_received,
    /// Other Connection IDs given to peers that asked for one.
    connection_ids_given,
    /// Sessions forgotten because nothing was heard of them.
    sessions_idle,
    /// Records opened.
    records_received,
    /// Records sealed.
    records_sent,
    /// Requests handed to the application.
    requests_received,
    /// Requests sent, repetitions not counted.
    requests_sent,
    /// Answers sent, repetitions not counted.
    responses_sent,
    /// Answers and notifications handed to the application.
    responses_received,
    /// Notifications sent, repetitions not counted.
    notifications_sent,
    /// Confirmable messages sent again because no acknowledgement came.
    retransmissions,
    /// Confirmable messages given up.
    timeouts,
    /// Repeated messages recognised and answered as before.
    duplicates,
    /// Notifications dropped because a newer one had already arrived (RFC 7641 section 3.4).
    stale_notifications,
    /// Responses and acknowledgements that nothing asked for.
    unmatched,
    /// Resets received.
    resets_received,
    /// Resets sent.
    resets_sent,
    /// Messages that are not well-formed CoAP.
    malformed_messages,
    /// Datagrams that belong to no session and start none.
    unknown_peer,
    /// Datagrams that the host had no room to send; to the peer they are lost.
    transmit_refused,
}

impl Counters {
    /// Records discarded, by reason.
    pub fn discards(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Discard::ALL.iter().zip(&self.discards).map(|(reason, count)| (reason.as_str(), *count))
    }

    /// Records discarded for `reason`.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards.get(reason.index()).copied().unwrap_or(0)
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        if let Some(count) = self.discards.get_mut(reason.index()) {
            *count += 1;
        }
    }
}
