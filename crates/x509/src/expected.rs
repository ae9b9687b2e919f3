//! What a peer's certificate is checked for.

use core::net::IpAddr;

use crate::certificate::Certificate;
use crate::error::Error;
use crate::extension::{ExtendedKeyUsage, KeyUsage};
use crate::general_name::{DNS_NAME, IP_ADDRESS, URI};

/// Which side of a handshake a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// The peer is the server.
    Server,
    /// The peer is the client.
    Client,
}

/// A name that the peer's certificate must have
/// ([RFC 9525](https://www.rfc-editor.org/rfc/rfc9525), with the common name as RFC 7925 still has it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerName<'a> {
    /// A host's or a device's name: a dNSName of the certificate, or the common name of one that lists no names.
    Dns(&'a str),
    /// A uniformResourceIdentifier of the certificate, byte for byte.
    Uri(&'a str),
    /// An iPAddress of the certificate.
    Ip(IpAddr),
}

impl<'a> PeerName<'a> {
    /// The host of a URI: an address, if it can be read as one, or else a name.
    pub fn of_host(host: &'a str) -> Self {
        host.parse().map_or(Self::Dns(host), Self::Ip)
    }
}

/// What a peer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expected<'a> {
    /// Which side of the handshake it is on.
    pub usage: Usage,
    /// Who it is, if that is known beforehand. If not, [`Certificate::peer_name`] tells afterwards.
    pub name: Option<PeerName<'a>>,
}

impl<'a> Expected<'a> {
    /// The server of this name.
    pub const fn server(name: PeerName<'a>) -> Self {
        Self { usage: Usage::Server, name: Some(name) }
    }

    /// Any client.
    pub const fn client() -> Self {
        Self { usage: Usage::Client, name: None }
    }

    /// Whether the key may sign for this side of a handshake, as far as the certificate limits it
    /// ([RFC 5280 section 4.2.1.12](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12): both extensions have
    /// to allow it).
    pub(crate) fn check_usage(&self, certificate: &Certificate<'_>) -> Result<(), Error> {
        let signs = certificate.key_usage().is_none_or(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE));
        if signs { self.check_side(certificate) } else { Err(Error::WrongUsage) }
    }

    /// Whether the extended key usage, if there is one, allows this side of a handshake.
    pub(crate) fn check_side(&self, certificate: &Certificate<'_>) -> Result<(), Error> {
        let needed = match self.usage {
            Usage::Server => ExtendedKeyUsage::SERVER_AUTH,
            Usage::Client => ExtendedKeyUsage::CLIENT_AUTH,
        };
        match certificate.extended_key_usage() {
            Some(usage) if !usage.contains(needed) && !usage.contains(ExtendedKeyUsage::ANY) => {
                Err(Error::WrongUsage)
            }
            _ => Ok(()),
        }
    }

    /// Whether the certificate has the expected name: byte for byte, but for the case of DNS names.
    pub(crate) fn check_name(&self, certificate: &Certificate<'_>) -> Result<(), Error> {
        let Some(name) = self.name else { return Ok(()) };
        let is_there = match (name, certificate.subject_alt_name()) {
            (PeerName::Dns(name), Some(names)) => {
                names.contains(DNS_NAME, |presented| is_same_dns_name(name, presented))
            }
            (PeerName::Dns(name), None) => {
                let common_name = certificate.subject().common_name_bytes();
                common_name.is_some_and(|presented| is_same_dns_name(name, presented))
            }
            (PeerName::Uri(uri), Some(names)) => names.contains(URI, |presented| presented == uri.as_bytes()),
            (PeerName::Ip(IpAddr::V4(address)), Some(names)) => {
                names.contains(IP_ADDRESS, |presented| presented == address.octets())
            }
            (PeerName::Ip(IpAddr::V6(address)), Some(names)) => {
                names.contains(IP_ADDRESS, |presented| presented == address.octets())
            }
            (_, None) => false,
        };
        if is_there { Ok(()) } else { Err(Error::WrongName) }
    }
}

/// A name may be written with a dot at its end, and in capitals.
fn is_same_dns_name(expected: &str, presented: &[u8]) -> bool {
    let expected = expected.strip_suffix('.').unwrap_or(expected);
    !expected.is_empty() && expected.as_bytes().eq_ignore_ascii_case(presented)
}
