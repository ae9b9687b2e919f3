//! Transmission parameters ([RFC 7252 section 4.8](https://www.rfc-editor.org/rfc/rfc7252#section-4.8)).

use sedge_time::Duration;

/// The parameters of the message layer, and the times that follow from them. Both ends of a path should
/// use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransmissionParameters {
    /// ACK_TIMEOUT: the shortest wait for the first acknowledgement.
    pub ack_timeout: Duration,
    /// ACK_RANDOM_FACTOR in percent: the longest wait for the first acknowledgement is this much of
    /// [`ack_timeout`](Self::ack_timeout).
    pub ack_random_percent: u16,
    /// MAX_RETRANSMIT: how often a message is sent again, at most 20.
    pub max_retransmit: u8,
    /// NSTART: how many interactions with one peer may be outstanding.
    pub nstart: u16,
    /// PROBING_RATE in bytes per second, on average, towards a peer that does not respond.
    pub probing_rate: u32,
    /// MAX_LATENCY: the longest that a datagram is expected to be on its way.
    pub max_latency: Duration,
}

impl TransmissionParameters {
    /// The values of RFC 7252.
    pub const DEFAULT: Self = Self {
        ack_timeout: Duration::from_secs(2),
        ack_random_percent: 150,
        max_retransmit: 4,
        nstart: 1,
        probing_rate: 1,
        max_latency: Duration::from_secs(100),
    };

    /// MAX_TRANSMIT_SPAN: from the first transmission of a Confirmable message to its last; 45 s.
    pub const fn max_transmit_span(&self) -> Duration {
        self.longest_timeouts(self.retransmissions())
    }

    /// MAX_TRANSMIT_WAIT: from the first transmission of a Confirmable message to giving up; 93 s.
    pub const fn max_transmit_wait(&self) -> Duration {
        self.longest_timeouts(self.retransmissions() + 1)
    }

    /// PROCESSING_DELAY: how long a peer may take to acknowledge; 2 s.
    pub const fn processing_delay(&self) -> Duration {
        self.ack_timeout
    }

    /// MAX_RTT: from sending a message to receiving its acknowledgement; 202 s.
    pub const fn max_rtt(&self) -> Duration {
        sum(sum(self.max_latency, self.max_latency), self.processing_delay())
    }

    /// EXCHANGE_LIFETIME: from the first transmission of a Confirmable message until its Message ID can be
    /// used again; 247 s.
    pub const fn exchange_lifetime(&self) -> Duration {
        sum(self.max_transmit_span(), self.max_rtt())
    }

    /// NON_LIFETIME: the same for a Non-confirmable message; 145 s.
    pub const fn non_lifetime(&self) -> Duration {
        sum(self.max_transmit_span(), self.max_latency)
    }

    pub(crate) const fn retransmissions(&self) -> u8 {
        if self.max_retransmit > 20 { 20 } else { self.max_retransmit }
    }

    /// The first `count` timeouts, each at its longest, one after the other.
    /// The longest that a random factor makes of a span; ACK_RANDOM_FACTOR counts in 65536ths.
    pub(crate) const fn at_most(&self, span: Duration) -> Duration {
        let factor = ((self.ack_random_percent as u32) << 16) / 100;
        let (high, low) = (span.as_micros() >> 16, span.as_micros() & 0xffff);
        Duration::from_micros((high.wrapping_mul(factor as u64)).wrapping_add((low * factor as u64) >> 16))
    }

    const fn longest_timeouts(&self, count: u8) -> Duration {
        let once = self.ack_timeout.as_micros();
        let once = if once > MAX_ACK_TIMEOUT { MAX_ACK_TIMEOUT } else { once };
        self.at_most(Duration::from_micros((once << count) - once))
    }
}

/// No time-out is longer than a year or so, so that nothing overflows that is made of it.
const MAX_ACK_TIMEOUT: u64 = (1 << 43) - 1;

impl Default for TransmissionParameters {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const fn sum(a: Duration, b: Duration) -> Duration {
    Duration::from_micros(a.as_micros().saturating_add(b.as_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7252 section 4.8.2, the two tables.
    #[test]
    fn derived_times_are_the_rfcs() {
        let parameters = TransmissionParameters::DEFAULT;
        assert_eq!(parameters.max_transmit_span(), Duration::from_secs(45));
        assert_eq!(parameters.max_transmit_wait(), Duration::from_secs(93));
        assert_eq!(parameters.max_rtt(), Duration::from_secs(202));
        assert_eq!(parameters.exchange_lifetime(), Duration::from_secs(247));
        assert_eq!(parameters.non_lifetime(), Duration::from_secs(145));
    }
}
