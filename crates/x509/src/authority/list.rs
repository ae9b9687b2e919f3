//! Lists of revoked certificates.

use super::issuer::SerialNumber;
use super::template::extension;
use super::write;
use crate::certificate::ECDSA_WITH_SHA256;
use crate::der;
use crate::extension::AUTHORITY_KEY_IDENTIFIER;

/// What a list of revoked certificates is to say
/// ([RFC 5280 section 5.1](https://www.rfc-editor.org/rfc/rfc5280#section-5.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Which of the CA's lists it is: each has a higher number than the one before.
    pub number: u64,
    /// When it was made, in seconds since 1970.
    pub this_update: u64,
    /// When the next one will be there, and this one no longer be believed.
    pub next_update: u64,
    /// The revoked certificates, and since when they are.
    pub revoked: Vec<(SerialNumber, u64)>,
}

/// id-ce-cRLNumber.
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];

impl RevocationList {
    /// `TBSCertList`.
    pub(super) fn tbs(&self, issuer: &[u8], key_id: &[u8]) -> Vec<u8> {
        let entry = |(serial, since): &(SerialNumber, u64)| {
            write::sequence(&[&write::unsigned(serial.as_bytes()), &write::time(*since)])
        };
        let entries: Vec<u8> = self.revoked.iter().flat_map(entry).collect();
        // An empty list is left out.
        let entries = if entries.is_empty() { entries } else { write::sequence(&[&entries]) };
        let key_id = write::sequence(&[&write::element(der::context(0), &[key_id])]);
        let extensions = write::sequence(&[
            &extension(AUTHORITY_KEY_IDENTIFIER, false, &key_id),
            &extension(CRL_NUMBER, false, &write::unsigned(&self.number.to_be_bytes())),
        ]);
        write::sequence(&[
            // Version 2, which is numbered 1.
            &write::unsigned(&[1]),
            &write::sequence(&[ECDSA_WITH_SHA256]),
            issuer,
            &write::time(self.this_update),
            &write::time(self.next_update),
            &entries,
            &write::element(der::context_constructed(0), &[&extensions]),
        ])
    }
}
