//! Who the two sides are, and whom they believe.

use std::collections::HashMap;
use std::sync::LazyLock;

use sedge_crypto::{
    Crypto, CryptoRng, PublicKey, Secret, Signature, public_key_from_info, subject_public_key_info,
};
use sedge_dtls::*;
use sedge_time::Duration;
use sedge_x509::authority::{AlternativeName, Issuer, PrivateKey, SerialNumber, Template};
use sedge_x509::{Expected, PeerName, PinnedIssuer, Validity};

use crate::support::{IDENTITY, KEY, PRINCIPAL, TestRng, Watched};

/// The principal of whoever authenticates with a key of its own.
pub const KEY_HOLDER: u32 = 77;
pub const SERVER_NAME: &str = "broker.example";
const ALWAYS: Validity = Validity { not_before: 0, not_after: Validity::WITHOUT_END };

/// A root and a chain for each side: the side's own certificate, and the root's.
static CHAINS: LazyLock<Chains> = LazyLock::new(|| {
    let rng = &mut TestRng(77);
    let root = PrivateKey::generate(&Watched, rng).unwrap();
    let template = Template::ca("Root", None, ALWAYS);
    let (issuer, der) =
        Issuer::self_signed(Watched, &root, &template, &SerialNumber::random(rng), rng).unwrap();
    let names = vec![AlternativeName::Dns(SERVER_NAME.into())];
    let mut chain = |template: Template, scalar: [u8; 32]| {
        let serial = SerialNumber::random(rng);
        vec![issuer.issue(&template, &serial, &public(scalar), rng).unwrap(), der.clone()]
    };
    let server = chain(Template::server("broker", names, ALWAYS), SERVER_SCALAR);
    let client = chain(Template::client("boiler-7", ALWAYS), CLIENT_SCALAR);
    Chains { server, client, issuer: issuer.public_key() }
});

struct Chains {
    server: Vec<Vec<u8>>,
    client: Vec<Vec<u8>>,
    issuer: PublicKey,
}

pub const SERVER_SCALAR: [u8; 32] = [0x51; 32];
pub const CLIENT_SCALAR: [u8; 32] = [0x52; 32];

fn public(scalar: [u8; 32]) -> PublicKey {
    Watched.public_key(&Watched.signing_key(&Secret::new(scalar)).unwrap())
}

/// What one side has and believes.
pub struct Party {
    role: Role,
    pub psk: Option<Psk>,
    pub signing_key: <Watched as Crypto>::SigningKey,
    pub chain: Vec<Vec<u8>>,
    pub raw_public_key: Option<Vec<u8>>,
    pub believes: Vec<CertificateType>,
    pub pinned: PublicKey,
    pub server_name: Option<&'static str>,
    pub tickets: Option<(TicketKeys, Duration)>,
    pub wants_tickets: bool,
    pub session_cache: Option<Duration>,
    pub sessions: HashMap<Vec<u8>, Resumption>,
    pub withdrawn: Vec<u32>,
    /// How often a certificate was looked at.
    pub verified: usize,
}

impl Party {
    /// With nothing but a key that nobody knows of.
    pub fn new(role: Role) -> Self {
        let (own, peer) = match role {
            Role::Client => (CLIENT_SCALAR, SERVER_SCALAR),
            Role::Server => (SERVER_SCALAR, CLIENT_SCALAR),
        };
        Self {
            role,
            psk: None,
            signing_key: Watched.signing_key(&Secret::new(own)).unwrap(),
            chain: Vec::new(),
            raw_public_key: None,
            believes: Vec::new(),
            pinned: public(peer),
            server_name: (role == Role::Client).then_some(SERVER_NAME),
            tickets: None,
            wants_tickets: false,
            session_cache: None,
            sessions: HashMap::new(),
            withdrawn: Vec::new(),
            verified: 0,
        }
    }

    pub fn with_psk(mut self) -> Self {
        self.psk = Psk::new(&KEY);
        self
    }

    /// Shows what it has of this kind.
    pub fn showing(mut self, kind: CertificateType) -> Self {
        match kind {
            CertificateType::X509 => {
                self.chain = match self.role {
                    Role::Server => CHAINS.server.clone(),
                    Role::Client => CHAINS.client.clone(),
                };
            }
            CertificateType::RawPublicKey => {
                let key = Watched.public_key(&self.signing_key);
                self.raw_public_key = Some(subject_public_key_info(&key).to_vec());
            }
        }
        self
    }

    /// Believes the peer's certificate of this kind.
    pub fn believing(mut self, kind: CertificateType) -> Self {
        self.believes.push(kind);
        self
    }

    pub fn with_tickets(mut self) -> Self {
        self.tickets = Some((TicketKeys::new(&mut TestRng(5)), Duration::from_secs(3_600)));
        self.wants_tickets = true;
        self
    }

    pub fn with_cache(mut self) -> Self {
        self.session_cache = Some(Duration::from_secs(3_600));
        self
    }
}

impl Credentials<Watched> for Party {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.psk.as_ref().map(|psk| (IDENTITY, psk))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self.psk.clone().filter(|_| identity == IDENTITY).map(|psk| (psk, PRINCIPAL))
    }

    fn server_name(&self) -> Option<&str> {
        self.server_name
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match kind {
            CertificateType::X509 => self.chain.get(index).map(Vec::as_slice),
            CertificateType::RawPublicKey => self.raw_public_key.as_deref().filter(|_| index == 0),
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &Watched,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.signing_key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &self.believes
    }

    fn verify(
        &mut self,
        crypto: &Watched,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        self.verified += 1;
        let shown = certificate.entries().next().unwrap();
        let public_key = match certificate.kind {
            CertificateType::X509 => {
                let expected = match self.role {
                    Role::Client => Expected::server(PeerName::Dns(SERVER_NAME)),
                    Role::Server => Expected::client(),
                };
                let issuer = PinnedIssuer::new(CHAINS.issuer);
                let certificate = issuer.verify(crypto, shown, &expected, None);
                *certificate.map_err(|error| AlertDescription(error.alert()))?.public_key()
            }
            CertificateType::RawPublicKey => public_key_from_info(shown)
                .ok()
                .filter(|key| *key == self.pinned)
                .ok_or(AlertDescription::CERTIFICATE_UNKNOWN)?,
        };
        Ok(Verified { public_key, principal: KEY_HOLDER })
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        self.tickets.as_ref().map(|(keys, lifetime)| (keys, *lifetime))
    }

    fn session_cache(&self) -> Option<Duration> {
        self.session_cache
    }

    fn wants_tickets(&self) -> bool {
        self.wants_tickets
    }

    fn remember(&mut self, resumption: &Resumption) {
        let place = match self.role {
            Role::Client => Vec::new(),
            Role::Server => resumption.session_id().to_vec(),
        };
        let _ = self.sessions.insert(place, resumption.clone());
    }

    fn recall(&mut self, session_id: &[u8]) -> Option<Resumption> {
        self.sessions.get(session_id).cloned()
    }

    fn may_resume(&mut self, principal: u32) -> bool {
        !self.withdrawn.contains(&principal)
    }
}
