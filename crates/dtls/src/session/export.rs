//! A session as bytes, to outlive a restart or a deep sleep.

use core::fmt;

use sedge_crypto::Secret;

use super::{Role, Session, Session12, Session13, Version};
use crate::cid::ConnectionId;
use crate::protection::DirectionKeys;
use crate::record::MAX_SEQUENCE;
use crate::replay::ReplayWindow;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// The layout's version, its first byte: of a session of DTLS 1.2, and of 1.3.
const LAYOUT_1_2: u8 = 1;
const LAYOUT_1_3: u8 = 3;

/// Why bytes are no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// Not what [`Session::export`] of this version writes.
    Malformed,
    /// Skipping ahead leaves no sequence number.
    SequenceExhausted,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the bytes are no exported session of this version",
            Self::SequenceExhausted => "no sequence number is left in the session",
        })
    }
}

impl core::error::Error for ImportError {}

impl Session {
    /// Length of an exported session in bytes.
    pub const EXPORTED_LEN: usize = 1 + Session13::EXPORTED_LEN;

    /// The number of the next record that is sealed, with its epoch in the upper 16 bits: what whoever stores a session has
    /// to keep an eye on. It only grows, with new keys, too.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn next_record_number(&self) -> u64 {
        match &self.version {
            // The first epoch that is protected is its last.
            Version::Dtls12(session) => 1 << 48 | session.next_sequence,
            Version::Dtls13(session) => {
                u64::from(session.write_epoch) << 48 | u64::from(session.next_sequence)
            }
        }
    }

    /// The session as bytes, keys included.
    ///
    /// A record number must never be used twice, so whoever stores this says at [`import`](Self::import) how
    /// many records may have been sealed since. Records received since can be replayed to the imported session
    /// once: what must not happen twice is for the layer above to guard (CoAP's deduplication, for one).
    pub fn export(&self) -> Secret<{ Self::EXPORTED_LEN }> {
        let mut bytes = Secret::zero();
        let mut out = Writer::new(bytes.expose_mut());
        match &self.version {
            Version::Dtls12(session) => {
                out.u8(LAYOUT_1_2);
                session.write(&mut out);
            }
            Version::Dtls13(session) => {
                out.u8(LAYOUT_1_3);
                session.write(&mut out);
            }
        }
        bytes
    }

    /// The session that [`export`](Self::export) made `bytes` of, its next record number `skip` further.
    ///
    /// `skip` must be at least the number of records sealed since the export. In DTLS 1.3 a session that skips any
    /// replaces no keys and gives out no Connection IDs any more, and one whose keys were replaced since the export is
    /// no good.
    pub fn import(bytes: &[u8], skip: u64) -> Result<Self, ImportError> {
        let mut bytes = Some(bytes).filter(|bytes| bytes.len() == Self::EXPORTED_LEN).map(Reader::new);
        let bytes = bytes.as_mut().ok_or(ImportError::Malformed)?;
        let session = match bytes.u8() {
            Some(LAYOUT_1_2) => {
                let session = Session12::parse(bytes).ok_or(ImportError::Malformed)?;
                let next_sequence = session.next_sequence.saturating_add(skip);
                let left = next_sequence <= MAX_SEQUENCE;
                left.then(|| Session12 { next_sequence, ..session }.into())
            }
            Some(LAYOUT_1_3) => {
                Session13::parse(bytes).ok_or(ImportError::Malformed)?.skip(skip).map(Self::from)
            }
            _ => return Err(ImportError::Malformed),
        };
        // What a shorter layout leaves is zero.
        match bytes.rest().iter().all(|&byte| byte == 0) {
            true => session.ok_or(ImportError::SequenceExhausted),
            false => Err(ImportError::Malformed),
        }
    }
}

impl Session12 {
    const EXPORTED_LEN: usize = 1 + 2 + 2 * 20 + 8 + 16 + 2 * 2 + 2 * (1 + ConnectionId::MAX_LEN);
    const FITS: () = assert!(Self::EXPORTED_LEN <= Session13::EXPORTED_LEN);

    fn write(&self, out: &mut Writer<'_>) {
        let () = Self::FITS;
        let role = match self.role {
            Role::Client => 0,
            Role::Server => 1,
        };
        out.u8(role | u8::from(self.return_routability) << 1);
        out.u16(self.suite.0);
        for keys in [&self.read, &self.write] {
            out.bytes(keys.key.expose());
            out.bytes(keys.salt.expose());
        }
        for number in [self.next_sequence, self.window.highest, self.window.seen] {
            out.bytes(&number.to_be_bytes());
        }
        out.u16(self.read_limit);
        out.u16(self.write_limit);
        for cid in [&self.own_cid, &self.peer_cid] {
            out.vec8(|out| out.bytes(cid.as_bytes()));
            out.bytes([0; ConnectionId::MAX_LEN].get(cid.len()..).unwrap_or_default());
        }
    }

    fn parse(bytes: &mut Reader<'_>) -> Option<Self> {
        let (role, return_routability) = match bytes.u8()? {
            flags @ (0 | 2) => (Role::Client, flags != 0),
            flags @ (1 | 3) => (Role::Server, flags != 1),
            _ => return None,
        };
        let suite = CipherSuite(bytes.u16()?);
        let read = direction_keys(bytes)?;
        let write = direction_keys(bytes)?;
        let [next_sequence, highest, seen] =
            [bytes.array()?, bytes.array()?, bytes.array()?].map(u64::from_be_bytes);
        let read_limit = bytes.u16()?;
        let write_limit = bytes.u16()?;
        let own_cid = padded_cid(bytes)?;
        let peer_cid = padded_cid(bytes)?;
        Some(Self {
            read,
            write,
            next_sequence,
            window: ReplayWindow { highest, seen },
            own_cid,
            peer_cid,
            last_flight: None,
            write_limit,
            read_limit,
            suite,
            aead: suite.aead()?,
            role,
            return_routability,
        })
    }
}

fn direction_keys(bytes: &mut Reader<'_>) -> Option<DirectionKeys> {
    Some(DirectionKeys { key: Secret::new(bytes.array()?), salt: Secret::new(bytes.array()?) })
}

fn padded_cid(bytes: &mut Reader<'_>) -> Option<ConnectionId> {
    let cid = ConnectionId::new(bytes.vec8()?)?;
    let _padding = bytes.take(ConnectionId::MAX_LEN - cid.len())?;
    Some(cid)
}
