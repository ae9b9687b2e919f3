//! A server under test, and the script of a client.

use sedge_crypto::{Crypto, RustCrypto};
use sedge_dtls::*;
use sedge_time::Instant;

use super::*;
use crate::scripts::party::{CLIENT_KEY, EPHEMERAL, IDENTITY, KEY, Party, SERVER_KEY, TestRng, signing_key};
use crate::scripts::wire::*;
use crate::scripts::{Outcome, Script};

/// What a client can send after its hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
    ClientHello,
    Certificate,
    EmptyCertificate,
    KeyExchange,
    CertificateVerify,
    ChangeCipherSpec,
    Finished,
    /// A server's message in a client's mouth.
    ServerHelloDone,
    ApplicationData,
}
use Letter::*;

pub const ALPHABET: &[Letter] = &[
    ClientHello,
    Certificate,
    EmptyCertificate,
    KeyExchange,
    CertificateVerify,
    ChangeCipherSpec,
    Finished,
    ServerHelloDone,
    ApplicationData,
];

const ADDRESS: &[u8] = b"192.0.2.7:40000";
const CLIENT_RANDOM: [u8; 32] = [0xc1; 32];

pub struct Client {
    server: ServerHandshake<Full<RustCrypto>>,
    party: Party,
    rng: TestRng,
    suite: u16,
    /// The hello's body.
    hello: Vec<u8>,
    transcript: Vec<u8>,
    server_random: Vec<u8>,
    /// What the server's ServerKeyExchange brought.
    share: Option<Vec<u8>>,
    master: Vec<u8>,
    message_seq: u16,
    sequences: [u64; 2],
    epoch: usize,
}

impl Client {
    /// A client that offers this suite, after the server's first flight.
    pub fn new(suite: u16, client_certificate: ClientCertificate) -> Self {
        let (mut rng, mut party) = (TestRng(7), Party::new(true, Some(SERVER_KEY), Some(CLIENT_KEY)));
        let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
        let cookies = CookieKeys::new(cx.crypto, cx.rng);
        let mut buf = [0; 2048];

        let first = record(HANDSHAKE, 0, 0, &message(CLIENT_HELLO, 0, &hello_body(suite, &[])));
        let config = ServerConfig { client_certificate, ..ServerConfig::default() };
        let reply = hello(cx.crypto, &cookies, &config, ADDRESS, &first, &mut buf);
        let Hello::Reply(len) = reply else { panic!("no cookie") };
        let cookie = messages(&buf[..len])[0].2[3..].to_vec();
        let body = hello_body(suite, &cookie);
        let transcript = message(CLIENT_HELLO, 1, &body);
        let second = record(HANDSHAKE, 0, 1, &transcript);
        let reply = hello(cx.crypto, &cookies, &config, ADDRESS, &second, &mut buf);
        let Hello::Accept(verified) = reply else { panic!("refused") };
        let server =
            ServerHandshake::accept(&mut cx, &mut party, &config, &verified, ConnectionId::EMPTY).unwrap();
        let mut client = Self {
            server,
            party,
            rng,
            suite,
            hello: body,
            transcript,
            server_random: Vec::new(),
            share: None,
            master: vec![0; 48],
            message_seq: 2,
            sequences: [2, 0],
            epoch: 0,
        };
        client.take_flight();
        client
    }

    /// Reads what the server has to say.
    fn take_flight(&mut self) {
        let mut buf = [0; 2048];
        while let Some(len) = self.server.poll_transmit(&RustCrypto, &mut buf) {
            for (kind, message_seq, body) in messages(&buf[..len]) {
                self.transcript.extend(message(kind, message_seq, &body));
                match kind {
                    SERVER_HELLO => self.server_random = body[2..34].to_vec(),
                    SERVER_KEY_EXCHANGE => {
                        let params = if self.suite == ECDHE_PSK { &body[2..] } else { &body[..] };
                        assert_eq!(params[..3], [3, 0, 23], "named curve secp256r1");
                        self.share = Some(params[4..4 + usize::from(params[3])].to_vec());
                    }
                    _ => {}
                }
            }
        }
    }

    fn body(&mut self, letter: Letter) -> (u8, Vec<u8>) {
        match letter {
            ClientHello => (CLIENT_HELLO, self.hello.clone()),
            Certificate => {
                let key = RustCrypto.public_key(&signing_key(CLIENT_KEY));
                (CERTIFICATE, vec24(&sedge_crypto::subject_public_key_info(&key)))
            }
            EmptyCertificate => (CERTIFICATE, vec24(&[])),
            KeyExchange => (CLIENT_KEY_EXCHANGE, self.key_exchange()),
            CertificateVerify => {
                let digest = sha256(&self.transcript);
                let signature = RustCrypto.sign(&signing_key(CLIENT_KEY), &digest, &mut self.rng).unwrap();
                let signature = vec16(signature.write_der(&mut [0; 72]));
                (CERTIFICATE_VERIFY, [&[4, 3][..], &signature].concat())
            }
            Finished => (FINISHED, prf(&self.master, b"client finished", &sha256(&self.transcript), 12)),
            ServerHelloDone => (SERVER_HELLO_DONE, Vec::new()),
            ChangeCipherSpec | ApplicationData => unreachable!("no handshake message"),
        }
    }

    /// The body of a ClientKeyExchange; the master secret follows once it is part of the transcript.
    fn key_exchange(&mut self) -> Vec<u8> {
        let share = || vec8(RustCrypto.key_share(&EPHEMERAL).as_bytes());
        match self.suite {
            PSK => vec16(IDENTITY),
            ECDHE_PSK => [vec16(IDENTITY), share()].concat(),
            _ => share(),
        }
    }

    fn derive_master(&mut self) {
        let agreed = self.share.as_ref();
        let agreed = agreed.map(|share| RustCrypto.agree(&EPHEMERAL, share).unwrap().expose().to_vec());
        let premaster = match (self.suite, agreed) {
            (PSK, _) => psk_premaster(&[0; KEY.len()], &KEY),
            (ECDHE_PSK, Some(agreed)) => psk_premaster(&agreed, &KEY),
            (_, agreed) => agreed.unwrap(),
        };
        self.master = prf(&premaster, b"extended master secret", &sha256(&self.transcript), 48);
    }
}

fn hello_body(suite: u16, cookie: &[u8]) -> Vec<u8> {
    let extensions = [
        extension(23, &[]),
        extension(10, &vec16(&[0, 23])),
        extension(11, &vec8(&[0])),
        extension(13, &vec16(&[4, 3])),
        extension(19, &vec8(&[2])),
        extension(20, &vec8(&[2])),
    ]
    .concat();
    let suites = [suite.to_be_bytes(), [0, 0xff]].concat();
    [
        &[0xfe, 0xfd][..],
        &CLIENT_RANDOM,
        &vec8(&[]),
        &vec8(cookie),
        &vec16(&suites),
        &vec8(&[0]),
        &vec16(&extensions),
    ]
    .concat()
}

impl Script for Client {
    type Letter = Letter;

    fn send_edited(&mut self, letter: Letter, edit: &mut dyn FnMut(&mut Vec<u8>)) -> Outcome {
        let (kind, fragment) = match letter {
            ChangeCipherSpec => (CCS, vec![1]),
            ApplicationData => (APPLICATION_DATA, b"21.5".to_vec()),
            _ => {
                let (kind, mut body) = self.body(letter);
                edit(&mut body);
                let message = message(kind, self.message_seq, &body);
                self.transcript.extend_from_slice(&message);
                self.message_seq += 1;
                (HANDSHAKE, message)
            }
        };
        if letter == KeyExchange {
            self.derive_master();
        }
        let sequence = self.sequences[self.epoch];
        self.sequences[self.epoch] += 1;
        let mut record = match (letter, self.epoch) {
            (ChangeCipherSpec, _) | (_, 0) => record(kind, 0, sequence, &fragment),
            _ => keys(&self.master, &CLIENT_RANDOM, &self.server_random).0.seal(kind, sequence, &fragment),
        };
        if letter == ChangeCipherSpec {
            self.epoch = 1;
        }
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        let outcome = self.server.receive(&mut cx, &mut self.party, &mut record).into();
        if outcome == Outcome::Complete {
            self.take_flight();
        }
        outcome
    }
}
