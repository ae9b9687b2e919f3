//! How a client and its server know each other.

use core::fmt;

use sedge_crypto::{PublicKey, Secret};
use sedge_dtls::Psk;

/// How a client and its server know each other.
#[derive(Clone, Debug)]
pub enum Security<'a> {
    /// DTLS with a pre-shared key.
    Psk {
        /// The identity that is presented in the handshake.
        identity: &'a [u8],
        /// The key that belongs to it.
        key: Psk,
    },
    /// DTLS with public keys: raw ones ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)) or certificates, either
    /// kind on either side. Takes a [`Profile`](sedge_dtls::Profile) with
    /// [`CERTIFICATES`](sedge_dtls::Profile::CERTIFICATES).
    PublicKey {
        /// Who the client is.
        own: Identity<'a>,
        /// Whom it takes for its server.
        server: Trust<'a>,
    },
    /// Plain CoAP: anyone on the way can read and change everything.
    DangerousNone,
}

impl<'a> Security<'a> {
    /// A client with a raw public key, which knows the key of its server. Both are in P-256; `key` is the private one
    /// of the client, a number of 32 bytes in big-endian order.
    pub const fn raw_public_key(key: Secret<32>, server: PublicKey) -> Self {
        Self::PublicKey { own: Identity::RawPublicKey { key }, server: Trust::Key(server) }
    }

    /// A client with a certificate, which believes the certificate that `issuer` has issued for `server_name`.
    pub const fn certificate(
        chain: &'a [u8],
        key: Secret<32>,
        issuer: PublicKey,
        server_name: &'a str,
    ) -> Self {
        let own = Identity::Certificate { chain, key };
        Self::PublicKey { own, server: Trust::Issuer { key: issuer, server_name } }
    }
}

/// Who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// Nobody: only the server shows who it is.
    Anonymous,
    /// The holder of a private key in P-256, whose public half the server knows.
    RawPublicKey {
        /// The private key: a number of 32 bytes in big-endian order.
        key: Secret<32>,
    },
    /// The holder of a certificate.
    Certificate {
        /// The client's own certificate in DER, and after it those of its issuers that the server may not know, one
        /// behind the other.
        chain: &'a [u8],
        /// The private key that goes with the first: a number of 32 bytes in big-endian order.
        key: Secret<32>,
    },
}

/// Whom a client takes for its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Whoever holds this key, shown as a raw public key.
    Key(PublicKey),
    /// Whoever has a certificate with this name, issued by this key itself (see
    /// [`PinnedIssuer`](sedge_x509::PinnedIssuer)).
    Issuer {
        /// The public key of the issuer.
        key: PublicKey,
        /// The name or the IP address of the server, as the certificate has it.
        server_name: &'a str,
    },
}

/// Why a client cannot be what its [`Security`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityError {
    /// The identity, or the name of the server, is longer than the memory for it.
    NameTooLong,
    /// The certificates are longer than the memory for them.
    ChainTooLong,
    /// There is no certificate in the chain, or something that is none.
    Chain,
    /// The private key is none of P-256.
    Key,
    /// The profile has no certificates and raw public keys, or the memory none for certificates.
    NotInProfile,
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameTooLong => "a name is longer than the memory for it",
            Self::ChainTooLong => "the certificates are longer than the memory for them",
            Self::Chain => "the certificate chain is no chain of certificates",
            Self::Key => "the private key is not one of P-256",
            Self::NotInProfile => "this client can do nothing but pre-shared keys",
        })
    }
}

impl core::error::Error for SecurityError {}

/// Why a server was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBelieved {
    /// Its key is not the one that is pinned.
    WrongKey,
    /// What is wrong with its certificate.
    Certificate(sedge_x509::Error),
}

impl fmt::Display for NotBelieved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey => f.write_str("its public key is not the one that was pinned"),
            Self::Certificate(error) => error.fmt(f),
        }
    }
}

/// The certificates in a row of them, each in DER; `None` in place of what is none.
pub(crate) fn certificates(mut chain: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    core::iter::from_fn(move || {
        if chain.is_empty() {
            return None;
        }
        let len = sequence_len(chain).filter(|len| *len <= chain.len());
        let (first, rest) = chain.split_at_checked(len.unwrap_or(chain.len()))?;
        chain = rest;
        Some(len.map(|_| first))
    })
}

/// The length of a SEQUENCE in DER, with its header.
fn sequence_len(der: &[u8]) -> Option<usize> {
    match *der {
        [0x30, len @ 0..=0x7f, ..] => Some(2 + usize::from(len)),
        [0x30, 0x81, len @ 0x80..=0xff, ..] => Some(3 + usize::from(len)),
        [0x30, 0x82, high @ 1..=0xff, low, ..] => Some(4 + usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_falls_into_its_certificates() {
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        let middle = [&[0x30, 0x81, 0x80][..], &[7; 128]].concat();
        let chain = [&long[..], &[0x30, 1, 5], &middle].concat();
        let parts: std::vec::Vec<_> = certificates(&chain).collect();
        assert_eq!(parts, [Some(&long[..]), Some(&[0x30, 1, 5]), Some(&middle)]);
        assert_eq!(certificates(&[]).count(), 0);
        for broken in [&chain[..chain.len() - 1], &chain[1..], &[0x30], &[0x30, 0x80], &[0x30, 0x81, 5]] {
            assert!(certificates(broken).any(|part| part.is_none()), "{broken:02x?}");
        }
    }
}
