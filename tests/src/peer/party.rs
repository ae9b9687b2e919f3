//! Who this side is and whom it believes.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sedge_crypto::{Crypto, CryptoRng, RustCrypto, Signature, public_key_from_info, subject_public_key_info};
use sedge_dtls::{
    AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, Resumption, TicketKeys, Verified,
};
use sedge_time::Duration;
use sedge_x509::authority::PrivateKey;
use sedge_x509::{Expected, PeerName, TrustAnchors, Verifier, certificates};

use super::command::{Resume, Task};
use super::wire::system_random;

/// The number that the tests give to a peer that they know.
const KNOWN: u32 = 7;
/// How long a session can be resumed.
const LIFETIME: Duration = Duration::from_secs(3_600);

type SigningKey = <RustCrypto as Crypto>::SigningKey;

/// Who this side is and whom it believes.
pub(super) struct Party {
    server: bool,
    identity: String,
    psk: Option<Psk>,
    own: Option<Own>,
    believed: Option<Believed>,
    name: Option<String>,
    resume: Resume,
    tickets: TicketKeys,
    sessions: Vec<Resumption>,
}

/// What this side shows: of which kind, the entries, and the key that goes with them.
struct Own {
    kind: CertificateType,
    entries: Vec<Vec<u8>>,
    key: SigningKey,
}

enum Believed {
    Authority(Box<Verifier<RustCrypto>>),
    Key(Vec<u8>),
}

impl Party {
    pub(super) fn new(task: &Task) -> Result<Self, String> {
        let mut believed = None;
        if let Some(file) = &task.authority {
            let anchors = TrustAnchors::read(file).map_err(|error| error.to_string())?;
            believed = Some(Believed::Authority(Box::new(Verifier::new(RustCrypto, anchors))));
        } else if let Some(file) = &task.peer_key {
            believed = Some(Believed::Key(read_pem(file)?));
        }
        let (identity, psk) = match &task.psk {
            Some((identity, psk)) => (identity.clone(), Some(Psk::new(psk).ok_or("not a usable key")?)),
            None => (String::new(), None),
        };
        Ok(Self {
            server: task.server,
            identity,
            psk,
            own: own(task)?,
            believed,
            name: task.name.clone(),
            resume: task.resume,
            tickets: TicketKeys::new(&mut system_random()),
            sessions: Vec::new(),
        })
    }

    /// Whether it asks the peer for a certificate.
    pub(super) fn asks(&self) -> bool {
        self.believed.is_some()
    }

    fn check(&self, peer: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let unknown = AlertDescription::CERTIFICATE_UNKNOWN;
        let public_key = match (&self.believed, peer.kind) {
            (Some(Believed::Authority(verifier)), CertificateType::X509) => {
                let expected = match &self.name {
                    Some(name) => Expected::server(PeerName::of_host(name)),
                    None => Expected::client(),
                };
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| unknown)?.as_secs();
                let certificate = verifier.verify(peer.entries(), &expected, now).map_err(|error| {
                    eprintln!("the peer's certificate: {error}");
                    AlertDescription(error.alert())
                })?;
                *certificate.public_key()
            }
            (Some(Believed::Key(key)), CertificateType::RawPublicKey) => {
                let shown = peer.entries().next().filter(|shown| shown == key).ok_or(unknown)?;
                public_key_from_info(shown).map_err(|_| unknown)?
            }
            _ => return Err(unknown),
        };
        Ok(Verified { public_key, principal: KNOWN })
    }
}

fn own(task: &Task) -> Result<Option<Own>, String> {
    let (Some(certificate), Some(key)) = (&task.certificate, &task.key) else { return Ok(None) };
    let text = read(key)?;
    let text = String::from_utf8(text).map_err(|_| "the key is no text")?;
    let key = PrivateKey::from_pem(&text, None).map_err(|error| error.to_string())?;
    let key = RustCrypto.signing_key(key.scalar()).map_err(|_| "not a private key")?;
    if !task.raw_keys {
        let entries = certificates(&read(certificate)?).map_err(|error| error.to_string())?;
        return Ok(Some(Own { kind: CertificateType::X509, entries, key }));
    }
    let info = subject_public_key_info(&RustCrypto.public_key(&key)).to_vec();
    if read_pem(certificate)? != info {
        return Err("the public key belongs to another private key".to_owned());
    }
    Ok(Some(Own { kind: CertificateType::RawPublicKey, entries: vec![info], key }))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// The DER in a PEM file with one block.
fn read_pem(file: &Path) -> Result<Vec<u8>, String> {
    let text = read(file)?;
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"-----"));
    let digits: Vec<u8> = lines.flatten().copied().filter(u8::is_ascii_graphic).collect();
    let mut bytes = Vec::new();
    let (mut bits, mut have) = (0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have & 0xff) as u8);
        }
    }
    Ok(bytes)
}

impl Credentials<RustCrypto> for Party {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.psk.as_ref().filter(|_| !self.server).map(|psk| (self.identity.as_bytes(), psk))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self.psk.clone().filter(|_| identity == self.identity.as_bytes()).map(|psk| (psk, KNOWN))
    }

    fn server_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let own = self.own.as_ref().filter(|own| own.kind == kind)?;
        own.entries.get(index).map(Vec::as_slice)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.own.as_ref()?.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        match self.believed {
            Some(Believed::Authority(_)) => &[CertificateType::X509],
            Some(Believed::Key(_)) => &[CertificateType::RawPublicKey],
            None => &[],
        }
    }

    fn verify(
        &mut self,
        _crypto: &RustCrypto,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        self.check(certificate)
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        (self.resume == Resume::Ticket).then_some((&self.tickets, LIFETIME))
    }

    fn session_cache(&self) -> Option<Duration> {
        (self.resume == Resume::Id).then_some(LIFETIME)
    }

    fn wants_tickets(&self) -> bool {
        self.resume == Resume::Ticket
    }

    fn remember(&mut self, resumption: &Resumption) {
        if self.resume != Resume::Never {
            self.sessions.push(resumption.clone());
        }
    }

    fn recall(&mut self, session_id: &[u8]) -> Option<Resumption> {
        let mut newest_first = self.sessions.iter().rev();
        newest_first.find(|known| !self.server || known.session_id() == session_id).cloned()
    }
}
