//! rtc-dtls, over ring. It keeps what it needs for a client before the cookie comes back.

use std::io::Result;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rtc_crypto::SignatureScheme;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_shared::TransportProtocol;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::{KEY, Outgoing, Server, Task, failed};

pub(crate) struct RtcDtls(Endpoint);

impl RtcDtls {
    pub(crate) fn new(task: &Task, address: SocketAddr) -> Result<Self> {
        let provider = rtc_crypto::default_provider().map_err(failed)?;
        let mut builder = ConfigBuilder::default().with_crypto_provider(provider.clone());
        if task.psk {
            builder = builder
                .with_psk(Some(Arc::new(|_: &[u8]| Ok(KEY.to_vec()))))
                .with_cipher_suites(vec![CipherSuiteId::Tls_Psk_With_Aes_128_Ccm_8]);
        } else {
            let key = provider
                .crypto()
                .import_signing_key(SignatureScheme::EcdsaP256Sha256, &task.key)
                .map_err(failed)?;
            let chain = vec![CertificateDer::from(task.certificate.clone())];
            builder = builder
                .with_certificates(vec![Certificate::from_signing_key(chain, key)])
                .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm_8]);
        }
        if task.mutual {
            let mut issuers = RootCertStore::empty();
            issuers.add(CertificateDer::from(task.ca.clone())).map_err(failed)?;
            builder = builder
                .with_client_auth(ClientAuthType::RequireAndVerifyClientCert)
                .with_client_cas(issuers);
        }
        let config = builder.build(false, None).map_err(failed)?;
        Ok(Self(Endpoint::new(address, TransportProtocol::UDP, Some(Arc::new(config)))))
    }
}

impl Server for RtcDtls {
    fn receive(&mut self, from: SocketAddrV4, datagram: &[u8], out: &mut Outgoing<'_>) -> Result<()> {
        let (now, remote) = (Instant::now(), SocketAddr::V4(from));
        match self.0.read(now, remote, None, BytesMut::from(datagram)) {
            Ok(events) => {
                for event in events {
                    if let EndpointEvent::ApplicationData(data) = event {
                        self.0.write(now, remote, &data).map_err(failed)?;
                    }
                }
            }
            Err(error) => {
                eprintln!("rtc-dtls: {error}");
                self.0.stop(now, remote);
            }
        }
        while let Some(transmit) = self.0.poll_transmit() {
            out.send(from, &transmit.message)?;
        }
        Ok(())
    }
}
