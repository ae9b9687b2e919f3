//! Certificate, CertificateRequest and CertificateVerify
//! (RFC 5246 sections 7.4.2, 7.4.4 and 7.4.8, RFC 8422 sections 5.5 and 5.6, RFC 7250 section 3).

use sedge_crypto::{Crypto, Signature};

use super::key_exchange::{DigitallySigned, ECDSA_SECP256R1_SHA256};
use crate::credentials::{CertificateEntries, CertificateType, Credentials, PeerCertificate};
use crate::wire::{Reader, Writer, has};

/// `ClientCertificateType` `ecdsa_sign` (RFC 8422 section 5.5).
const ECDSA_SIGN: u8 = 64;

/// Reads a Certificate message: `None` if it is malformed, `Some(None)` if there is nothing in it.
pub(crate) fn parse(kind: CertificateType, body: &[u8]) -> Option<Option<PeerCertificate<'_>>> {
    let list = match kind {
        CertificateType::X509 => vec24(body)?,
        // RFC 7250 section 3: one key in place of the list, which makes it a list of one without its length.
        CertificateType::RawPublicKey => match body {
            [0, 0, 0] => &[],
            _ => vec24(body).map(|_| body)?,
        },
    };
    let mut rest = Reader::new(list);
    while !rest.is_empty() {
        let len = usize::try_from(rest.u24()?).ok()?;
        let entry = rest.take(len)?;
        if entry.is_empty() {
            return None;
        }
    }
    let entries = CertificateEntries { list, with_extensions: false };
    Some((!list.is_empty()).then_some(PeerCertificate { kind, entries }))
}

/// The content of a vector that is all of `bytes`.
fn vec24(bytes: &[u8]) -> Option<&[u8]> {
    let mut bytes = Reader::new(bytes);
    let len = usize::try_from(bytes.u24()?).ok()?;
    let content = bytes.take(len)?;
    bytes.is_empty().then_some(content)
}

/// Writes what `credentials` show of this kind; with `None`, that there is nothing to show.
pub(crate) fn write<C: Crypto>(
    out: &mut Writer<'_>,
    kind: Option<CertificateType>,
    credentials: &(impl Credentials<C> + ?Sized),
) {
    let entries = |kind| (0..).map_while(move |index| credentials.certificate(kind, index));
    match kind {
        Some(CertificateType::X509) => {
            let len: usize = entries(CertificateType::X509).map(|entry| 3 + entry.len()).sum();
            out.u24(u32::try_from(len).unwrap_or(u32::MAX));
            entries(CertificateType::X509).for_each(|entry| write_entry(out, entry));
        }
        Some(CertificateType::RawPublicKey) => {
            write_entry(out, credentials.certificate(CertificateType::RawPublicKey, 0).unwrap_or_default());
        }
        None => out.u24(0),
    }
}

fn write_entry(out: &mut Writer<'_>, entry: &[u8]) {
    out.u24(u32::try_from(entry.len()).unwrap_or(u32::MAX));
    out.bytes(entry);
}

/// Reads a CertificateRequest: `None` if it is malformed, else whether a P-256 key may answer it.
///
/// Whose certificates it asks for is not looked at: a device has one, and says who it is or nothing.
pub(crate) fn parse_request(body: &[u8]) -> Option<bool> {
    let mut body = Reader::new(body);
    let types = body.vec8()?;
    let algorithms = body.vec16()?;
    let _certificate_authorities = body.vec16()?;
    let sound = !types.is_empty() && algorithms.len() % 2 == 0 && body.is_empty();
    let ecdsa = has(types, ECDSA_SIGN)
        && algorithms.chunks_exact(2).any(|algorithm| algorithm == ECDSA_SECP256R1_SHA256.to_be_bytes());
    sound.then_some(ecdsa)
}

/// Writes a CertificateRequest: any P-256 key, whoever vouches for it.
pub(crate) fn write_request(out: &mut Writer<'_>) {
    out.vec8(|out| out.u8(ECDSA_SIGN));
    out.vec16(|out| out.u16(ECDSA_SECP256R1_SHA256));
    out.vec16(|_| {});
}

/// Reads a CertificateVerify: `None` if it is malformed, `Some(None)` if it is by an algorithm that was not offered
/// or no signature at all.
pub(crate) fn parse_verify(body: &[u8]) -> Option<Option<Signature>> {
    let mut body = Reader::new(body);
    let signed = DigitallySigned::read(&mut body)?;
    body.is_empty().then_some(signed.signature())
}

/// Writes a CertificateVerify.
pub(crate) fn write_verify(out: &mut Writer<'_>, signature: &Signature) {
    DigitallySigned::write(out, signature);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use sedge_crypto::RustCrypto;
    use std::vec::Vec;

    struct Own(&'static [&'static [u8]]);

    impl Credentials<RustCrypto> for Own {
        fn certificate(&self, _: CertificateType, index: usize) -> Option<&[u8]> {
            self.0.get(index).copied()
        }
    }

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buf = [0; 256];
        let mut out = Writer::new(&mut buf);
        write(&mut out);
        let len = out.finish().unwrap();
        buf[..len].to_vec()
    }

    #[test]
    fn chains_and_keys_are_read_as_written() {
        let own = Own(&[b"leaf", b"issuer"]);
        let chain = written(|out| write(out, Some(CertificateType::X509), &own));
        assert_eq!(chain, b"\0\0\x10\0\0\x04leaf\0\0\x06issuer");
        let read = parse(CertificateType::X509, &chain).unwrap().unwrap();
        assert_eq!(read.entries().collect::<Vec<_>>(), [&b"leaf"[..], b"issuer"]);

        let key = written(|out| write(out, Some(CertificateType::RawPublicKey), &own));
        assert_eq!(key, b"\0\0\x04leaf");
        let read = parse(CertificateType::RawPublicKey, &key).unwrap().unwrap();
        assert_eq!(read.entries().collect::<Vec<_>>(), [b"leaf"]);

        let nothing = written(|out| write(out, None, &own));
        for kind in [CertificateType::X509, CertificateType::RawPublicKey] {
            assert!(parse(kind, &nothing).unwrap().is_none());
        }
    }

    #[test]
    fn malformed_certificates_are_refused() {
        let own = Own(&[b"leaf", b"issuer"]);
        for kind in [CertificateType::X509, CertificateType::RawPublicKey] {
            let whole = written(|out| write(out, Some(kind), &own));
            assert!((0..whole.len()).all(|len| parse(kind, &whole[..len]).is_none()));
            assert!(parse(kind, &[&whole[..], &[0]].concat()).is_none());
        }
        let refused: [&[u8]; 4] =
            [b"\0\0\x03\0\0\0", b"\0\0\x02\0\0", b"\0\0\x05\0\0\x04abc", b"\0\0\x04\0\0\x02x"];
        for body in refused {
            assert!(parse(CertificateType::X509, body).is_none(), "{body:?}");
        }
    }

    #[test]
    fn requests_are_read_as_written_and_other_keys_are_noticed() {
        let request = written(write_request);
        assert_eq!(parse_request(&request), Some(true));
        assert!((0..request.len()).all(|len| parse_request(&request[..len]).is_none()));
        // rsa_sign with rsa_pkcs1_sha256, and authorities.
        assert_eq!(parse_request(b"\x01\x01\0\x02\x04\x01\0\x04\0\x02ab"), Some(false));
        // ecdsa_sign with ecdsa_secp384r1_sha384 only.
        assert_eq!(parse_request(b"\x02\x01\x40\0\x02\x05\x03\0\0"), Some(false));
        assert_eq!(parse_request(b"\x01\x40\0\x03\x04\x03\x05\0\0"), None);
    }

    #[test]
    fn signatures_are_read_as_written() {
        let signature = Signature::new([0x91; 64]);
        let body = written(|out| write_verify(out, &signature));
        assert_eq!(parse_verify(&body), Some(Some(signature)));
        assert!((0..body.len()).all(|len| parse_verify(&body[..len]).is_none()));
        assert_eq!(parse_verify(&[&[4, 1], &body[2..]].concat()), Some(None));
    }
}
