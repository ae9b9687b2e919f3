//! What the two speak and how they authenticate.

use std::sync::LazyLock;

use sedge_crypto::{
    Crypto, CryptoRng, NamedGroup, PublicKey, RustCrypto, Secret, Signature, subject_public_key_info,
};
use sedge_dtls::{
    AlertDescription, CertificateType, CipherSuite, ClientConfig, ConnectionId, Credentials, PeerCertificate,
    Psk, ServerConfig, Verified, Versions,
};

/// The identity that pre-shared keys here go with.
pub const IDENTITY: &[u8] = b"device-7";

/// Its key.
pub fn psk() -> Psk {
    Psk::new(b"0123456789abcdef").expect("16 bytes")
}

const CLIENT_KEY: [u8; 32] = [0x52; 32];
const SERVER_KEY: [u8; 32] = [0x51; 32];

/// What the two speak and how they authenticate.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub with_cid: bool,
    client: Versions,
    server: Versions,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Psk,
    EcdhePsk,
    RawPublicKey,
    Certificate,
}

impl Way {
    /// Bit 0: Connection IDs. Bits 1 and 2: DTLS 1.2, DTLS 1.3, both, or a client with both and a server without 1.3.
    /// Bits 3 and 4: pre-shared key, with ephemeral keys in addition, raw public keys, certificates.
    pub const fn new(choice: u8) -> Self {
        let (client, server) = match choice >> 1 & 3 {
            0 => (Versions::ONLY_1_2, Versions::ONLY_1_2),
            1 => (Versions::ONLY_1_3, Versions::ONLY_1_3),
            2 => (Versions::ALL, Versions::ALL),
            _ => (Versions::ALL, Versions::ONLY_1_2),
        };
        let by = match choice >> 3 & 3 {
            0 => By::Psk,
            1 => By::EcdhePsk,
            2 => By::RawPublicKey,
            _ => By::Certificate,
        };
        Self { with_cid: choice & 1 == 1, client, server, by }
    }

    /// Whether they will speak DTLS 1.3.
    pub const fn is_dtls_1_3(&self) -> bool {
        self.client.dtls_1_3 && self.server.dtls_1_3
    }

    const fn suites(&self) -> &'static [CipherSuite] {
        match self.by {
            By::Psk => &[CipherSuite::TLS_AES_128_CCM_8_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            By::EcdhePsk => {
                &[CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256]
            }
            By::RawPublicKey | By::Certificate => {
                &[CipherSuite::TLS_AES_128_CCM_8_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8]
            }
        }
    }

    const fn groups(&self) -> &'static [NamedGroup] {
        match self.by {
            By::Psk => &[],
            By::EcdhePsk => &[NamedGroup::X25519],
            By::RawPublicKey | By::Certificate => &[NamedGroup::Secp256r1],
        }
    }

    /// What the client offers.
    pub fn client(&self, own_cid: Option<ConnectionId>) -> ClientConfig<'static> {
        let (versions, suites, groups) = (self.client, self.suites(), self.groups());
        ClientConfig { versions, suites, groups, own_cid, ..ClientConfig::default() }
    }

    /// What the server accepts.
    pub fn server(&self) -> ServerConfig<'static> {
        let (versions, suites, groups) = (self.server, self.suites(), self.groups());
        ServerConfig { versions, suites, groups, ..ServerConfig::default() }
    }

    /// The client and the server.
    pub fn parties(&self) -> (Who, Who) {
        (Who::new(self.by, CLIENT_KEY, SERVER_KEY), Who::new(self.by, SERVER_KEY, CLIENT_KEY))
    }
}

/// A side's credentials.
#[allow(missing_debug_implementations, reason = "it holds secrets")]
pub struct Who {
    psk: Option<Psk>,
    kind: Option<CertificateType>,
    key: [u8; 32],
    shown: Vec<u8>,
    peer: PublicKey,
}

/// Computed once: it takes longer than a handshake with a pre-shared key.
fn public(key: [u8; 32]) -> PublicKey {
    static KEYS: LazyLock<[PublicKey; 2]> = LazyLock::new(|| {
        [CLIENT_KEY, SERVER_KEY]
            .map(|key| RustCrypto.public_key(&RustCrypto.signing_key(&Secret::new(key)).expect("a key")))
    });
    KEYS[usize::from(key == SERVER_KEY)]
}

impl Who {
    fn new(by: By, key: [u8; 32], peer: [u8; 32]) -> Self {
        let kind = match by {
            By::Psk | By::EcdhePsk => None,
            By::RawPublicKey => Some(CertificateType::RawPublicKey),
            By::Certificate => Some(CertificateType::X509),
        };
        let mut shown = subject_public_key_info(&public(key)).to_vec();
        if kind == Some(CertificateType::X509) {
            // Handshakes do not look into a certificate: this one says whose key it is and is as long as one.
            shown.resize(380, 0x5a);
        }
        let psk = kind.is_none().then(psk);
        Self { psk, kind, key, shown, peer: public(peer) }
    }
}

impl Credentials<RustCrypto> for Who {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.psk.as_ref().map(|psk| (IDENTITY, psk))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self.psk.clone().filter(|_| identity == IDENTITY).map(|psk| (psk, 1))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        (self.kind == Some(kind) && index == 0).then_some(&self.shown)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        let key = crypto.signing_key(&Secret::new(self.key)).ok()?;
        crypto.sign(&key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        self.kind.as_slice()
    }

    fn verify(&mut self, _: &RustCrypto, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let known = subject_public_key_info(&self.peer);
        let first = shown.entries().next().unwrap_or_default();
        match first.starts_with(&known) {
            true => Ok(Verified { public_key: self.peer, principal: 2 }),
            false => Err(AlertDescription::CERTIFICATE_UNKNOWN),
        }
    }
}
