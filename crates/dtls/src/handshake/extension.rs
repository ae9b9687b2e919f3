//! The hello extensions this crate knows (RFC 5246 section 7.4.1.4).

use crate::wire::{Reader, Writer};

const RECORD_SIZE_LIMIT: u16 = 28;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const CONNECTION_ID: u16 = 54;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// What the extensions of one hello say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    /// RFC 7627.
    pub(crate) extended_master_secret: bool,
    /// RFC 5746: `renegotiated_connection`, empty in a first handshake.
    pub(crate) renegotiation_info: Option<&'a [u8]>,
    /// RFC 9146: the identifier that the sender wants in records to it.
    pub(crate) connection_id: Option<&'a [u8]>,
    /// RFC 8449.
    pub(crate) record_size_limit: Option<u16>,
    /// RFC 8446 section 4.2.1, as a list of 16-bit versions; in a ClientHello only.
    pub(crate) supported_versions: Option<&'a [u8]>,
    /// Whether there was one that is none of these.
    pub(crate) unknown: bool,
}

impl<'a> Extensions<'a> {
    /// Reads the extensions at the end of a hello; they may be missing altogether.
    ///
    /// `None` if malformed or if one of those above appears twice.
    pub(crate) fn parse(mut hello: Reader<'a>) -> Option<Self> {
        let mut extensions = Self::default();
        if hello.is_empty() {
            return Some(extensions);
        }
        let mut list = Reader::new(hello.vec16()?);
        if !hello.is_empty() {
            return None;
        }
        while !list.is_empty() {
            let kind = list.u16()?;
            let mut data = Reader::new(list.vec16()?);
            let seen = match kind {
                EXTENDED_MASTER_SECRET => core::mem::replace(&mut extensions.extended_master_secret, true),
                RENEGOTIATION_INFO => extensions.renegotiation_info.replace(data.vec8()?).is_some(),
                CONNECTION_ID => extensions.connection_id.replace(data.vec8()?).is_some(),
                RECORD_SIZE_LIMIT => extensions.record_size_limit.replace(data.u16()?).is_some(),
                SUPPORTED_VERSIONS => extensions.supported_versions.replace(data.vec8()?).is_some(),
                _ => {
                    extensions.unknown = true;
                    continue;
                }
            };
            if seen || !data.is_empty() {
                return None;
            }
        }
        Some(extensions)
    }

    /// Writes the extensions that are set.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.vec16(|out| {
            if self.extended_master_secret {
                out.u16(EXTENDED_MASTER_SECRET);
                out.vec16(|_| {});
            }
            if let Some(connection) = self.renegotiation_info {
                out.u16(RENEGOTIATION_INFO);
                out.vec16(|out| out.vec8(|out| out.bytes(connection)));
            }
            if let Some(cid) = self.connection_id {
                out.u16(CONNECTION_ID);
                out.vec16(|out| out.vec8(|out| out.bytes(cid)));
            }
            if let Some(limit) = self.record_size_limit {
                out.u16(RECORD_SIZE_LIMIT);
                out.vec16(|out| out.u16(limit));
            }
        });
    }
}
