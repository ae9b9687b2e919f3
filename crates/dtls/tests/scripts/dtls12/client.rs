//! A client under test, and the script of a server.

use sedge_crypto::{Crypto, RustCrypto};
use sedge_dtls::*;
use sedge_time::Instant;

use super::*;
use crate::scripts::party::{EPHEMERAL, KEY, Party, SERVER_KEY, TestRng, signing_key};
use crate::scripts::wire::*;
use crate::scripts::{Outcome, Script};

/// What a server can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
    HelloVerifyRequest,
    HelloPsk,
    HelloEcdhePsk,
    HelloEcdsa,
    Certificate,
    EmptyCertificate,
    /// A PSK identity hint and nothing else.
    Hint,
    /// A hint and a share.
    Share,
    /// A share and a signature.
    SignedShare,
    CertificateRequest,
    HelloDone,
    ChangeCipherSpec,
    Finished,
    HelloRequest,
    /// A client's message in a server's mouth.
    ClientKeyExchange,
    ApplicationData,
}
use Letter::*;

pub const ALPHABET: &[Letter] = &[
    HelloVerifyRequest,
    HelloPsk,
    HelloEcdhePsk,
    HelloEcdsa,
    Certificate,
    EmptyCertificate,
    Hint,
    Share,
    SignedShare,
    CertificateRequest,
    HelloDone,
    ChangeCipherSpec,
    Finished,
    HelloRequest,
    ClientKeyExchange,
    ApplicationData,
];

const SERVER_RANDOM: [u8; 32] = [0x5e; 32];

pub struct Server {
    client: ClientHandshake<Full<RustCrypto>>,
    party: Party,
    rng: TestRng,
    transcript: Vec<u8>,
    /// The client's last hello.
    hello: Vec<u8>,
    client_random: Vec<u8>,
    suite: u16,
    master: Vec<u8>,
    message_seq: u16,
    /// The client's next message_seq.
    client_seq: u16,
    sequences: [u64; 2],
    epoch: usize,
}

impl Server {
    /// After the first ClientHello of a client that has this much.
    pub fn new(party: Party) -> Self {
        let (mut rng, mut party) = (TestRng(7), party);
        let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
        let config = ClientConfig { versions: Versions::ONLY_1_2, ..ClientConfig::default() };
        let client = ClientHandshake::connect(&mut cx, &mut party, &config).unwrap();
        let mut server = Self {
            client,
            party,
            rng,
            transcript: Vec::new(),
            hello: Vec::new(),
            client_random: Vec::new(),
            suite: 0,
            master: vec![0; 48],
            message_seq: 0,
            client_seq: 0,
            sequences: [0, 0],
            epoch: 0,
        };
        server.take_flight();
        server
    }

    /// Reads what the client has to say.
    fn take_flight(&mut self) {
        let mut buf = [0; 2048];
        let mut exchanged = false;
        while let Some(len) = self.client.poll_transmit(&RustCrypto, &mut buf) {
            for (kind, message_seq, body) in messages(&buf[..len]) {
                if message_seq != self.client_seq {
                    continue;
                }
                self.client_seq += 1;
                if kind == CLIENT_HELLO {
                    // What went before a cookie is no part of it (RFC 6347 section 4.2.1).
                    self.transcript.clear();
                    self.client_random = body[2..34].to_vec();
                }
                self.transcript.extend(message(kind, message_seq, &body));
                match kind {
                    CLIENT_HELLO => self.hello = body,
                    CLIENT_KEY_EXCHANGE => {
                        self.derive_master(&body);
                        exchanged = true;
                    }
                    _ => {}
                }
            }
        }
        if exchanged {
            // The client's Finished is sealed, but what it must say is known.
            let verify_data = prf(&self.master, b"client finished", &sha256(&self.transcript), 12);
            self.transcript.extend(message(FINISHED, self.client_seq, &verify_data));
            self.client_seq += 1;
        }
    }

    fn derive_master(&mut self, key_exchange: &[u8]) {
        let agreed = |share: &[u8]| RustCrypto.agree(&EPHEMERAL, &share[1..]).unwrap().expose().to_vec();
        let premaster = match self.suite {
            PSK => psk_premaster(&[0; KEY.len()], &KEY),
            ECDHE_PSK => {
                let identity = 2 + usize::from(u16::from_be_bytes([key_exchange[0], key_exchange[1]]));
                psk_premaster(&agreed(&key_exchange[identity..]), &KEY)
            }
            _ => agreed(key_exchange),
        };
        self.master = prf(&premaster, b"extended master secret", &sha256(&self.transcript), 48);
    }

    fn body(&mut self, letter: Letter) -> (u8, Vec<u8>) {
        match letter {
            HelloVerifyRequest => (HELLO_VERIFY_REQUEST, [&[0xfe, 0xff][..], &vec8(b"a cookie")].concat()),
            HelloPsk | HelloEcdhePsk | HelloEcdsa => (SERVER_HELLO, self.hello(letter)),
            Certificate => {
                let key = RustCrypto.public_key(&signing_key(SERVER_KEY));
                (CERTIFICATE, vec24(&sedge_crypto::subject_public_key_info(&key)))
            }
            EmptyCertificate => (CERTIFICATE, vec24(&[])),
            Hint => (SERVER_KEY_EXCHANGE, vec16(b"hint")),
            Share => (SERVER_KEY_EXCHANGE, [vec16(&[]), params()].concat()),
            SignedShare => {
                let signed = [&self.client_random[..], &SERVER_RANDOM, &params()].concat();
                let key = signing_key(SERVER_KEY);
                let signature = RustCrypto.sign(&key, &sha256(&signed), &mut self.rng).unwrap();
                let signature = vec16(signature.write_der(&mut [0; 72]));
                (SERVER_KEY_EXCHANGE, [&params()[..], &[4, 3], &signature].concat())
            }
            CertificateRequest => (CERTIFICATE_REQUEST, [vec8(&[64]), vec16(&[4, 3]), vec16(&[])].concat()),
            HelloDone => (SERVER_HELLO_DONE, Vec::new()),
            Finished => (FINISHED, prf(&self.master, b"server finished", &sha256(&self.transcript), 12)),
            HelloRequest => (0, Vec::new()),
            ClientKeyExchange => (CLIENT_KEY_EXCHANGE, vec16(b"sensor-8")),
            ChangeCipherSpec | ApplicationData => unreachable!("no handshake message"),
        }
    }

    fn hello(&mut self, letter: Letter) -> Vec<u8> {
        let mut extensions = vec![extension(23, &[])];
        self.suite = match letter {
            HelloPsk => PSK,
            HelloEcdhePsk => ECDHE_PSK,
            _ => {
                let offered = |kind: &u16| hello_extension(&self.hello, *kind).is_some();
                extensions
                    .extend([19, 20].iter().filter(|kind| offered(kind)).map(|&kind| extension(kind, &[2])));
                ECDHE_ECDSA
            }
        };
        let suite = self.suite.to_be_bytes();
        [&[0xfe, 0xfd][..], &SERVER_RANDOM, &vec8(&[]), &suite, &[0], &vec16(&extensions.concat())].concat()
    }
}

/// ECParameters and the server's point.
fn params() -> Vec<u8> {
    [&[3, 0, 23][..], &vec8(RustCrypto.key_share(&EPHEMERAL).as_bytes())].concat()
}

impl Script for Server {
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
        let sequence = self.sequences[self.epoch];
        self.sequences[self.epoch] += 1;
        let mut record = match (letter, self.epoch) {
            (ChangeCipherSpec, _) | (_, 0) => record(kind, 0, sequence, &fragment),
            _ => keys(&self.master, &self.client_random, &SERVER_RANDOM).1.seal(kind, sequence, &fragment),
        };
        if letter == ChangeCipherSpec {
            self.epoch = 1;
        }
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        let outcome = self.client.receive(&mut cx, &mut self.party, &mut record).into();
        self.take_flight();
        outcome
    }
}
