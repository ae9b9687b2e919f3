//! Keys that others bring: bare, or in a request.

use pki_types::{CertificateSigningRequestDer, SubjectPublicKeyInfoDer};
use sedge_crypto::{Crypto, Hash as _, PublicKey, Signature};

use crate::certificate::{ECDSA_WITH_SHA256, public_key};
use crate::der;
use crate::error::Error;
use crate::name::Name;
use crate::pem::objects;

/// The public key in a file of PEM (`PUBLIC KEY`) or DER: a SubjectPublicKeyInfo.
pub fn public_key_of_file(file: &[u8]) -> Result<PublicKey, Error> {
    let info = one::<SubjectPublicKeyInfoDer<'static>>(file)?;
    public_key(der::single(der::SEQUENCE, &info)?)
}

/// The public key in a request for a certificate, in a file of PEM or DER (PKCS#10,
/// [RFC 2986](https://www.rfc-editor.org/rfc/rfc2986)), whose signature shows that the sender has the private one.
///
/// Nothing else of it counts: what a certificate says is the CA's decision.
pub fn public_key_of_request<C: Crypto>(crypto: &C, file: &[u8]) -> Result<PublicKey, Error> {
    let request = one::<CertificateSigningRequestDer<'static>>(file)?;
    // CertificationRequest ::= SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature }
    let mut reader = der::single(der::SEQUENCE, &request)?.reader();
    let info = reader.expect(der::SEQUENCE)?;
    let algorithm = reader.expect(der::SEQUENCE)?.content;
    let signature = reader.octet_aligned_bits()?;
    reader.end()?;
    // CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, attributes [0] }
    let mut fields = info.reader();
    let version = fields.byte()?;
    Name::parse(fields.expect(der::SEQUENCE)?)?;
    let key = public_key(fields.expect(der::SEQUENCE)?)?;
    fields.optional(der::context_constructed(0))?;
    fields.end()?;
    if version != 0 {
        return Err(Error::Malformed);
    }
    if algorithm != ECDSA_WITH_SHA256 {
        return Err(Error::UnsupportedAlgorithm);
    }
    let signature = Signature::from_der(signature).map_err(|_| Error::Malformed)?;
    let mut hash = crypto.sha256();
    hash.update(info.der);
    crypto.verify(&key, &hash.finish(), &signature).map_err(|_| Error::BadSignature)?;
    Ok(key)
}

fn one<T: pki_types::pem::PemObject + From<Vec<u8>>>(file: &[u8]) -> Result<T, Error> {
    let mut found = objects::<T>(file).map_err(|_| Error::Malformed)?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Error::Malformed),
    }
}
