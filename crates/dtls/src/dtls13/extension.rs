//! Extensions of DTLS 1.3, each message's in the order in which they are written (RFC 8446 section 4.2).
//!
//! ```text
//! ClientHello           all but the last five lines of `number`, pre_shared_key last
//! HelloRetryRequest     supported_versions, key_share, cookie
//! ServerHello           supported_versions, key_share, pre_shared_key, connection_id, return_routability_check
//! EncryptedExtensions   server_name, client_ and server_certificate_type, record_size_limit
//! CertificateRequest    signature_algorithms
//! ```

use sedge_crypto::NamedGroup;

use crate::wire::{Reader, Writer};

/// The extensions' numbers.
pub(crate) mod number {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const CLIENT_CERTIFICATE_TYPE: u16 = 19;
    pub(crate) const SERVER_CERTIFICATE_TYPE: u16 = 20;
    pub(crate) const RECORD_SIZE_LIMIT: u16 = 28;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const COOKIE: u16 = 44;
    pub(crate) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const CONNECTION_ID: u16 = 54;
    pub(crate) const RETURN_ROUTABILITY_CHECK: u16 = 61;
}

/// `ecdsa_secp256r1_sha256`, the only signature there is.
pub(crate) const ECDSA_SECP256R1_SHA256: u16 = 0x0403;
/// `psk_ke`: a pre-shared key alone.
pub(crate) const PSK_KE: u8 = 0;
/// `psk_dhe_ke`: a pre-shared key and key shares.
pub(crate) const PSK_DHE_KE: u8 = 1;

/// Hands on each extension in `list`, by number and content, until one is not taken. What `each` leaves of the content
/// is an error too.
pub(crate) fn for_each<'a>(
    list: &'a [u8],
    mut each: impl FnMut(u16, &mut Reader<'a>, bool) -> Option<()>,
) -> Option<()> {
    let mut list = Reader::new(list);
    while !list.is_empty() {
        let kind = list.u16()?;
        let mut data = Reader::new(list.vec16()?);
        each(kind, &mut data, list.is_empty())?;
        data.is_empty().then_some(())?;
    }
    Some(())
}

/// Notes what an extension says; `None` if it said something before.
pub(crate) fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// Whether a list of 16-bit numbers has this one.
pub(crate) fn lists(numbers: &[u8], wanted: u16) -> bool {
    numbers.as_chunks::<2>().0.contains(&wanted.to_be_bytes())
}

/// Writes an extension.
pub(crate) fn write(out: &mut Writer<'_>, kind: u16, content: impl FnOnce(&mut Writer<'_>)) {
    out.u16(kind);
    out.vec16(content);
}

/// RFC 6066 section 3: one name, of a host.
pub(crate) fn write_server_name(out: &mut Writer<'_>, name: &str) {
    write(out, number::SERVER_NAME, |out| {
        out.vec16(|out| {
            out.u8(0);
            out.vec16(|out| out.bytes(name.as_bytes()));
        });
    });
}

/// The name of a host in a `ServerNameList`.
pub(crate) fn parse_server_name<'a>(data: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut list = Reader::new(data.vec16()?);
    let kind = list.u8()?;
    let name = list.vec16()?;
    (kind == 0 && list.is_empty() && !name.is_empty()).then_some(name)
}

/// One entry of a `key_share`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyShareEntry<'a> {
    pub(crate) group: u16,
    pub(crate) key_exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    pub(crate) fn parse(bytes: &mut Reader<'a>) -> Option<Self> {
        let group = bytes.u16()?;
        let key_exchange = bytes.vec16()?;
        (!key_exchange.is_empty()).then_some(Self { group, key_exchange })
    }

    pub(crate) fn write(group: NamedGroup, key_exchange: &[u8], out: &mut Writer<'_>) {
        out.u16(group.to_u16());
        out.vec16(|out| out.bytes(key_exchange));
    }
}

/// `client_shares`, checked for form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyShares<'a>(&'a [u8]);

impl<'a> KeyShares<'a> {
    pub(crate) fn parse(data: &mut Reader<'a>) -> Option<Self> {
        let shares = data.vec16()?;
        let mut rest = Reader::new(shares);
        while !rest.is_empty() {
            KeyShareEntry::parse(&mut rest)?;
        }
        Some(Self(shares))
    }

    /// The client's share in this group.
    pub(crate) fn find(&self, group: NamedGroup) -> Option<&'a [u8]> {
        let mut rest = Reader::new(self.0);
        while let Some(entry) = KeyShareEntry::parse(&mut rest) {
            if entry.group == group.to_u16() {
                return Some(entry.key_exchange);
            }
        }
        None
    }
}

/// `OfferedPsks`, checked for form: as many binders as identities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferedPsks<'a> {
    identities: &'a [u8],
    binders: &'a [u8],
}

/// A key that a client offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferedPsk<'a> {
    pub(crate) identity: &'a [u8],
    pub(crate) binder: &'a [u8],
}

impl<'a> OfferedPsks<'a> {
    pub(crate) fn parse(data: &mut Reader<'a>) -> Option<Self> {
        let offered = Self { identities: data.vec16()?, binders: data.vec16()? };
        let (mut identities, mut binders) = (Reader::new(offered.identities), Reader::new(offered.binders));
        while !identities.is_empty() || !binders.is_empty() {
            let identity = identities.vec16()?;
            let _age = identities.array::<4>()?;
            // RFC 8446 section 4.2.11: an identity has a byte at least, a binder 32.
            let binder = binders.vec8()?;
            (!identity.is_empty() && binder.len() >= 32).then_some(())?;
        }
        (!offered.identities.is_empty()).then_some(offered)
    }

    /// Length of the binders with their length: what a binder's transcript leaves out.
    pub(crate) const fn binders_len(&self) -> usize {
        2 + self.binders.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = OfferedPsk<'a>> {
        let (mut identities, mut binders) = (Reader::new(self.identities), Reader::new(self.binders));
        core::iter::from_fn(move || {
            let identity = identities.vec16()?;
            // RFC 8446 section 4.2.10: its age matters to early data alone, which there is none of.
            let _obfuscated_ticket_age = identities.array::<4>()?;
            Some(OfferedPsk { identity, binder: binders.vec8()? })
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn key_shares_are_found_by_group() {
        let bytes = [0, 11, 0, 99, 0, 1, 7, 0, 29, 0, 2, 8, 9];
        let shares = KeyShares::parse(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(shares.find(NamedGroup::X25519), Some(&[8, 9][..]));
        assert_eq!(shares.find(NamedGroup::Secp256r1), None);
        assert!(KeyShares::parse(&mut Reader::new(&bytes[..12])).is_none());
        assert!(KeyShares::parse(&mut Reader::new(&[0, 4, 0, 29, 0, 0])).is_none(), "an empty share");
    }

    #[test]
    fn every_identity_needs_a_binder() {
        let offer = |identities: usize, binders: usize| {
            let identities = b"\0\x02id\0\0\0\x07".repeat(identities);
            let binders = [&[32][..], &[5; 32]].concat().repeat(binders);
            let length = |bytes: &[u8]| (bytes.len() as u16).to_be_bytes().to_vec();
            [length(&identities), identities.clone(), length(&binders), binders.clone()].concat()
        };
        let bytes = offer(2, 2);
        let offered = OfferedPsks::parse(&mut Reader::new(&bytes)).unwrap();
        let keys: Vec<_> = offered.iter().collect();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[1].identity, b"id");
        assert_eq!((keys[1].binder, offered.binders_len()), (&[5; 32][..], 2 + 66));
        for (identities, binders) in [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2)] {
            assert!(OfferedPsks::parse(&mut Reader::new(&offer(identities, binders))).is_none());
        }
    }

    #[test]
    fn a_server_name_is_one_host() {
        let mut buf = [0; 32];
        let mut out = Writer::new(&mut buf);
        write_server_name(&mut out, "a.example");
        let len = out.finish().unwrap();
        let mut seen = None;
        for_each(&buf[..len], |kind, data, last| {
            assert!(kind == number::SERVER_NAME && last);
            once(&mut seen, parse_server_name(data)?)
        })
        .unwrap();
        assert_eq!(seen, Some(&b"a.example"[..]));
    }
}
