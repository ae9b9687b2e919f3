//! The hello extensions this crate knows (RFC 5246 section 7.4.1.4).

use core::mem::replace;

use crate::wire::{Reader, Writer};

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const CLIENT_CERTIFICATE_TYPE: u16 = 19;
const SERVER_CERTIFICATE_TYPE: u16 = 20;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RECORD_SIZE_LIMIT: u16 = 28;
const SESSION_TICKET: u16 = 35;
const SUPPORTED_VERSIONS: u16 = 43;
const CONNECTION_ID: u16 = 54;
const RETURN_ROUTABILITY_CHECK: u16 = 61;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// `NameType` `host_name` (RFC 6066 section 3).
const HOST_NAME: u8 = 0;

/// What the extensions of one hello say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    /// RFC 6066 section 3: the host's name in a ClientHello, empty in a ServerHello.
    pub(crate) server_name: Option<&'a [u8]>,
    /// RFC 8422 section 5.1.1: 16-bit group numbers, the preferred first.
    pub(crate) supported_groups: Option<&'a [u8]>,
    /// RFC 8422 section 5.1.2.
    pub(crate) ec_point_formats: Option<&'a [u8]>,
    /// RFC 5246 section 7.4.1.4.1: pairs of bytes; in a ClientHello only.
    pub(crate) signature_algorithms: Option<&'a [u8]>,
    /// RFC 7250 section 3: what the client can show.
    pub(crate) client_certificate_type: Option<CertificateTypes<'a>>,
    /// RFC 7250 section 3: what the client can verify.
    pub(crate) server_certificate_type: Option<CertificateTypes<'a>>,
    /// RFC 7627.
    pub(crate) extended_master_secret: bool,
    /// RFC 5077 section 3.2: a client's ticket, or empty if it has none; always empty in a ServerHello.
    pub(crate) session_ticket: Option<&'a [u8]>,
    /// RFC 5746: `renegotiated_connection`, empty in a first handshake.
    pub(crate) renegotiation_info: Option<&'a [u8]>,
    /// RFC 9146: the identifier that the sender wants in records to it.
    pub(crate) connection_id: Option<&'a [u8]>,
    /// RFC 9853 section 3.
    pub(crate) return_routability: bool,
    /// RFC 8449.
    pub(crate) record_size_limit: Option<u16>,
    /// RFC 8446 section 4.2.1, as a list of 16-bit versions; in a ClientHello only.
    pub(crate) supported_versions: Option<&'a [u8]>,
    /// Whether there was one that is none of these.
    pub(crate) unknown: bool,
}

/// Kinds of certificate (RFC 7250 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateTypes<'a> {
    /// In a ClientHello: those it can do, the preferred first.
    Offered(&'a [u8]),
    /// In a ServerHello: the one to be used.
    Chosen(u8),
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
            let known = &mut extensions;
            let seen = match kind {
                EXTENDED_MASTER_SECRET => replace(&mut known.extended_master_secret, true),
                RETURN_ROUTABILITY_CHECK => replace(&mut known.return_routability, true),
                RECORD_SIZE_LIMIT => known.record_size_limit.replace(data.u16()?).is_some(),
                CLIENT_CERTIFICATE_TYPE | SERVER_CERTIFICATE_TYPE => {
                    let types = CertificateTypes::read(&mut data)?;
                    let place = match kind == CLIENT_CERTIFICATE_TYPE {
                        true => &mut known.client_certificate_type,
                        false => &mut known.server_certificate_type,
                    };
                    place.replace(types).is_some()
                }
                _ => {
                    let (place, form) = match kind {
                        SERVER_NAME => (&mut known.server_name, Form::ServerName),
                        SUPPORTED_GROUPS => (&mut known.supported_groups, Form::Vec16),
                        EC_POINT_FORMATS => (&mut known.ec_point_formats, Form::Vec8),
                        SIGNATURE_ALGORITHMS => (&mut known.signature_algorithms, Form::Vec16),
                        SESSION_TICKET => (&mut known.session_ticket, Form::All),
                        RENEGOTIATION_INFO => (&mut known.renegotiation_info, Form::Vec8),
                        CONNECTION_ID => (&mut known.connection_id, Form::Vec8),
                        SUPPORTED_VERSIONS => (&mut known.supported_versions, Form::Vec8),
                        _ => {
                            known.unknown = true;
                            continue;
                        }
                    };
                    place.replace(form.read(&mut data)?).is_some()
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
        out.vec16(|out| self.write_each(out));
    }

    /// Writes the extensions that are set, without their length.
    pub(crate) fn write_each(&self, out: &mut Writer<'_>) {
        if let Some(name) = self.server_name {
            extension(out, SERVER_NAME, |out| write_server_name(out, name));
        }
        if let Some(groups) = self.supported_groups {
            extension(out, SUPPORTED_GROUPS, |out| out.vec16(|out| out.bytes(groups)));
        }
        if let Some(formats) = self.ec_point_formats {
            extension(out, EC_POINT_FORMATS, |out| out.vec8(|out| out.bytes(formats)));
        }
        if let Some(algorithms) = self.signature_algorithms {
            extension(out, SIGNATURE_ALGORITHMS, |out| out.vec16(|out| out.bytes(algorithms)));
        }
        if let Some(types) = self.client_certificate_type {
            extension(out, CLIENT_CERTIFICATE_TYPE, |out| types.write(out));
        }
        if let Some(types) = self.server_certificate_type {
            extension(out, SERVER_CERTIFICATE_TYPE, |out| types.write(out));
        }
        if self.extended_master_secret {
            extension(out, EXTENDED_MASTER_SECRET, |_| {});
        }
        if let Some(ticket) = self.session_ticket {
            extension(out, SESSION_TICKET, |out| out.bytes(ticket));
        }
        if let Some(connection) = self.renegotiation_info {
            extension(out, RENEGOTIATION_INFO, |out| out.vec8(|out| out.bytes(connection)));
        }
        if let Some(cid) = self.connection_id {
            extension(out, CONNECTION_ID, |out| out.vec8(|out| out.bytes(cid)));
        }
        if self.return_routability {
            extension(out, RETURN_ROUTABILITY_CHECK, |_| {});
        }
        if let Some(limit) = self.record_size_limit {
            extension(out, RECORD_SIZE_LIMIT, |out| out.u16(limit));
        }
    }
}

fn extension(out: &mut Writer<'_>, kind: u16, data: impl FnOnce(&mut Writer<'_>)) {
    out.u16(kind);
    out.vec16(data);
}

/// How an extension's data hold what it says.
#[derive(Clone, Copy)]
enum Form {
    /// `opaque x<0..2^8-1>`
    Vec8,
    /// `opaque x<0..2^16-1>`
    Vec16,
    /// All that there is.
    All,
    ServerName,
}

impl Form {
    fn read<'a>(self, data: &mut Reader<'a>) -> Option<&'a [u8]> {
        match self {
            Self::Vec8 => data.vec8(),
            Self::Vec16 => data.vec16(),
            Self::All => data.take(data.rest().len()),
            Self::ServerName => server_name(data),
        }
    }
}

/// The first host name in a list; empty if the list, as in a ServerHello, is missing or there is none in it.
fn server_name<'a>(data: &mut Reader<'a>) -> Option<&'a [u8]> {
    if data.is_empty() {
        return Some(&[]);
    }
    let mut list = Reader::new(data.vec16()?);
    let mut host = None;
    while !list.is_empty() {
        let kind = list.u8()?;
        let name = list.vec16()?;
        if kind == HOST_NAME && host.replace(name).is_some() {
            return None;
        }
    }
    Some(host.unwrap_or_default())
}

fn write_server_name(out: &mut Writer<'_>, name: &[u8]) {
    if !name.is_empty() {
        out.vec16(|out| {
            out.u8(HOST_NAME);
            out.vec16(|out| out.bytes(name));
        });
    }
}

impl<'a> CertificateTypes<'a> {
    fn read(data: &mut Reader<'a>) -> Option<Self> {
        match data.rest().len() {
            1 => data.u8().map(Self::Chosen),
            _ => data.vec8().map(Self::Offered),
        }
    }

    fn write(self, out: &mut Writer<'_>) {
        match self {
            Self::Offered(types) => out.vec8(|out| out.bytes(types)),
            Self::Chosen(kind) => out.u8(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    const EVERYTHING: Extensions<'static> = Extensions {
        server_name: Some(b"broker.example"),
        supported_groups: Some(&[0, 23, 0, 29]),
        ec_point_formats: Some(&[0]),
        signature_algorithms: Some(&[4, 3]),
        client_certificate_type: Some(CertificateTypes::Offered(&[2, 0])),
        server_certificate_type: Some(CertificateTypes::Chosen(2)),
        extended_master_secret: true,
        session_ticket: Some(b"ticket"),
        renegotiation_info: Some(b""),
        connection_id: Some(b"cid"),
        return_routability: true,
        record_size_limit: Some(512),
        supported_versions: None,
        unknown: false,
    };

    #[test]
    fn what_is_written_is_read() {
        let mut nothing_said = EVERYTHING;
        nothing_said.server_name = Some(b"");
        nothing_said.session_ticket = Some(b"");
        for extensions in [Extensions::default(), EVERYTHING, nothing_said] {
            let mut buf = [0; 256];
            let mut out = Writer::new(&mut buf);
            extensions.write(&mut out);
            let len = out.finish().unwrap();
            assert_eq!(Extensions::parse(Reader::new(&buf[..len])), Some(extensions));
            // Every truncation is malformed, except to nothing.
            for cut in 1..len {
                assert_eq!(Extensions::parse(Reader::new(&buf[..cut])), None);
            }
        }
    }

    #[test]
    fn none_may_come_twice_or_have_bytes_to_spare() {
        let one = |kind: u8, data: &[u8]| {
            let len = u8::try_from(data.len()).unwrap();
            [&[0, kind, 0, len], data].concat()
        };
        let samples: [(u8, &[u8]); 12] = [
            (0, b"\0\x04\0\0\x01a"),
            (10, b"\0\x02\0\x17"),
            (11, b"\x01\0"),
            (13, b"\0\x02\x04\x03"),
            (19, b"\x01\x02"),
            (20, b"\x02"),
            (23, b""),
            (28, b"\x02\0"),
            (35, b"ticket"),
            (43, b"\x02\xfe\xfd"),
            (54, b"\x01c"),
            (61, b""),
        ];
        for (kind, data) in samples {
            let list = |parts: &[std::vec::Vec<u8>]| {
                let all = parts.concat();
                [&u16::try_from(all.len()).unwrap().to_be_bytes()[..], &all].concat()
            };
            let once = list(&[one(kind, data)]);
            let parsed = Extensions::parse(Reader::new(&once)).unwrap();
            assert!(parsed != Extensions::default() && !parsed.unknown, "{kind}");
            assert_eq!(Extensions::parse(Reader::new(&list(&[one(kind, data), one(kind, data)]))), None);
            // A ticket may be anything, and what is too long for one kind of certificate may be a list of them.
            if kind != 35 && kind != 20 {
                let spare = [data, &[0, 0]].concat();
                assert_eq!(Extensions::parse(Reader::new(&list(&[one(kind, &spare)]))), None, "{kind}");
            }
        }
    }
}
