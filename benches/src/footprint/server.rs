//! The server that the images talk to: it knows their keys, and speaks both versions.

use std::fs;
use std::path::Path;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use sedge_crypto::{
    Crypto, CryptoRng, PublicKey, RustCrypto, RustSigningKey, Secret, Signature, public_key_from_info,
    subject_public_key_info,
};
use sedge_dtls::{
    AlertDescription, CertificateType, ConnectionId, Content, ContentType, Context, CookieKeys, Credentials,
    Full, Hello, Of, PeerCertificate, Progress, Psk, Records, ServerConfig, ServerHandshake, Session,
    Verified, hello, is_client_hello,
};
use sedge_time::Instant;
use sedge_x509::{Expected, PinnedIssuer};

use super::coap::Broker;
use crate::net::DATAGRAM;

type Profile = Full<RustCrypto>;

pub(crate) struct Server {
    identity: Identity,
    cookies: CookieKeys<RustCrypto>,
    rng: UnwrapErr<SysRng>,
    handshake: Option<ServerHandshake<Profile>>,
    session: Option<Session>,
    broker: Broker,
}

struct Identity {
    key: RustSigningKey,
    certificate: Vec<u8>,
    info: Vec<u8>,
    device: PublicKey,
    issuer: PinnedIssuer,
}

impl Server {
    pub(crate) fn new(pki: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            fs::read(pki.join(name))
                .map_err(|error| format!("cannot read {name} in tests/no_std/pki: {error}"))
        };
        let key = |name: &str| {
            let scalar = read(name)?.try_into().map_err(|_| format!("{name} is not 32 bytes long"))?;
            RustCrypto.signing_key(&Secret::new(scalar)).map_err(|_| format!("{name} is no private key"))
        };
        let issuer = PublicKey::from_bytes(&read("issuer.point")?).map_err(|_| "issuer.point is no point")?;
        let own = key("server.scalar")?;
        let mut rng = UnwrapErr(SysRng);
        Ok(Self {
            identity: Identity {
                info: subject_public_key_info(&RustCrypto.public_key(&own)).into(),
                key: own,
                certificate: read("server.der")?,
                device: RustCrypto.public_key(&key("client.scalar")?),
                issuer: PinnedIssuer::new(issuer),
            },
            cookies: CookieKeys::new(&RustCrypto, &mut rng),
            rng,
            handshake: None,
            session: None,
            broker: Broker::default(),
        })
    }

    pub(crate) const fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// The session, once there is one.
    pub(crate) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Takes a datagram in, and gives back what is to be sent. What a device sends comes back to it, or the answer to it.
    pub(crate) fn receive(&mut self, datagram: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut answers = Vec::new();
        let mut buffer = [0; DATAGRAM];
        let mut datagram = datagram.to_vec();
        let layer = Of::<Profile>::new(&RustCrypto);
        let config = ServerConfig::default();
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        if is_client_hello(&datagram) && self.handshake.is_none() && self.session.is_none() {
            match hello(&layer, &self.cookies, &config, b"board", &datagram, &mut buffer) {
                Hello::Reply(len) => return Ok(vec![buffer[..len].to_vec()]),
                Hello::Accept(verified) => {
                    let cid = ConnectionId::new(b"c").unwrap_or_default();
                    let handshake =
                        ServerHandshake::accept(&mut cx, &mut self.identity, &config, &verified, cid);
                    let handshake = handshake.map_err(|refusal| format!("refused: {refusal:?}"))?;
                    self.handshake = Some(handshake);
                }
                Hello::Discard(why) => return Err(format!("a strange ClientHello: {why:?}")),
            }
        } else if let Some(handshake) = &mut self.handshake {
            for record in Records::new(&mut datagram, 1) {
                match handshake.receive(&mut cx, &mut self.identity, record) {
                    Ok(Progress::Failed(why)) => return Err(format!("the handshake failed: {why:?}")),
                    Err(why) => eprintln!("footprint: a record was dropped: {why:?}"),
                    Ok(_) => {}
                }
            }
        } else if let Some(session) = &mut self.session {
            for record in Records::new(&mut datagram, 1) {
                let opened = session.open(&layer, record).map_err(|why| format!("not opened: {why:?}"))?;
                if let Content::ApplicationData(reading) = opened.content {
                    // A whole client speaks CoAP; any other gets back what it sent.
                    let said = self.broker.receive(reading).unwrap_or_else(|| vec![reading.to_vec()]);
                    for words in said {
                        let at = session.headroom();
                        buffer[at..at + words.len()].copy_from_slice(&words);
                        let len = session
                            .seal(&layer, ContentType::APPLICATION_DATA, &mut buffer, words.len())
                            .map_err(|why| format!("not sealed: {why:?}"))?;
                        answers.push(buffer[..len].to_vec());
                    }
                }
            }
        }
        if let Some(handshake) = &mut self.handshake {
            while let Some(len) = handshake.poll_transmit(&RustCrypto, &mut buffer) {
                answers.push(buffer[..len].to_vec());
            }
            if let Some(established) = handshake.take_session() {
                self.session = Some(established.session);
                self.handshake = None;
            }
        }
        if let Some(session) = &mut self.session {
            while session.pending() {
                let Some(len) = session.poll_transmit(&layer, &mut buffer) else { break };
                answers.push(buffer[..len].to_vec());
            }
        }
        Ok(answers)
    }
}

impl Credentials<RustCrypto> for Identity {
    fn psk(&mut self, _identity: &[u8]) -> Option<(Psk, u32)> {
        Some((Psk::new(b"sixteen secrets!")?, 1))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match kind {
            _ if index > 0 => None,
            CertificateType::X509 => Some(&self.certificate),
            CertificateType::RawPublicKey => Some(&self.info),
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &[CertificateType::X509, CertificateType::RawPublicKey]
    }

    fn verify(
        &mut self,
        crypto: &RustCrypto,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let shown = certificate.entries().next().unwrap_or_default();
        let public_key = match certificate.kind {
            CertificateType::RawPublicKey => {
                public_key_from_info(shown).ok().filter(|key| *key == self.device)
            }
            CertificateType::X509 => {
                let verified = self.issuer.verify(crypto, shown, &Expected::client(), None);
                verified.ok().map(|certificate| *certificate.public_key())
            }
        };
        let public_key = public_key.ok_or(AlertDescription::CERTIFICATE_UNKNOWN)?;
        Ok(Verified { public_key, principal: 1 })
    }
}
