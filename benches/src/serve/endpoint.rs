//! One endpoint over DTLS and one socket: what the protocol costs without a broker around it.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::{fs, time};

use nix::sys::socket::MsgFlags;
use sedge_coap::{Code, OptionNumber};
use sedge_crypto::{Crypto, CryptoRng, Entropy, HostCrypto, Signature, public_key_from_info};
use sedge_dtls::{
    AlertDescription, CertificateType, ClientCertificate, Credentials, PeerCertificate, Psk, TicketKeys,
    Verified,
};
use sedge_endpoint::memory::{Hosted, PagedMemory, Path};
use sedge_endpoint::{CidLayout, Config, Endpoint, Event, Host, Incoming, Notification, SessionId};
use sedge_time::{Duration, Instant};
use sedge_x509::{Expected, TrustAnchors, Verifier};

use crate::fleet::KEY;
use crate::net::{Receiver, Sender};
use crate::pki::{KeyPair, Pki};

/// More than any part of the benchmarks opens.
const SESSIONS: usize = 1_048_576;

/// An IPv4 address and port, in six bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address(SocketAddrV4);

impl Path for Address {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[..4].copy_from_slice(&self.0.ip().octets());
        out[4..6].copy_from_slice(&self.0.port().to_be_bytes());
        6
    }
}

/// What the server wants of clients without a pre-shared key.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Clients {
    /// Nothing.
    Anonymous,
    /// A certificate or raw public key.
    Required,
}

/// Who the server is, and whom it believes.
pub(crate) struct Identity {
    psk: Psk,
    tickets: TicketKeys,
    certificate: Option<KeyPair>,
    verifier: Verifier<HostCrypto>,
}

impl Identity {
    /// One that knows every pre-shared key, and has a certificate if there is a folder for it.
    pub(super) fn new(pki: Option<&Pki>) -> io::Result<Self> {
        let mut anchors = TrustAnchors::default();
        let mut certificate = None;
        if let Some(pki) = pki {
            anchors.add(&fs::read(pki.file("ca.pem"))?).map_err(io::Error::other)?;
            certificate = Some(pki.key_pair("server")?);
        }
        Ok(Self {
            psk: Psk::new(&KEY).ok_or_else(|| io::Error::other("unusable key"))?,
            tickets: TicketKeys::new(&mut Entropy::new()),
            certificate,
            verifier: Verifier::new(HostCrypto, anchors),
        })
    }
}

impl Credentials<HostCrypto> for &mut Identity {
    fn psk(&mut self, _identity: &[u8]) -> Option<(Psk, u32)> {
        Some((self.psk.clone(), 1))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let own = self.certificate.as_ref().filter(|_| index == 0)?;
        Some(match kind {
            CertificateType::X509 => &own.certificate,
            CertificateType::RawPublicKey => &own.info,
        })
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &HostCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.certificate.as_ref()?.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &[CertificateType::X509, CertificateType::RawPublicKey]
    }

    fn verify(
        &mut self,
        _crypto: &HostCrypto,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        // Who holds which raw public key does not matter here.
        if certificate.kind == CertificateType::RawPublicKey {
            let shown = certificate.entries().next().and_then(|info| public_key_from_info(info).ok());
            let public_key = shown.ok_or(AlertDescription::BAD_CERTIFICATE)?;
            return Ok(Verified { public_key, principal: 3 });
        }
        let now = time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
        let verified = self.verifier.verify(certificate.entries(), &Expected::client(), now);
        let verified = verified.map_err(|_| AlertDescription::BAD_CERTIFICATE)?;
        Ok(Verified { public_key: *verified.public_key(), principal: 2 })
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        Some((&self.tickets, Duration::from_secs(86_400)))
    }
}

struct Outside<'a> {
    socket: &'a UdpSocket,
    sender: &'a mut Sender,
    identity: &'a mut Identity,
}

impl Host<HostCrypto> for Outside<'_> {
    type Path = Address;

    fn transmit(&mut self, path: &Address, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        self.sender.push(self.socket, path.0, fill).is_ok()
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<HostCrypto> {
        &mut *self.identity
    }
}

pub(super) fn serve(socket: &UdpSocket, mut identity: Identity, clients: Clients) -> io::Result<()> {
    let epoch = time::Instant::now();
    let now = || Instant::from_micros(epoch.elapsed().as_micros() as u64);
    let config = Config {
        accept: true,
        client_certificate: match clients {
            Clients::Anonymous => ClientCertificate::NotAsked,
            Clients::Required => ClientCertificate::Required,
        },
        cid: CidLayout::new(8, 8, 0, 24).ok_or_else(|| io::Error::other("impossible Connection IDs"))?,
        ..Config::default()
    };
    // As many handshakes at once as the fleet has under way, and a table of handled messages as the broker's.
    let parts = PagedMemory::parts(SESSIONS, 4096, 65_536);
    let mut endpoint: Endpoint<PagedMemory<Address, Hosted<HostCrypto>, Entropy>> =
        Endpoint::new(now(), config, HostCrypto, Entropy::new(), parts);

    let (mut observers, mut sequence) = (Vec::new(), 2);
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    socket.set_read_timeout(Some(time::Duration::from_millis(100)))?;
    loop {
        match receiver.receive(socket, MsgFlags::MSG_WAITFORONE) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut outside = Outside { socket, sender: &mut sender, identity: &mut identity };
                while endpoint.expire(now(), &mut outside).is_some() {}
                sender.flush(socket)?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let now = now();
        for (from, datagram) in receiver.datagrams() {
            let mut outside = Outside { socket, sender: &mut sender, identity: &mut identity };
            let mut incoming = Incoming::new(Address(from), datagram);
            while let Some(event) = endpoint.receive(now, &mut incoming, &mut outside) {
                let Event::Request { ticket, message } = event else { continue };
                let payload = message.payload();
                let observer = message.observe().map(|_| (ticket.session(), ticket.token()));
                let publishes = message.code() == Code::PUT;
                let code = if observer.is_some() { Code::CONTENT } else { Code::CHANGED };
                // A peer that has gone meanwhile gets no answer, and needs none.
                let _ = endpoint.respond(now, ticket, &mut outside, code, |writer| {
                    if observer.is_some() {
                        let _ = writer.option_uint(OptionNumber::OBSERVE, 1);
                    }
                    let _ = writer.payload(payload);
                });
                observers.extend(observer);
                if publishes {
                    sequence += 1;
                    for &(session, token) in &observers {
                        let notification =
                            Notification { key: 0, token, code: Code::CONTENT, confirmable: false };
                        let _ = endpoint.notify(now, session, notification, &mut outside, |writer| {
                            let _ = writer
                                .option_uint(OptionNumber::OBSERVE, sequence)
                                .option_uint(OptionNumber::CONTENT_FORMAT, 42)
                                .payload(payload);
                        });
                    }
                }
            }
        }
        let mut outside = Outside { socket, sender: &mut sender, identity: &mut identity };
        while endpoint.expire(now, &mut outside).is_some() {}
        sender.flush(socket)?;
    }
}
