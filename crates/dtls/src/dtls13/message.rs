//! The bodies of the other messages: EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify,
//! NewSessionTicket and KeyUpdate (RFC 8446 sections 4.3, 4.4 and 4.6), NewConnectionId and RequestConnectionId
//! (RFC 9147 section 9).

use sedge_crypto::{Crypto, Hash, Signature};

use super::extension::{self, ECDSA_SECP256R1_SHA256, number, once};
use super::schedule::Digest;
use crate::cid::ConnectionId;
use crate::credentials::CertificateEntries;
use crate::wire::{Reader, Writer};

/// EncryptedExtensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EncryptedExtensions {
    /// RFC 6066 section 3: the server used the name.
    pub(crate) server_name: bool,
    /// RFC 7250 section 4.2.
    pub(crate) client_certificate_type: Option<u8>,
    pub(crate) server_certificate_type: Option<u8>,
    /// RFC 8449.
    pub(crate) record_size_limit: Option<u16>,
    /// Whether there was one that a client did not ask for.
    pub(crate) unknown: bool,
}

impl EncryptedExtensions {
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let list = body.vec16().filter(|_| body.is_empty())?;
        let mut extensions = Self::default();
        let mut name = None;
        extension::for_each(list, |kind, data, _| match kind {
            number::SERVER_NAME => once(&mut name, ()),
            number::CLIENT_CERTIFICATE_TYPE => once(&mut extensions.client_certificate_type, data.u8()?),
            number::SERVER_CERTIFICATE_TYPE => once(&mut extensions.server_certificate_type, data.u8()?),
            number::RECORD_SIZE_LIMIT => once(&mut extensions.record_size_limit, data.u16()?),
            // RFC 8446 section 4.2.7: what the server would like next time.
            number::SUPPORTED_GROUPS => data.vec16().map(|_| ()),
            _ => {
                extensions.unknown = true;
                data.take(data.rest().len()).map(|_| ())
            }
        })?;
        extensions.server_name = name.is_some();
        Some(extensions)
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.vec16(|out| {
            if self.server_name {
                extension::write(out, number::SERVER_NAME, |_| {});
            }
            let types = [
                (number::CLIENT_CERTIFICATE_TYPE, self.client_certificate_type),
                (number::SERVER_CERTIFICATE_TYPE, self.server_certificate_type),
            ];
            for (number, kind) in types {
                if let Some(kind) = kind {
                    extension::write(out, number, |out| out.u8(kind));
                }
            }
            if let Some(limit) = self.record_size_limit {
                extension::write(out, number::RECORD_SIZE_LIMIT, |out| out.u16(limit));
            }
        });
    }
}

/// Whether a CertificateRequest in the main handshake can be answered: an empty context, and our kind of signature.
/// `None` if it is malformed.
pub(crate) fn parse_certificate_request(body: &[u8]) -> Option<bool> {
    let mut body = Reader::new(body);
    let context = body.vec8()?;
    let list = body.vec16().filter(|_| body.is_empty())?;
    let mut algorithms = None;
    extension::for_each(list, |kind, data, _| match kind {
        number::SIGNATURE_ALGORITHMS => once(&mut algorithms, data.vec16()?),
        _ => data.take(data.rest().len()).map(|_| ()),
    })?;
    let known = algorithms.is_some_and(|algorithms| extension::lists(algorithms, ECDSA_SECP256R1_SHA256));
    Some(context.is_empty() && known)
}

pub(crate) fn write_certificate_request(out: &mut Writer<'_>) {
    out.vec8(|_| {});
    out.vec16(write_signature_algorithms);
}

/// Of a ClientHello and a CertificateRequest.
pub(crate) fn write_signature_algorithms(out: &mut Writer<'_>) {
    extension::write(out, number::SIGNATURE_ALGORITHMS, |out| {
        out.vec16(|out| out.u16(ECDSA_SECP256R1_SHA256))
    });
}

/// The entries of a Certificate message, possibly none; `None` if it is malformed.
pub(crate) fn parse_certificate(body: &[u8]) -> Option<CertificateEntries<'_>> {
    let mut body = Reader::new(body);
    // RFC 8446 section 4.4.2: empty in the main handshake.
    let context = body.vec8()?;
    let length = usize::try_from(body.u24()?).ok()?;
    let list = body.take(length)?;
    (context.is_empty() && body.is_empty()).then_some(())?;
    let mut rest = Reader::new(list);
    while !rest.is_empty() {
        let length = usize::try_from(rest.u24()?).ok()?;
        let entry = rest.take(length)?;
        let _extensions = rest.vec16()?;
        (!entry.is_empty()).then_some(())?;
    }
    Some(CertificateEntries { list, with_extensions: true })
}

/// Writes a Certificate message with these entries.
pub(crate) fn write_certificate<'a>(out: &mut Writer<'_>, entries: impl Iterator<Item = &'a [u8]>) {
    out.vec8(|_| {});
    out.vec24(|out| {
        for entry in entries {
            out.vec24(|out| out.bytes(entry));
            out.vec16(|_| {});
        }
    });
}

/// What a CertificateVerify signs: 64 spaces, a text, a zero and the transcript (RFC 8446 section 4.4.3).
pub(crate) fn signed_digest<C: Crypto>(crypto: &C, by_server: bool, transcript: &Digest) -> Digest {
    let context: &[u8] = match by_server {
        true => b"TLS 1.3, server CertificateVerify\0",
        false => b"TLS 1.3, client CertificateVerify\0",
    };
    let mut hash = crypto.sha256();
    hash.update(&[b' '; 64]);
    hash.update(context);
    hash.update(transcript);
    hash.finish()
}

/// The signature in a CertificateVerify: `Ok(None)` if it is not of our kind.
pub(crate) fn parse_certificate_verify(body: &[u8]) -> Option<Option<Signature>> {
    let mut body = Reader::new(body);
    let algorithm = body.u16()?;
    let signature = body.vec16().filter(|_| body.is_empty())?;
    let known = algorithm == ECDSA_SECP256R1_SHA256;
    Some(Signature::from_der(signature).ok().filter(|_| known))
}

pub(crate) fn write_certificate_verify(out: &mut Writer<'_>, signature: &Signature) {
    out.u16(ECDSA_SECP256R1_SHA256);
    out.vec16(|out| out.bytes(signature.write_der(&mut [0; Signature::MAX_DER_LEN])));
}

/// A NewSessionTicket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSessionTicket<'a> {
    /// In seconds.
    pub(crate) lifetime: u32,
    pub(crate) age_add: u32,
    pub(crate) nonce: &'a [u8],
    pub(crate) ticket: &'a [u8],
}

impl<'a> NewSessionTicket<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let lifetime = u32::from_be_bytes(body.array()?);
        let age_add = u32::from_be_bytes(body.array()?);
        let nonce = body.vec8()?;
        let ticket = body.vec16()?;
        let _extensions = body.vec16()?;
        (body.is_empty() && !ticket.is_empty()).then_some(Self { lifetime, age_add, nonce, ticket })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.lifetime.to_be_bytes());
        out.bytes(&self.age_add.to_be_bytes());
        out.vec8(|out| out.bytes(self.nonce));
        out.vec16(|out| out.bytes(self.ticket));
        out.vec16(|_| {});
    }
}

/// Whether a KeyUpdate asks for one in return.
pub(crate) fn parse_key_update(body: &[u8]) -> Option<bool> {
    match body {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// `cid_immediate` and `cid_spare`.
const IMMEDIATE: u8 = 0;
const SPARE: u8 = 1;

/// A NewConnectionId: the first identifier that can be kept, if there is one.
pub(crate) fn parse_new_connection_id(body: &[u8]) -> Option<Option<ConnectionId>> {
    let mut body = Reader::new(body);
    let mut cids = Reader::new(body.vec16()?);
    let _usage = body.u8().filter(|usage| [IMMEDIATE, SPARE].contains(usage) && body.is_empty())?;
    let mut first = None;
    while !cids.is_empty() {
        let cid = cids.vec8()?;
        first = first.or_else(|| ConnectionId::new(cid));
    }
    Some(first)
}

/// Writes a NewConnectionId with one identifier, to be used from now on.
pub(crate) fn write_new_connection_id(out: &mut Writer<'_>, cid: &ConnectionId) {
    out.vec16(|out| out.vec8(|out| out.bytes(cid.as_bytes())));
    out.u8(IMMEDIATE);
}

/// How many identifiers a RequestConnectionId asks for.
pub(crate) fn parse_request_connection_id(body: &[u8]) -> Option<u8> {
    match body {
        &[count] => Some(count),
        _ => None,
    }
}
