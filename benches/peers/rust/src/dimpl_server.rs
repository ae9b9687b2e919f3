//! dimpl, over AWS-LC. It keeps what it needs for a client before the cookie comes back. That a client's certificate
//! has an issuer would be for the application to check; it is not checked here.

use std::collections::HashMap;
use std::io::Result;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Instant;

use dimpl::crypto::{Dtls12CipherSuite, NamedGroup};
use dimpl::{Config, Dtls, DtlsCertificate, Output, PskResolver};

use crate::{KEY, Outgoing, Server, Task, failed};

struct OneKey;

impl PskResolver for OneKey {
    fn resolve(&self, _identity: &[u8]) -> Option<Vec<u8>> {
        Some(KEY.to_vec())
    }
}

pub(crate) struct Dimpl {
    config: Arc<Config>,
    psk: bool,
    dtls_1_3: bool,
    certificate: DtlsCertificate,
    sessions: HashMap<SocketAddrV4, Dtls>,
    buffer: Vec<u8>,
}

impl Dimpl {
    pub(crate) fn new(task: &Task) -> Result<Self> {
        let builder = Config::builder().kx_groups(&[NamedGroup::Secp256r1]);
        let builder = if task.psk {
            builder
                .dtls12_cipher_suites(&[Dtls12CipherSuite::PSK_AES128_CCM_8])
                .with_psk_server(None, Arc::new(OneKey))
        } else {
            builder
                .dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
                .require_client_certificate(task.mutual)
        };
        let (certificate, private_key) = (task.certificate.clone(), task.key.clone());
        Ok(Self {
            config: Arc::new(builder.build().map_err(failed)?),
            psk: task.psk,
            dtls_1_3: task.dtls_1_3,
            certificate: DtlsCertificate { certificate, private_key },
            sessions: HashMap::new(),
            buffer: vec![0; 2048],
        })
    }
}

impl Server for Dimpl {
    fn receive(&mut self, from: SocketAddrV4, datagram: &[u8], out: &mut Outgoing<'_>) -> Result<()> {
        let now = Instant::now();
        let session = self.sessions.entry(from).or_insert_with(|| {
            let (config, certificate) = (self.config.clone(), self.certificate.clone());
            match (self.psk, self.dtls_1_3) {
                (true, _) => Dtls::new_12_psk(config, now),
                (_, true) => Dtls::new_13(config, certificate, now),
                _ => Dtls::new_12(config, certificate, now),
            }
        });
        let mut echo = None;
        let mut ended = session.handle_timeout(now).is_err() || session.handle_packet(datagram).is_err();
        loop {
            match session.poll_output(&mut self.buffer) {
                Output::Packet(packet) => out.send(from, packet)?,
                Output::BufferTooSmall { needed } => self.buffer.resize(needed, 0),
                Output::ApplicationData(data) => echo = Some(data.to_vec()),
                Output::CloseNotify => ended = true,
                Output::Timeout(_) => match echo.take() {
                    Some(data) => ended |= session.send_application_data(&data).is_err(),
                    None => break,
                },
                _ => {}
            }
        }
        if ended {
            self.sessions.remove(&from);
        }
        Ok(())
    }
}
