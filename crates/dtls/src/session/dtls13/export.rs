//! A session of DTLS 1.3 as bytes.

use sedge_crypto::Secret;

use super::{Cids, Direction, Extra, Outstanding, Partial, Session13, flag, limits};
use crate::dtls13::protection::RecordKeys;
use crate::dtls13::schedule::{ResumptionSecret, TrafficSecret};
use crate::session::Role;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// What of the flags outlives an export.
const KEPT: u16 = flag::UPDATE_WANTED
    | flag::UPDATE_REQUESTED
    | flag::NEXT_EPOCH_READ
    | flag::CID_REPLACED
    | flag::RETURN_ROUTABILITY
    | flag::STREAM_UNKNOWN;

impl Session13 {
    /// Length of what [`write`](Self::write) writes.
    pub(in crate::session) const EXPORTED_LEN: usize =
        2 + 2 + 2 * (32 + 16 + 12 + 16) + 33 + (2 + Cids::MAX_LEN) + 5 * 4 + 7 * 2 + 2;

    pub(in crate::session) fn write(&self, out: &mut Writer<'_>) {
        let server = if self.role == Role::Server { flag::SERVER } else { 0 };
        out.u16(self.flags & KEPT | server);
        out.u16(self.suite().0);
        for Direction { secret, keys } in [&self.read, &self.write] {
            out.bytes(secret.0.expose());
            out.bytes(keys.key.expose());
            out.bytes(keys.iv.expose());
            out.bytes(keys.sn.expose());
        }
        let partial = match &self.extra {
            Extra::Partial(partial) => partial.to_bytes(),
            _ => [0; 32],
        };
        let (kind, secret) = match &self.extra {
            Extra::Nothing => (0, &partial),
            Extra::Partial(_) => (3, &partial),
            Extra::Resumption(ResumptionSecret(secret)) => (1, secret.expose()),
            Extra::Handshake(TrafficSecret(secret)) => (2, secret.expose()),
        };
        out.u8(kind);
        out.bytes(secret);
        let (own, peer) = (self.cids.own(), self.cids.peer());
        out.vec8(|out| out.bytes(own));
        out.vec8(|out| out.bytes(peer));
        out.bytes([0; Cids::MAX_LEN].get(own.len() + peer.len()..).unwrap_or_default());
        let [low, high] = self.seen;
        for number in [self.next_sequence, self.highest, low, high, self.failed] {
            out.bytes(&number.to_be_bytes());
        }
        for number in [
            self.read_epoch,
            self.write_epoch,
            self.next_message,
            self.next_received,
            self.outstanding_since,
            self.write_limit,
            self.read_limit,
        ] {
            out.u16(number);
        }
        let (kind, argument) = match self.outstanding {
            Outstanding::Nothing => (0, 0),
            Outstanding::KeyUpdate(request) => (1, request.into()),
            Outstanding::Ticket => (2, 0),
            Outstanding::NewConnectionId => (3, 0),
            Outstanding::RequestConnectionId(count) => (4, count),
        };
        out.u8(kind);
        out.u8(argument);
    }

    pub(in crate::session) fn parse(bytes: &mut Reader<'_>) -> Option<Self> {
        let flags = bytes.u16()?;
        let aead = CipherSuite(bytes.u16()?).aead()?;
        let read = direction(bytes)?;
        let write = direction(bytes)?;
        let extra = match (bytes.u8()?, Secret::new(bytes.array()?)) {
            (0, _) => Extra::Nothing,
            (1, secret) => Extra::Resumption(ResumptionSecret(secret)),
            (2, secret) => Extra::Handshake(TrafficSecret(secret)),
            (3, bytes) => Extra::Partial(Partial::from_bytes(bytes.expose())?),
            _ => return None,
        };
        let own = bytes.vec8()?;
        let peer = bytes.vec8()?;
        let cids = Cids::new(own, peer)?;
        let _padding = bytes.take(Cids::MAX_LEN - own.len() - peer.len())?;
        let mut number = || bytes.array().map(u32::from_be_bytes);
        let [next_sequence, highest, low, high, failed] =
            [number()?, number()?, number()?, number()?, number()?];
        let [read_epoch, write_epoch, next_message] = [bytes.u16()?, bytes.u16()?, bytes.u16()?];
        let [next_received, outstanding_since] = [bytes.u16()?, bytes.u16()?];
        let [write_limit, read_limit] = [bytes.u16()?, bytes.u16()?];
        let outstanding = match (bytes.u8()?, bytes.u8()?) {
            (0, _) => Outstanding::Nothing,
            (1, request) => Outstanding::KeyUpdate(request != 0),
            (2, _) => Outstanding::Ticket,
            (3, _) => Outstanding::NewConnectionId,
            (4, count) => Outstanding::RequestConnectionId(count),
            _ => return None,
        };
        Some(Self {
            read,
            write,
            extra,
            cids,
            next_sequence,
            highest,
            seen: [low, high],
            failed,
            read_epoch,
            write_epoch,
            next_message,
            next_received,
            outstanding_since,
            write_limit,
            read_limit,
            outstanding,
            ack_age: 0,
            aead,
            role: if flags & flag::SERVER == 0 { Role::Client } else { Role::Server },
            flags: flags & KEPT,
        })
    }

    /// The session with its next record number `skip` further; `None` if there is no such number.
    ///
    /// After records of which nothing is known, so is how many handshake messages there were: no more are begun.
    pub(in crate::session) fn skip(mut self, skip: u64) -> Option<Self> {
        let next = u64::from(self.next_sequence).saturating_add(skip);
        self.next_sequence = u32::try_from(next).ok().filter(|&next| next < limits::RECORDS)?;
        if skip > 0 {
            self.set(flag::STREAM_UNKNOWN);
            self.outstanding = Outstanding::Nothing;
        }
        Some(self)
    }
}

fn direction(bytes: &mut Reader<'_>) -> Option<Direction> {
    let secret = TrafficSecret(Secret::new(bytes.array()?));
    let (key, iv, sn) =
        (Secret::new(bytes.array()?), Secret::new(bytes.array()?), Secret::new(bytes.array()?));
    Some(Direction { secret, keys: RecordKeys { key, iv, sn } })
}
