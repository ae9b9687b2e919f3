//! Who the test's broker is, and whom it believes.

use sedge_client::{PublicKey, Secret};
use sedge_crypto::{Crypto, CryptoRng, RustCrypto, Signature, public_key_from_info, subject_public_key_info};
use sedge_dtls::{
    AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, TicketKeys, Verified,
};
use sedge_endpoint::{Host, SessionId};
use sedge_time::Duration;
use sedge_x509::{Expected, PinnedIssuer};

use super::broker::ClientAddress;
use super::{IDENTITY, KEY, TestRng};

/// What the broker sends, and who it is.
pub(crate) struct Server {
    pub(crate) sent: Vec<(u8, Vec<u8>)>,
    pub(crate) login: Login,
}

/// The broker's side of every way to authenticate.
pub(crate) struct Login {
    pub(crate) key: Secret<32>,
    /// Of the broker's own key.
    pub(crate) info: Vec<u8>,
    pub(crate) certificate: Option<Vec<u8>>,
    /// The raw key that it knows.
    pub(crate) device: Option<PublicKey>,
    /// Whoever this key has issued a certificate to.
    pub(crate) issuer: Option<PublicKey>,
    pub(crate) tickets: Option<TicketKeys>,
    /// Nobody may take up a session any more.
    pub(crate) revoked: bool,
}

/// The principals that the broker knows its clients as.
pub(crate) const BY_PSK: u32 = 1;
pub(crate) const BY_KEY: u32 = 2;
pub(crate) const BY_CERTIFICATE: u32 = 3;

impl Default for Server {
    fn default() -> Self {
        let key = Secret::new([0x51; 32]);
        let prepared = RustCrypto.signing_key(&key).unwrap();
        let info = subject_public_key_info(&RustCrypto.public_key(&prepared)).to_vec();
        let login = Login {
            key,
            info,
            certificate: None,
            device: None,
            issuer: None,
            tickets: Some(TicketKeys::new(&mut TestRng(4711))),
            revoked: false,
        };
        Self { sent: Vec::new(), login }
    }
}

impl Host<RustCrypto> for Server {
    type Path = ClientAddress;

    fn transmit(&mut self, path: &ClientAddress, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let mut datagram = vec![0; 1152];
        let len = fill(&mut datagram);
        datagram.truncate(len);
        if len > 0 {
            self.sent.push((path.0, datagram));
        }
        true
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<RustCrypto> {
        &self.login
    }
}

impl Credentials<RustCrypto> for &Login {
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        (identity == IDENTITY).then(|| (Psk::new(&KEY).unwrap(), BY_PSK))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match (kind, index) {
            (CertificateType::X509, 0) => self.certificate.as_deref(),
            (CertificateType::RawPublicKey, 0) => Some(&self.info),
            _ => None,
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&crypto.signing_key(&self.key).ok()?, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        match (self.device, self.issuer) {
            (None, None) => &[],
            (Some(_), None) => &[CertificateType::RawPublicKey],
            (None, Some(_)) => &[CertificateType::X509],
            (Some(_), Some(_)) => &[CertificateType::RawPublicKey, CertificateType::X509],
        }
    }

    fn verify(
        &mut self,
        crypto: &RustCrypto,
        shown: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let first = shown.entries().next().unwrap_or_default();
        let unknown = AlertDescription::CERTIFICATE_UNKNOWN;
        match shown.kind {
            CertificateType::RawPublicKey => {
                let key = public_key_from_info(first).ok().filter(|key| Some(*key) == self.device);
                key.map(|public_key| Verified { public_key, principal: BY_KEY }).ok_or(unknown)
            }
            CertificateType::X509 => {
                let issuer = PinnedIssuer::new(self.issuer.ok_or(unknown)?);
                let checked = issuer.verify(crypto, first, &Expected::client(), None);
                let public_key = *checked.map_err(|_| unknown)?.public_key();
                Ok(Verified { public_key, principal: BY_CERTIFICATE })
            }
        }
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        Some((self.tickets.as_ref()?, Duration::from_secs(3600)))
    }

    fn may_resume(&mut self, _: u32) -> bool {
        !self.revoked
    }
}
