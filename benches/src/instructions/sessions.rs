//! Sessions for the image that seals and opens: the two sides of one, as bytes.

use std::path::Path;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use sedge_crypto::RustCrypto;
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, Context, Credentials, Full, Progress, Psk, Records, Versions,
};
use sedge_time::Instant;

use crate::footprint::server::Server;
use crate::net::DATAGRAM;

/// What there is to be sealed with.
pub(super) const KINDS: [(&str, Versions, CipherSuite); 6] = [
    ("DTLS 1.2, AES-128-CCM_8", Versions::ONLY_1_2, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8),
    ("DTLS 1.2, AES-128-CCM", Versions::ONLY_1_2, CipherSuite::TLS_PSK_WITH_AES_128_CCM),
    ("DTLS 1.2, AES-128-GCM", Versions::ONLY_1_2, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256),
    ("DTLS 1.3, AES-128-CCM_8", Versions::ONLY_1_3, CipherSuite::TLS_AES_128_CCM_8_SHA256),
    ("DTLS 1.3, AES-128-CCM", Versions::ONLY_1_3, CipherSuite::TLS_AES_128_CCM_SHA256),
    ("DTLS 1.3, AES-128-GCM", Versions::ONLY_1_3, CipherSuite::TLS_AES_128_GCM_SHA256),
];

/// A client's session and its server's, after a handshake in this process.
pub(super) fn pair(versions: Versions, suite: CipherSuite, pki: &Path) -> Result<[Vec<u8>; 2], String> {
    let mut server = Server::new(pki)?;
    let mut rng = UnwrapErr(SysRng);
    let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
    let suites = [suite];
    let config = ClientConfig { versions, suites: &suites, ..ClientConfig::default() };
    let mut credentials = Device(Psk::new(b"sixteen secrets!").ok_or("no key")?);
    let mut client = ClientHandshake::<Full<RustCrypto>>::connect(&mut cx, &mut credentials, &config)
        .map_err(|why| format!("no handshake begins: {why:?}"))?;
    let mut session = None;
    let mut buffer = [0; DATAGRAM];
    loop {
        let mut answers = Vec::new();
        while let Some(len) = client.poll_transmit(&RustCrypto, &mut buffer) {
            answers.extend(server.receive(&buffer[..len])?);
        }
        if let (Some(client), Some(server)) = (&session, server.session()) {
            let client: &sedge_dtls::Session = client;
            return Ok([client, server].map(|session| session.export().expose().to_vec()));
        }
        if answers.is_empty() {
            return Err(format!("the handshake of {suite:?} stands still"));
        }
        for mut answer in answers {
            for record in Records::new(&mut answer, 0) {
                match client.receive(&mut cx, &mut credentials, record) {
                    Ok(Progress::Complete) => session = client.take_session().map(|done| done.session),
                    Ok(Progress::Failed(why)) => return Err(format!("the handshake failed: {why:?}")),
                    _ => {}
                }
            }
        }
    }
}

struct Device(Psk);

impl Credentials<RustCrypto> for Device {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        Some((b"boiler", &self.0))
    }
}
