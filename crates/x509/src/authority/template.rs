//! What a certificate is to say.

use std::net::IpAddr;

use sedge_crypto::{PublicKey, subject_public_key_info};

use super::write;
use crate::certificate::ECDSA_WITH_SHA256;
use crate::extension::{
    AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, BasicConstraints, CLIENT_AUTH, EXTENDED_KEY_USAGE,
    ExtendedKeyUsage, KEY_USAGE, KeyUsage, SERVER_AUTH, SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER,
};
use crate::time::Validity;
use crate::{der, general_name};

/// What a certificate is to say: every field as it will be written, whether that makes sense or not.
///
/// [`client`](Self::client), [`server`](Self::server) and [`ca`](Self::ca) make what does; the fields may be changed
/// from there, which is how tests get certificates with faults.
///
/// ```
/// # use sedge_x509::{KeyUsage, Validity};
/// # use sedge_x509::authority::Template;
/// let year = Validity { not_before: 1_767_225_600, not_after: 1_798_761_599 };
/// let mut useless = Template::client("boiler-7", year);
/// useless.key_usage = Some(KeyUsage::KEY_AGREEMENT);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The subject's common name; without, the subject is empty.
    pub common_name: Option<String>,
    /// From when until when it is valid.
    pub validity: Validity,
    /// Whether the subject is a CA; without, the extension is left out.
    pub basic_constraints: Option<BasicConstraints>,
    /// What the key is for; without, the extension is left out.
    pub key_usage: Option<KeyUsage>,
    /// What the peer may do with the key; without, the extension is left out.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    /// The subject's names; with none, the extension is left out.
    pub alternative_names: Vec<AlternativeName>,
    /// Whether it says which key signs it, and, if it is a CA's, what its own key is called.
    pub key_identifiers: bool,
    /// Extensions that stand behind the others.
    pub further_extensions: Vec<RawExtension>,
}

/// A name of the subject besides its common name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A dNSName, in ASCII.
    Dns(String),
    /// A uniformResourceIdentifier, in ASCII.
    Uri(String),
    /// An iPAddress.
    Ip(IpAddr),
}

/// An extension, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawExtension {
    /// The content of its OBJECT IDENTIFIER.
    pub id: Vec<u8>,
    /// Whether who does not understand it has to refuse the certificate.
    pub critical: bool,
    /// The content of its OCTET STRING.
    pub value: Vec<u8>,
}

impl Template {
    /// For a client, such as a device: its name is the common name, and there is nothing that could be left out.
    ///
    /// With a name of 32 bytes the certificate has fewer than 400.
    pub fn client(name: impl Into<String>, validity: Validity) -> Self {
        Self {
            common_name: Some(name.into()),
            validity,
            basic_constraints: None,
            key_usage: Some(KeyUsage::DIGITAL_SIGNATURE),
            extended_key_usage: Some(ExtendedKeyUsage::CLIENT_AUTH),
            alternative_names: Vec::new(),
            key_identifiers: true,
            further_extensions: Vec::new(),
        }
    }

    /// For a server, which has these names besides its common name.
    pub fn server(name: impl Into<String>, names: Vec<AlternativeName>, validity: Validity) -> Self {
        Self {
            extended_key_usage: Some(ExtendedKeyUsage::SERVER_AUTH),
            alternative_names: names,
            ..Self::client(name, validity)
        }
    }

    /// For a CA below which at most so many further CAs may stand.
    pub fn ca(name: impl Into<String>, path_len: Option<u8>, validity: Validity) -> Self {
        Self {
            basic_constraints: Some(BasicConstraints { ca: true, path_len }),
            key_usage: Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN),
            extended_key_usage: None,
            ..Self::client(name, validity)
        }
    }

    /// The subject in DER.
    pub(super) fn subject(&self) -> Vec<u8> {
        let Some(name) = &self.common_name else { return write::sequence(&[]) };
        let name = write::element(der::UTF8_STRING, &[name.as_bytes()]);
        let attribute = write::sequence(&[&write::object_identifier(crate::name::COMMON_NAME), &name]);
        write::sequence(&[&write::element(der::SET, &[&attribute])])
    }

    /// `TBSCertificate` ([RFC 5280 section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
    pub(super) fn tbs(
        &self,
        serial: &[u8],
        issuer: &[u8],
        issuer_key_id: &[u8],
        key: &PublicKey,
        key_id: &[u8],
    ) -> Vec<u8> {
        let times = [write::time(self.validity.not_before), write::time(self.validity.not_after)];
        let extensions = self.extensions(issuer_key_id, key_id).concat();
        let explicit = match extensions.as_slice() {
            [] => Vec::new(),
            list => write::element(der::context_constructed(3), &[&write::sequence(&[list])]),
        };
        write::sequence(&[
            // Version 3, which is numbered 2.
            &write::element(der::context_constructed(0), &[&write::unsigned(&[2])]),
            &write::unsigned(serial),
            &write::sequence(&[ECDSA_WITH_SHA256]),
            issuer,
            &write::sequence(&[&times.concat()]),
            &self.subject(),
            &subject_public_key_info(key),
            &explicit,
        ])
    }

    fn extensions(&self, issuer_key_id: &[u8], key_id: &[u8]) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        if let Some(constraints) = self.basic_constraints {
            list.push(extension(BASIC_CONSTRAINTS, true, &basic_constraints(constraints)));
        }
        if let Some(usage) = self.key_usage {
            list.push(extension(KEY_USAGE, true, &write::named_bits(usage.bits())));
        }
        if let Some(usage) = self.extended_key_usage {
            list.push(extension(EXTENDED_KEY_USAGE, false, &extended_key_usage(usage)));
        }
        if !self.alternative_names.is_empty() {
            let names: Vec<u8> = self.alternative_names.iter().flat_map(AlternativeName::to_der).collect();
            // Without a subject these are the only names, and not to be overlooked.
            list.push(extension(SUBJECT_ALT_NAME, self.common_name.is_none(), &write::sequence(&[&names])));
        }
        if self.key_identifiers {
            if self.basic_constraints.is_some_and(|constraints| constraints.ca) {
                list.push(extension(SUBJECT_KEY_IDENTIFIER, false, &write::octet_string(key_id)));
            }
            let id = write::element(der::context(0), &[issuer_key_id]);
            list.push(extension(AUTHORITY_KEY_IDENTIFIER, false, &write::sequence(&[&id])));
        }
        list.extend(self.further_extensions.iter().map(|raw| extension(&raw.id, raw.critical, &raw.value)));
        list
    }
}

impl AlternativeName {
    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Dns(name) => write::element(general_name::DNS_NAME, &[name.as_bytes()]),
            Self::Uri(uri) => write::element(general_name::URI, &[uri.as_bytes()]),
            Self::Ip(IpAddr::V4(address)) => write::element(general_name::IP_ADDRESS, &[&address.octets()]),
            Self::Ip(IpAddr::V6(address)) => write::element(general_name::IP_ADDRESS, &[&address.octets()]),
        }
    }
}

pub(super) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    write::sequence(&[&write::object_identifier(id), critical, &write::octet_string(value)])
}

fn basic_constraints(constraints: BasicConstraints) -> Vec<u8> {
    let ca: &[u8] = if constraints.ca { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    let path_len = constraints.path_len.map(|len| write::unsigned(&[len])).unwrap_or_default();
    write::sequence(&[ca, &path_len])
}

fn extended_key_usage(usage: ExtendedKeyUsage) -> Vec<u8> {
    /// anyExtendedKeyUsage.
    const ANY: &[u8] = &[0x55, 0x1d, 37, 0];
    /// id-kp-codeSigning, for one.
    const OTHER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
    let purposes = [
        (ExtendedKeyUsage::SERVER_AUTH, SERVER_AUTH),
        (ExtendedKeyUsage::CLIENT_AUTH, CLIENT_AUTH),
        (ExtendedKeyUsage::ANY, ANY),
        (ExtendedKeyUsage::OTHER, OTHER),
    ];
    let chosen = purposes.iter().filter(|(purpose, _)| usage.contains(*purpose));
    let ids: Vec<u8> = chosen.flat_map(|(_, id)| write::object_identifier(id)).collect();
    write::sequence(&[&ids])
}
