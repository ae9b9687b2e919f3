//! The check that a device can afford: one issuer, known by its key.

use sedge_crypto::{Crypto, PublicKey};

use crate::certificate::Certificate;
use crate::error::Error;
use crate::expected::Expected;

/// The one key that a device believes.
///
/// A peer is believed if this key has signed its certificate, or is the key in its certificate. There are no chains,
/// no lists of revoked certificates and no wildcards: who needs those has a host's resources, and `Verifier`.
///
/// ```
/// # use sedge_crypto::{PublicKey, RustCrypto};
/// # use sedge_x509::{Certificate, Error, Expected, PeerName, PinnedIssuer};
/// # fn check(issuer: PublicKey, shown: &[u8], now: Option<u64>) -> Result<PublicKey, Error> {
/// let issuer = PinnedIssuer::new(issuer);
/// let broker = Expected::server(PeerName::Dns("broker.example"));
/// let certificate = issuer.verify(&RustCrypto, shown, &broker, now)?;
/// Ok(*certificate.public_key())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedIssuer {
    key: PublicKey,
}

impl PinnedIssuer {
    /// Believes what this key has signed.
    pub const fn new(key: PublicKey) -> Self {
        Self { key }
    }

    /// Checks the peer's certificate and gives it back.
    ///
    /// `certificate` is the first that the peer sent; the rest does not matter here. `now` is in seconds since 1970.
    /// A device that does not know the time cannot tell what has expired.
    ///
    /// The certificate must
    /// - be signed by the pinned key, or have it as its own. In the latter case it is the peer's own statement, and
    ///   may be that of a CA: only who holds the pinned key can go on with the handshake,
    /// - otherwise not be that of a CA,
    /// - be valid at this time,
    /// - be for what is expected: its key usage and extended key usage, where it has them, allow to sign for this
    ///   side of a handshake, and it has the expected name, without wildcards.
    pub fn verify<'a, C: Crypto>(
        &self,
        crypto: &C,
        certificate: &'a [u8],
        expected: &Expected<'_>,
        now: Option<u64>,
    ) -> Result<Certificate<'a>, Error> {
        let certificate = Certificate::parse(certificate)?;
        // The cheap checks first: nobody has proved anything yet.
        if let Some(now) = now {
            certificate.validity().check(now)?;
        }
        let is_pinned = *certificate.public_key() == self.key;
        if certificate.basic_constraints().ca && !is_pinned {
            return Err(Error::IsCa);
        }
        expected.check_usage(&certificate)?;
        expected.check_name(&certificate)?;
        if !is_pinned {
            // Another issuer's signature looks the same as a broken one. The former is what happens.
            certificate.verify_signature(crypto, &self.key).map_err(|_| Error::UnknownIssuer)?;
        }
        Ok(certificate)
    }
}
