//! A Finished that is rightly encrypted and says the wrong thing: only whoever knows the key can make one, and it
//! must not pass all the same.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sedge_crypto::{Aead, Crypto, RustCrypto};
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, ClientPsk, Context, KeyLog, Progress, Psk, PskOnly, Records,
};
use sedge_tests::dtls::{Connection, receive, socket_towards};

use crate::handshakes::{hasty, split};
use crate::records::record;
use crate::scene::{QUIET, Scene};

#[test]
fn a_finished_under_a_wrong_key_is_dropped() {
    let mut scene = Scene::new();
    let mut impostor = hasty(&scene.identity);
    impostor.key[0] ^= 1;
    impostor.transport.retransmission.attempts = 2;
    let sessions = scene.broker.status().sessions;
    scene.counted("dtls.discarded.bad_tag", 1, |scene| {
        assert!(Connection::connect(scene.broker.secure(), &impostor).is_err());
    });
    assert_eq!(scene.broker.status().sessions, sessions);
    scene.bystander_works();
}

/// What the client learns of a handshake: enough to compute its keys by hand.
#[derive(Default)]
struct Secrets {
    client_random: [u8; 32],
    master: Option<[u8; 48]>,
}

impl KeyLog for Secrets {
    fn secret(&mut self, _: &'static str, client_random: &[u8; 32], master_secret: &[u8]) {
        self.client_random = *client_random;
        self.master = master_secret.try_into().ok();
    }
}

/// P_SHA256 (RFC 5246 section 5), written out.
fn prf(secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    use sedge_crypto::Mac;
    let hmac = |parts: &[&[u8]]| {
        let mut mac = RustCrypto.hmac_sha256(secret);
        parts.iter().for_each(|part| mac.update(part));
        mac.finish().to_vec()
    };
    let (mut a, mut out) = (hmac(&[label, seed]), Vec::new());
    while out.len() < length {
        out.extend(hmac(&[&a, label, seed]));
        a = hmac(&[&a]);
    }
    out.truncate(length);
    out
}

#[test]
fn a_finished_with_wrong_verify_data_is_dropped() {
    let mut scene = Scene::new();
    let server = scene.broker.secure();
    let socket = socket_towards(server);
    let psk = Psk::new(&scene.identity.key).expect("a key");
    let config = ClientConfig {
        suites: &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
        own_cid: None,
        transport: scene.identity.transport,
        ..ClientConfig::default()
    };
    let mut device = ClientPsk { identity: &scene.identity.name, psk: &psk };
    let (crypto, mut rng, mut secrets) = (RustCrypto, UnwrapErr(SysRng), Secrets::default());
    let mut context = Context::new(&crypto, &mut rng, sedge_time::Instant::from_micros(1));
    context.dangerous_key_log = Some(&mut secrets);
    let mut handshake = ClientHandshake::<PskOnly<RustCrypto>>::connect(&mut context, &mut device, &config)
        .expect("a usable configuration");
    let mut buffer = [0; 2_048];
    let mut server_random = Vec::new();
    let last_flight = loop {
        let length = handshake.poll_transmit(&crypto, &mut buffer).expect("a flight");
        let records = split(&buffer[..length]);
        if records.len() == 3 {
            break records;
        }
        socket.send_to(&buffer[..length], server).expect("sent");
        let (mut datagram, _) = receive(&socket, sedge_tests::dtls::SOON).expect("an answer");
        if datagram[13] == 2 {
            server_random = datagram[13 + 12 + 2..][..32].to_vec();
        }
        for record in Records::new(&mut datagram, 0) {
            assert_eq!(handshake.receive(&mut context, &mut device, record), Ok(Progress::Continue));
        }
    };
    drop(handshake);
    let master = secrets.master.expect("the keys exist");
    let seed = [&server_random, &secrets.client_random[..]].concat();
    // client_write_key, server_write_key, client_write_IV, server_write_IV (RFC 6655).
    let keys = prf(&master, b"key expansion", &seed, 16 + 16 + 4 + 4);
    let key: [u8; 16] = keys[..16].try_into().expect("16 bytes");

    let sequence = 1_u64 << 48;
    let nonce: [u8; 12] = [&keys[32..36], &sequence.to_be_bytes()].concat().try_into().expect("12 bytes");
    let mut finished = vec![20, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 12];
    finished.extend([0xee; 12]);
    let mut associated = sequence.to_be_bytes().to_vec();
    associated.extend([22, 0xfe, 0xfd, 0, u8::try_from(finished.len()).expect("short")]);
    let tag = crypto.seal(Aead::Aes128Ccm8, &key, &nonce, &associated, &mut finished).expect("sealed");
    let body = [&sequence.to_be_bytes(), &finished[..], tag.as_bytes()].concat();

    let sessions = scene.broker.status().sessions;
    scene.counted("endpoint.handshakes_failed", 1, |_| {
        let forged = [&last_flight[0][..], &last_flight[1], &record(22, 1, 0, &body)].concat();
        socket.send_to(&forged, server).expect("sent");
    });
    // The record was authentic, so the client is told that it failed (RFC 5246 section 7.4.9): an alert comes
    // back, and no ChangeCipherSpec.
    while let Some((datagram, _)) = receive(&socket, QUIET) {
        assert!(split(&datagram).iter().all(|record| record[0] == 21), "{datagram:02x?}");
    }
    assert_eq!(scene.broker.status().sessions, sessions);
    scene.bystander_works();
}
