//! The certificates of simulated devices and of their broker, by a CA of their own.

use sedge_client::{PublicKey, Secret};
use sedge_crypto::RustCrypto;
use sedge_dtls::{AlertDescription, PeerCertificate, Verified};
use sedge_x509::authority::{AlternativeName, Issuer, PrivateKey, SerialNumber, Template};
use sedge_x509::{Expected, TrustAnchors, Validity, Verifier};

use super::random::SimulatedRng;
use crate::Random;

/// The name that devices expect in the broker's certificate.
pub(super) const BROKER: &str = "broker.sim";

/// Who has issued what, and the check that the broker makes, which is the real one's.
pub(super) struct Certificates {
    issuer: PublicKey,
    /// By number; 0 is the broker's.
    issued: Vec<Vec<u8>>,
    verifier: Verifier<RustCrypto>,
}

impl Certificates {
    /// Certificates for these keys: the broker's first, then those of the devices by their names.
    pub(super) fn issue(
        seed: u64,
        ca: Secret<32>,
        keys: impl Iterator<Item = (String, PublicKey)>,
    ) -> Option<Self> {
        let mut rng = SimulatedRng(Random::for_part(seed ^ 0x7835_3039, 0));
        // All runs lie within it.
        let validity = Validity { not_before: 0, not_after: Validity::WITHOUT_END };
        let (name, key) = (Template::ca("Simulated CA", Some(0), validity), PrivateKey::new(ca));
        let serial = |number: usize| SerialNumber::new(&(number as u64 + 1).to_be_bytes());
        let (issuer, root) = Issuer::self_signed(RustCrypto, &key, &name, &serial(0), &mut rng).ok()?;
        let certificate = |(number, (name, key)): (usize, (String, PublicKey))| {
            let template = match number {
                0 => Template::server(name.clone(), vec![AlternativeName::Dns(name)], validity),
                _ => Template::client(name, validity),
            };
            issuer.issue(&template, &serial(number + 1), &key, &mut rng).ok()
        };
        let issued = keys.enumerate().map(certificate).collect::<Option<Vec<_>>>()?;
        let mut anchors = TrustAnchors::default();
        anchors.add(&root).ok()?;
        Some(Self { issuer: issuer.public_key(), issued, verifier: Verifier::new(RustCrypto, anchors) })
    }

    /// The key that devices believe.
    pub(super) const fn issuer(&self) -> PublicKey {
        self.issuer
    }

    /// The certificate of a device; of 0, the broker's.
    pub(super) fn of(&self, number: u16) -> &[u8] {
        self.issued.get(usize::from(number)).map_or(&[], Vec::as_slice)
    }

    /// Whose certificate a device has shown; `who` finds it by its name.
    pub(super) fn verify(
        &self,
        shown: &PeerCertificate<'_>,
        now: u64,
        who: impl FnOnce(&str) -> Option<u32>,
    ) -> Result<Verified, AlertDescription> {
        let certificate = self.verifier.verify(shown.entries(), &Expected::client(), now);
        let certificate = certificate.map_err(|error| AlertDescription(error.alert()))?;
        let principal = certificate.peer_name().and_then(who).ok_or(AlertDescription::CERTIFICATE_UNKNOWN)?;
        Ok(Verified { public_key: *certificate.public_key(), principal })
    }
}
