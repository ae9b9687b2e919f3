//! Who takes part: keys, certificates, and whom they believe.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use std::rc::Rc;

use sedge_crypto::*;
use sedge_dtls::*;
use sedge_time::Duration;

pub use crate::support::{IDENTITY, KEY, PRINCIPAL, TestRng, Watched};

pub const PSK_PRINCIPAL: u32 = PRINCIPAL;
pub const KEY_PRINCIPAL: u32 = 42;
pub const SERVER_PRINCIPAL: u32 = 43;
pub const SERVER_KEY: u8 = 0x51;
pub const CLIENT_KEY: u8 = 0x52;

pub fn signing_key(seed: u8) -> RustSigningKey {
    RustCrypto.signing_key(&Secret::new([seed; 32])).unwrap()
}

/// What stands for a public key: bare, or in an envelope that stands for a certificate of this length.
pub fn shown(kind: CertificateType, seed: u8, length: usize) -> Vec<u8> {
    let info = subject_public_key_info(&RustCrypto.public_key(&signing_key(seed)));
    match kind {
        CertificateType::RawPublicKey => info.to_vec(),
        CertificateType::X509 => [&info[..], &vec![seed; length]].concat(),
    }
}

/// One side's credentials.
#[derive(Clone)]
pub struct Party {
    pub identity: Vec<u8>,
    pub psk: Option<Psk>,
    /// The keys that a server knows.
    pub known: Vec<(Vec<u8>, Psk, u32)>,
    pub key: Option<u8>,
    pub kinds: Vec<CertificateType>,
    pub believes: Vec<CertificateType>,
    /// Whose key is believed, and who that is.
    pub peer: (u8, u32),
    pub server_name: Option<String>,
    /// How long a certificate is that is no raw public key, and its issuer's.
    pub certificate_len: usize,
    pub entries: Vec<(CertificateType, Vec<u8>)>,
    pub tickets: Option<(Rc<TicketKeys>, Duration)>,
    pub wants_tickets: bool,
    pub resumption: Option<Resumption>,
    pub revoked: Vec<u32>,
}

impl Party {
    pub fn new() -> Self {
        Self {
            identity: IDENTITY.to_vec(),
            psk: None,
            known: Vec::new(),
            key: None,
            kinds: Vec::new(),
            believes: Vec::new(),
            peer: (0, 0),
            server_name: None,
            certificate_len: 300,
            entries: Vec::new(),
            tickets: None,
            wants_tickets: false,
            resumption: None,
            revoked: Vec::new(),
        }
    }

    /// A client with a pre-shared key.
    pub fn psk_client() -> Self {
        Self { psk: Psk::new(&KEY), ..Self::new() }
    }

    /// A server that knows it.
    pub fn psk_server() -> Self {
        let known = vec![(IDENTITY.to_vec(), Psk::new(&KEY).unwrap(), PSK_PRINCIPAL)];
        Self { known, ..Self::new() }
    }

    /// Shows a key in this way.
    pub fn shows(mut self, kind: CertificateType, key: u8) -> Self {
        self.key = Some(key);
        self.kinds.push(kind);
        self.entries.push((kind, shown(kind, key, self.certificate_len)));
        if kind == CertificateType::X509 {
            self.entries.push((kind, vec![0x30; self.certificate_len]));
        }
        self
    }

    /// Believes a key that is shown in this way.
    pub fn believes(mut self, kind: CertificateType, key: u8, principal: u32) -> Self {
        self.believes.push(kind);
        self.peer = (key, principal);
        self
    }
}

impl Credentials<Watched> for Party {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        Some((&self.identity, self.psk.as_ref()?))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        let (_, psk, principal) = self.known.iter().find(|(known, ..)| known == identity)?;
        Some((psk.clone(), *principal))
    }

    fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        self.entries.iter().filter(|(entry, _)| *entry == kind).nth(index).map(|(_, bytes)| &bytes[..])
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &Watched,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        Crypto::sign(crypto, &signing_key(self.key?), digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &self.believes
    }

    fn verify(
        &mut self,
        _: &Watched,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let (key, principal) = self.peer;
        let public_key = RustCrypto.public_key(&signing_key(key));
        let info = subject_public_key_info(&public_key);
        let entry = certificate.entries().next().unwrap();
        match entry.starts_with(&info) && self.believes.contains(&certificate.kind) {
            true => Ok(Verified { public_key, principal }),
            false => Err(AlertDescription::BAD_CERTIFICATE),
        }
    }

    fn may_resume(&mut self, principal: u32) -> bool {
        !self.revoked.contains(&principal)
    }

    fn remember(&mut self, resumption: &Resumption) {
        self.resumption = Some(resumption.clone());
    }

    fn recall(&mut self, session_id: &[u8]) -> Option<Resumption> {
        assert_eq!(session_id, b"");
        self.resumption.clone()
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        let (keys, lifetime) = self.tickets.as_ref()?;
        Some((keys, *lifetime))
    }

    fn wants_tickets(&self) -> bool {
        self.wants_tickets
    }
}
