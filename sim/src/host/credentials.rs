//! Who the simulated devices and their broker are.

use std::collections::BTreeMap;

use sedge_access::{Grants, Permissions, Subject, TopicPattern};
use sedge_client::{PublicKey, Secret, Security};
use sedge_crypto::{Crypto, CryptoRng, RustCrypto, Signature, public_key_from_info, subject_public_key_info};
use sedge_dtls::{AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, Verified};

use super::certificates::{self, Certificates};
use crate::Random;
use crate::network::NodeId;

/// How devices and the broker know each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SecurityMode {
    /// A pre-shared key for each device.
    #[default]
    Psk,
    /// A raw public key for each, in P-256.
    RawPublicKey,
    /// A certificate for each, of one CA that all believe.
    Certificate,
    /// Plain CoAP.
    None,
}

/// The keys of all devices and of the broker, which follow from the seed, and what each device may do.
pub(crate) struct Directory {
    mode: SecurityMode,
    seed: u64,
    broker_key: Secret<32>,
    broker_info: Vec<u8>,
    /// Whom a raw public key belongs to.
    by_key: BTreeMap<Vec<u8>, u32>,
    /// If they go by certificates.
    certificates: Option<Certificates>,
    /// What each device may do; of 0, the operator.
    subjects: Vec<Subject>,
    anyone: Subject,
}

impl Directory {
    /// Enrols so many devices, whose nodes count from 1.
    pub(crate) fn new(mode: SecurityMode, seed: u64, devices: u16) -> Self {
        let broker_key = signing_scalar(seed, 0);
        let broker_info = public_half(&broker_key).map_or(Vec::new(), |key| info(&key));
        let by_key = match mode {
            SecurityMode::RawPublicKey => (1..=devices)
                .filter_map(|node| {
                    let key = public_half(&signing_scalar(seed, node.into()))?;
                    Some((info(&key), u32::from(node)))
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        let certificates = (mode == SecurityMode::Certificate).then(|| certificates(seed, devices)).flatten();
        let operator = Subject::device("operator", &Grants::administrator());
        let device = |node| Subject::device(&identity(NodeId(node)), &rights(node));
        let subjects = std::iter::once(operator).chain((1..=devices).map(device)).collect();
        let anyone = Subject::anyone(&Grants::none());
        Self { mode, seed, broker_key, broker_info, by_key, certificates, subjects, anyone }
    }

    /// What somebody may do; on plain CoAP, everyone may do everything.
    pub(crate) fn subject(&self, principal: u32) -> &Subject {
        if self.is_plain() {
            return self.operator();
        }
        let known = (principal > 0).then(|| self.subjects.get(principal as usize)).flatten();
        known.unwrap_or(&self.anyone)
    }

    /// Who may do everything.
    pub(crate) fn operator(&self) -> &Subject {
        &self.subjects[0]
    }

    /// Gives a device what it needs to sign in.
    pub(crate) fn with_security<R>(&self, node: NodeId, use_it: impl FnOnce(Security<'_>) -> R) -> R {
        let identity = identity(node);
        match self.mode {
            SecurityMode::Psk => {
                let key = Psk::new(&psk(self.seed, node.0)).unwrap_or_else(|| unreachable!("16 bytes"));
                use_it(Security::Psk { identity: identity.as_bytes(), key })
            }
            SecurityMode::RawPublicKey => {
                let broker = public_half(&self.broker_key).unwrap_or_else(|| unreachable!("made by us"));
                use_it(Security::raw_public_key(signing_scalar(self.seed, node.0.into()), broker))
            }
            SecurityMode::Certificate => {
                let all =
                    self.certificates.as_ref().unwrap_or_else(|| unreachable!("made with the directory"));
                let key = signing_scalar(self.seed, node.0.into());
                use_it(Security::certificate(all.of(node.0), key, all.issuer(), certificates::BROKER))
            }
            SecurityMode::None => use_it(Security::DangerousNone),
        }
    }

    /// The number of the device of this name, if there is one.
    fn device(&self, name: &str) -> Option<u32> {
        number(name).filter(|number| (1..self.subjects.len()).contains(&(*number as usize)))
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.mode == SecurityMode::None
    }
}

/// Certificates for the broker and so many devices.
fn certificates(seed: u64, devices: u16) -> Option<Certificates> {
    let named = |node: u16| {
        let name = if node == 0 { certificates::BROKER.into() } else { identity(NodeId(node)) };
        Some((name, public_half(&signing_scalar(seed, node.into()))?))
    };
    // No node has so high a number.
    let authority = signing_scalar(seed, u32::MAX);
    Certificates::issue(seed, authority, (0..=devices).filter_map(named))
}

/// The device of this name.
fn number(identity: &str) -> Option<u32> {
    Some(identity.strip_prefix('n')?.parse::<u16>().ok()?.into())
}

/// A device's own topics are its own to publish to, and everyone reads what is for the fleet.
fn rights(node: u16) -> Grants {
    let pattern =
        |text: &str| TopicPattern::new(text).unwrap_or_else(|_| unreachable!("{text} is a pattern"));
    Grants::none()
        .with(pattern(&format!("node/{node}/#")), Permissions::PUBLISH)
        .with(pattern("fleet/#"), Permissions::READ)
        .with(pattern("node/#"), Permissions::READ)
}

fn identity(node: NodeId) -> String {
    format!("n{}", node.0)
}

fn psk(seed: u64, node: u16) -> [u8; 16] {
    let mut random = Random::for_part(seed ^ 0x70_736b, node.into());
    let mut key = [0; 16];
    for half in key.chunks_mut(8) {
        half.copy_from_slice(&random.bits().to_be_bytes());
    }
    key
}

/// A private key: any number below the order of the curve, which one that begins with a zero is.
fn signing_scalar(seed: u64, node: u32) -> Secret<32> {
    let mut random = Random::for_part(seed ^ 0x72_706b, node.into());
    let mut scalar = [0; 32];
    for part in scalar[1..].chunks_mut(8) {
        part.copy_from_slice(&random.bits().to_be_bytes()[..part.len()]);
    }
    Secret::new(scalar)
}

fn public_half(scalar: &Secret<32>) -> Option<PublicKey> {
    Some(RustCrypto.public_key(&RustCrypto.signing_key(scalar).ok()?))
}

fn info(key: &PublicKey) -> Vec<u8> {
    subject_public_key_info(key).to_vec()
}

/// The broker's side of a handshake.
impl Credentials<RustCrypto> for &Directory {
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        let number = self.device(str::from_utf8(identity).ok()?)?;
        let known = self.mode == SecurityMode::Psk;
        known.then(|| Psk::new(&psk(self.seed, number as u16)).map(|key| (key, number))).flatten()
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match (self.mode, kind, index) {
            (SecurityMode::RawPublicKey, CertificateType::RawPublicKey, 0) => Some(&self.broker_info),
            (SecurityMode::Certificate, CertificateType::X509, 0) => Some(self.certificates.as_ref()?.of(0)),
            _ => None,
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&crypto.signing_key(&self.broker_key).ok()?, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        match self.mode {
            SecurityMode::RawPublicKey => &[CertificateType::RawPublicKey],
            SecurityMode::Certificate => &[CertificateType::X509],
            _ => &[],
        }
    }

    fn verify(&mut self, _: &RustCrypto, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        if let Some(certificates) = &self.certificates {
            return certificates.verify(shown, super::broker::EPOCH, |name| self.device(name));
        }
        let first = shown.entries().next().unwrap_or_default();
        let unknown = AlertDescription::CERTIFICATE_UNKNOWN;
        let principal = *self.by_key.get(first).ok_or(unknown)?;
        let public_key = public_key_from_info(first).map_err(|_| unknown)?;
        Ok(Verified { public_key, principal })
    }
}
