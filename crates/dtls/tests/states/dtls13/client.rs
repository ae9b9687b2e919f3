//! A client under test, and the script of a server.

use sedge_crypto::{Crypto, RustCrypto, subject_public_key_info};
use sedge_dtls::*;
use sedge_time::Instant;

use super::*;
use crate::language::{Outcome, Script, learn, prefixes};
use crate::party::{CLIENT_KEY, EPHEMERAL, KEY, Party, SERVER_KEY, TestRng, signing_key};
use crate::wire::*;

/// What a server can send. What follows a ServerHello is sealed, but for the last three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Letter {
    /// A HelloRetryRequest with a cookie.
    Retry,
    /// ServerHello: the pre-shared key alone, the pre-shared key and a share, a share alone.
    HelloPsk,
    HelloPskShare,
    HelloShare,
    EncryptedExtensions,
    CertificateRequest,
    Certificate,
    EmptyCertificate,
    CertificateVerify,
    Finished,
    NewSessionTicket,
    KeyUpdate,
    /// A client's message in a server's mouth.
    ClientHello,
    HelloVerifyRequest,
    PlainEncryptedExtensions,
    PlainFinished,
}
use Letter::*;

const ALPHABET: &[Letter] = &[
    Retry,
    HelloPsk,
    HelloPskShare,
    HelloShare,
    EncryptedExtensions,
    CertificateRequest,
    Certificate,
    EmptyCertificate,
    CertificateVerify,
    Finished,
    NewSessionTicket,
    KeyUpdate,
    ClientHello,
    HelloVerifyRequest,
    PlainEncryptedExtensions,
    PlainFinished,
];

struct Server {
    client: ClientHandshake<Full<RustCrypto>>,
    party: Party,
    rng: TestRng,
    transcript: Vec<u8>,
    /// The client's last hello.
    hello: Vec<u8>,
    handshake: Schedule,
    /// The secret of what the server sends; none before its hello.
    secret: Option<Vec<u8>>,
    by_certificate: bool,
    message_seq: u16,
    sequences: [u16; 2],
}

impl Server {
    /// After the first ClientHello of a client that has this much.
    fn new(mut party: Party) -> Self {
        let mut rng = TestRng(7);
        let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
        let config = ClientConfig { versions: Versions::ONLY_1_3, ..ClientConfig::default() };
        let client = ClientHandshake::connect(&mut cx, &mut party, &config).unwrap();
        let mut server = Self {
            client,
            party,
            rng,
            transcript: Vec::new(),
            hello: Vec::new(),
            handshake: Schedule::early(&[0; 32]),
            secret: None,
            by_certificate: false,
            message_seq: 0,
            sequences: [0; 2],
        };
        server.take_hello();
        server
    }

    /// Reads what the client has to say, of which only its hellos count here.
    fn take_hello(&mut self) {
        let mut buf = [0; 2048];
        while let Some(len) = self.client.poll_transmit(&RustCrypto, &mut buf) {
            if self.secret.is_none() {
                for (kind, _, body) in handshake_messages(&buf[..len], &[]) {
                    assert_eq!(kind, CLIENT_HELLO);
                    self.transcript.extend(transcribed(kind, &body));
                    self.hello = body;
                }
            }
        }
    }

    fn body(&mut self, letter: Letter) -> (u8, Vec<u8>) {
        match letter {
            Retry => {
                let cookie = extension(COOKIE, &vec16(b"a cookie"));
                (SERVER_HELLO, hello_body(&HELLO_RETRY_REQUEST, &[version(), cookie].concat()))
            }
            HelloPsk | HelloPskShare | HelloShare => {
                let share = vec16(RustCrypto.key_share(&EPHEMERAL).as_bytes());
                let share = extension(KEY_SHARE, &[&[0, 23][..], &share].concat());
                let psk = extension(PRE_SHARED_KEY, &[0, 0]);
                let extensions = match letter {
                    HelloPsk => [version(), psk].concat(),
                    HelloPskShare => [version(), share, psk].concat(),
                    _ => [version(), share].concat(),
                };
                (SERVER_HELLO, hello_body(&[0x5e; 32], &extensions))
            }
            EncryptedExtensions | PlainEncryptedExtensions => {
                let types =
                    [extension(CLIENT_CERTIFICATE_TYPE, &[2]), extension(SERVER_CERTIFICATE_TYPE, &[2])];
                let types = if self.by_certificate { types.concat() } else { Vec::new() };
                (ENCRYPTED_EXTENSIONS, vec16(&types))
            }
            CertificateRequest => {
                let algorithms = extension(SIGNATURE_ALGORITHMS, &vec16(&[4, 3]));
                (CERTIFICATE_REQUEST, [vec8(&[]), vec16(&algorithms)].concat())
            }
            Certificate => {
                let key = RustCrypto.public_key(&signing_key(SERVER_KEY));
                (CERTIFICATE, certificate(Some(&subject_public_key_info(&key))))
            }
            EmptyCertificate => (CERTIFICATE, certificate(None)),
            CertificateVerify => {
                let digest = signed_digest("TLS 1.3, server CertificateVerify", &self.transcript);
                let signature = RustCrypto.sign(&signing_key(SERVER_KEY), &digest, &mut self.rng).unwrap();
                let signature = vec16(signature.write_der(&mut [0; 72]));
                (CERTIFICATE_VERIFY, [&[4, 3][..], &signature].concat())
            }
            Finished | PlainFinished => {
                let secret = self.secret.as_deref().unwrap_or(&[0; 32]);
                (FINISHED, finished(secret, &self.transcript))
            }
            NewSessionTicket => {
                let ticket = [&[0, 0, 14, 16, 1, 2, 3, 4][..], &vec8(&[0]), &vec16(b"ticket"), &vec16(&[])];
                (NEW_SESSION_TICKET, ticket.concat())
            }
            KeyUpdate => (KEY_UPDATE, vec![0]),
            ClientHello => (CLIENT_HELLO, self.hello.clone()),
            HelloVerifyRequest => (HELLO_VERIFY_REQUEST, [&[0xfe, 0xff][..], &vec8(b"a cookie")].concat()),
        }
    }

    /// The secrets that follow from a ServerHello, which is part of the transcript.
    fn derive(&mut self, letter: Letter) {
        let (psk, shared) = (letter != HelloShare, letter != HelloPsk);
        let early = Schedule::early(if psk { &KEY } else { &[0; 32] });
        // The client's first share is in the group it likes best.
        let share = hello_extension(&self.hello, KEY_SHARE).filter(|_| shared);
        let agreed = share
            .and_then(|shares| RustCrypto.agree(&EPHEMERAL, shares.get(6..6 + 65)?).ok())
            .map_or(vec![0; 32], |agreed| agreed.expose().to_vec());
        self.handshake = early.next(&agreed);
        self.secret = Some(self.handshake.derive("s hs traffic", &self.transcript));
        self.by_certificate = !psk;
    }
}

/// The `supported_versions` of a ServerHello.
fn version() -> Vec<u8> {
    extension(SUPPORTED_VERSIONS, &[0xfe, 0xfc])
}

fn hello_body(random: &[u8; 32], extensions: &[u8]) -> Vec<u8> {
    [&[0xfe, 0xfd][..], random, &vec8(&[]), &CCM_8, &[0], &vec16(extensions)].concat()
}

impl Script for Server {
    type Letter = Letter;

    fn send(&mut self, letter: Letter) -> Outcome {
        let (kind, body) = self.body(letter);
        if letter == Retry {
            self.transcript = message_hash(&self.transcript);
        }
        self.transcript.extend(transcribed(kind, &body));
        let message = message(kind, self.message_seq, &body);
        self.message_seq += 1;
        let plain = matches!(
            letter,
            Retry
                | HelloPsk
                | HelloPskShare
                | HelloShare
                | HelloVerifyRequest
                | PlainEncryptedExtensions
                | PlainFinished
        );
        let mut record = match self.secret.as_ref().filter(|_| !plain) {
            Some(secret) => {
                self.sequences[1] += 1;
                seal(secret, 2, self.sequences[1] - 1, HANDSHAKE, &message)
            }
            None => {
                self.sequences[0] += 1;
                record(HANDSHAKE, 0, u64::from(self.sequences[0]) - 1, &message)
            }
        };
        if matches!(letter, HelloPsk | HelloPskShare | HelloShare) {
            self.derive(letter);
        }
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        let outcome = self.client.receive(&mut cx, &mut self.party, &mut record).into();
        self.take_hello();
        outcome
    }
}

/// A client with these credentials takes these words, with and without a retry in front, and no other.
fn accepts_only(party: impl Fn() -> Party, words: &[&[Letter]]) {
    let mut expected: Vec<Vec<Letter>> = words.iter().map(|word| word.to_vec()).collect();
    expected.extend(words.iter().map(|word| [&[Retry], *word].concat()));
    let longest = expected.iter().map(Vec::len).max().unwrap() + 1;
    let is_hello = |letter: &&Letter| matches!(letter, HelloPsk | HelloPskShare | HelloShare);
    let hellos = |word: &[Letter]| word.iter().filter(is_hello).count();
    let worth = |word: &[Letter]| word.len() < if hellos(word) > 1 { 4 } else { longest };
    let mut language = learn(|| Server::new(party()), ALPHABET, worth);
    // Until the server has proved who it is, another ServerHello may be the genuine one: it may be believed instead of
    // the first, whose server then cannot finish.
    assert!(language.words.iter().all(|word| hellos(word) == 1));
    language.prefixes.retain(|word| hellos(word) <= 1);
    assert_eq!(language.words, expected.iter().cloned().collect());
    assert_eq!(language.prefixes, prefixes(&expected));
}

const WITH_PSK: &[&[Letter]] =
    &[&[HelloPsk, EncryptedExtensions, Finished], &[HelloPskShare, EncryptedExtensions, Finished]];

const WITH_CERTIFICATE: &[&[Letter]] = &[
    &[HelloShare, EncryptedExtensions, Certificate, CertificateVerify, Finished],
    &[HelloShare, EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished],
];

#[test]
fn a_client_with_a_pre_shared_key() {
    accepts_only(|| Party::new(true, None, None), WITH_PSK);
}

#[test]
fn a_client_that_pins_the_servers_key() {
    accepts_only(|| Party::new(false, Some(CLIENT_KEY), Some(SERVER_KEY)), WITH_CERTIFICATE);
}

#[test]
fn a_client_that_pins_the_servers_key_and_stays_anonymous() {
    accepts_only(|| Party::new(false, None, Some(SERVER_KEY)), WITH_CERTIFICATE);
}

#[test]
fn a_client_with_both() {
    let both = [WITH_PSK, WITH_CERTIFICATE].concat();
    accepts_only(|| Party::new(true, Some(CLIENT_KEY), Some(SERVER_KEY)), &both);
}
