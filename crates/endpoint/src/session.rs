//! Sessions: one peer each, found by Connection ID first and by path second.

use sedge_coap::MessageIds;
use sedge_dtls::{Authentication, Session};
use sedge_time::{Duration, Instant};

use crate::agreed::{Agreed, Version};
use crate::config::PathValidation;
use crate::exchange::NO_EXCHANGE;
use crate::path_validation::{NO_VALIDATION, SHORTEST};

/// One session of one endpoint. A slot that is used again gets a new generation, so an old name never
/// reaches a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl SessionId {
    /// The session as one number, for tables of other layers.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The inverse of [`SessionId::to_u64`].
    pub const fn from_u64(number: u64) -> Self {
        Self { slot: number as u32, generation: (number >> 32) as u32 }
    }
}

/// What an endpoint keeps of one peer.
pub struct Peer<P> {
    pub(crate) path: P,
    pub(crate) channel: Channel,
    pub(crate) generation: u32,
    /// Who it is, in the caller's numbering; zero before authentication and on plain CoAP.
    pub(crate) principal: u32,
    /// How it showed that, and whether in an earlier session.
    pub(crate) authentication: Authentication,
    pub(crate) resumed: bool,
    /// Head of the list of this session's exchanges.
    pub(crate) exchanges: u32,
    /// Seconds of the host's clock at the last authenticated datagram.
    pub(crate) last_heard: u32,
    /// What is under way because it seems to have moved; [`NO_VALIDATION`] as a rule.
    pub(crate) validation: u32,
    /// The handshake that goes on beside the session, until the peer is known to have our last flight;
    /// [`NO_HANDSHAKE`] as a rule.
    pub(crate) lingering: u32,
    /// The round-trip time as last seen, in milliseconds; zero if not known.
    rtt_ms: u16,
    /// Whether we have left a path for another ourselves.
    pub(crate) migrated: bool,
    /// Whether it was given other Connection IDs than the first, which name the slot but not the generation.
    pub(crate) renumbered: bool,
    /// How often the session's own messages were sent again, and when that is due next.
    pub(crate) resends: u8,
    pub(crate) resend_at: Instant,
    /// For messages that we originate.
    pub(crate) message_ids: MessageIds,
    /// Confirmable messages of ours that are not acknowledged yet, against NSTART (RFC 7252 section 4.7).
    pub(crate) outstanding: u16,
}

/// No handshake goes on beside a session.
pub(crate) const NO_HANDSHAKE: u32 = u32::MAX;

/// How datagrams to and from a peer are protected.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub(crate) enum Channel {
    /// Not at all: only on a socket that the operator declared so.
    Plain,
    /// A handshake is under way in this slot of the pool of handshakes.
    Handshake {
        /// Slot in the pool.
        slot: u32,
    },
    /// Established.
    Dtls(Session),
}

impl<P> Peer<P> {
    pub(crate) fn new(path: P, channel: Channel, generation: u32, message_id: u16, now_secs: u32) -> Self {
        Self {
            path,
            channel,
            generation,
            principal: 0,
            authentication: Authentication::Anonymous,
            resumed: false,
            exchanges: NO_EXCHANGE,
            validation: NO_VALIDATION,
            lingering: NO_HANDSHAKE,
            rtt_ms: 0,
            migrated: false,
            renumbered: false,
            resends: 0,
            resend_at: Instant::DISTANT_FUTURE,
            last_heard: now_secs,
            message_ids: MessageIds::new(message_id),
            outstanding: 0,
        }
    }

    /// Something was answered after this time.
    pub(crate) fn note_rtt(&mut self, rtt: Duration) {
        self.rtt_ms = u16::try_from(rtt.as_micros() / 1_000).unwrap_or(u16::MAX).max(1);
    }

    /// How long to wait for an answer about a path: T of RFC 9853 section 5.5.
    pub(crate) fn answer_timeout(&self, settings: &PathValidation) -> Duration {
        match self.rtt_ms {
            0 => settings.timeout,
            rtt => Duration::from_millis(3 * u64::from(rtt)).max(SHORTEST),
        }
    }

    /// What its handshake came to; `None` before that, and on plain CoAP.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let Channel::Dtls(session) = &self.channel else { return None };
        let (authentication, resumed) = (self.authentication, self.resumed);
        let version = if session.is_dtls_1_3() { Version::Dtls13 } else { Version::Dtls12 };
        Some(Agreed { version, suite: session.suite(), authentication, resumed })
    }
}

/// How the Connection IDs that an endpoint gives out are built: `shard | slot | generation`, big-endian, so
/// that a datagram names its shard and its session's slot without any table.
///
/// A Connection ID is not a secret: it only says where to look. A record that names a session is still
/// authenticated by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidLayout {
    length: u8,
    shard_bits: u8,
    slot_bits: u8,
    shard: u8,
}

/// The longest Connection ID in bytes that this endpoint gives out.
pub const MAX_CID_LENGTH: usize = 8;

impl CidLayout {
    /// No Connection ID for what we receive: peers are found by path alone. What a device uses.
    pub const NONE: Self = Self { length: 0, shard_bits: 0, slot_bits: 0, shard: 0 };

    /// Connection IDs of `length` bytes (1 to 8), of which `shard_bits` name `shard` and `slot_bits` the
    /// slot; the rest is the generation.
    ///
    /// `None` if the numbers do not fit: a length out of range, more than 8 shard bits, more than 32 slot
    /// bits, fewer than 4 bits left for the generation, or a shard that its bits cannot hold.
    pub const fn new(length: u8, shard_bits: u8, shard: u8, slot_bits: u8) -> Option<Self> {
        let bits = length as u32 * 8;
        if length == 0 || length as usize > MAX_CID_LENGTH || shard_bits > 8 || slot_bits > 32 {
            return None;
        }
        if shard_bits as u32 + slot_bits as u32 + 4 > bits || (shard as u32) >> shard_bits != 0 {
            return None;
        }
        Some(Self { length, shard_bits, slot_bits, shard })
    }

    /// Bytes of every Connection ID.
    pub const fn length(self) -> usize {
        self.length as usize
    }

    /// How many sessions can have a Connection ID at once.
    pub const fn sessions(self) -> u64 {
        1 << self.slot_bits
    }

    fn generation_bits(self) -> u32 {
        u32::from(self.length) * 8 - u32::from(self.shard_bits) - u32::from(self.slot_bits)
    }

    /// Writes the Connection ID of `session` into the first [`CidLayout::length`] bytes of `out`.
    pub(crate) fn encode(self, session: SessionId, out: &mut [u8; MAX_CID_LENGTH]) -> usize {
        let number = if self.length == 0 {
            0
        } else {
            let generation_bits = self.generation_bits();
            let generation = u64::from(session.generation) & mask(generation_bits);
            let slot = u64::from(session.slot) & mask(u32::from(self.slot_bits));
            let high = u64::from(self.shard) << self.slot_bits | slot;
            high.checked_shl(generation_bits).unwrap_or(0) | generation
        };
        let bytes = (number << (64 - u32::from(self.length) * 8).min(63)).to_be_bytes();
        *out = bytes;
        self.length()
    }

    /// The slot and the low bits of the generation that `cid` names; `None` for another length or shard.
    pub(crate) fn decode(self, cid: &[u8]) -> Option<Named> {
        if cid.len() != self.length() || self.length == 0 {
            return None;
        }
        let number = cid.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let generation_bits = self.generation_bits();
        let high = number.checked_shr(generation_bits).unwrap_or(0);
        if high >> self.slot_bits != u64::from(self.shard) {
            return None;
        }
        Some(Named {
            slot: (high & mask(u32::from(self.slot_bits))) as u32,
            generation: (number & mask(generation_bits)) as u32,
            mask: mask(generation_bits) as u32,
        })
    }

    /// The shard that `cid` names, whichever it is.
    pub fn shard(self, cid: &[u8]) -> Option<u8> {
        let first = *cid.first()?;
        if cid.len() != self.length() {
            return None;
        }
        Some(first.checked_shr(8 - u32::from(self.shard_bits)).unwrap_or(0))
    }
}

fn mask(bits: u32) -> u64 {
    u64::MAX.checked_shr(64 - bits).unwrap_or(0)
}

/// What a Connection ID says.
pub(crate) struct Named {
    pub(crate) slot: u32,
    generation: u32,
    mask: u32,
}

impl Named {
    /// Whether the session of this generation is the one that was meant.
    pub(crate) fn is(&self, generation: u32) -> bool {
        generation & self.mask == self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(layout: CidLayout, slot: u32, generation: u32) {
        let mut cid = [0; MAX_CID_LENGTH];
        let length = layout.encode(SessionId { slot, generation }, &mut cid);
        assert_eq!(length, layout.length());
        let named = layout.decode(&cid[..length]).expect("its own Connection ID");
        assert_eq!(named.slot, slot);
        assert!(named.is(generation));
        assert!(!named.is(generation ^ 1));
        assert_eq!(layout.shard(&cid[..length]), Some(layout.shard));
    }

    #[test]
    fn a_connection_id_names_shard_slot_and_generation() {
        round_trip(CidLayout::new(4, 4, 9, 20).unwrap(), 0x000A_BCDE, 0x1234_5678);
        round_trip(CidLayout::new(1, 0, 0, 4).unwrap(), 15, 7);
        round_trip(CidLayout::new(8, 8, 255, 32).unwrap(), u32::MAX, u32::MAX);
        round_trip(CidLayout::new(3, 0, 0, 1).unwrap(), 1, 3);
    }

    #[test]
    fn foreign_and_misshapen_connection_ids_name_nothing() {
        let layout = CidLayout::new(4, 4, 9, 20).unwrap();
        assert!(layout.decode(&[0x80, 0, 0, 0]).is_none(), "shard 8");
        assert!(layout.decode(&[0x90, 0, 0]).is_none(), "too short");
        assert!(layout.decode(&[]).is_none());
        assert!(CidLayout::NONE.decode(&[]).is_none());
        assert_eq!(CidLayout::new(2, 4, 16, 8), None, "shard 16 needs five bits");
        assert_eq!(CidLayout::new(2, 4, 1, 9), None, "three bits of generation are too few");
    }
}
