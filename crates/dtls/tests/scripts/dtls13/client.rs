//! A client under test, and the script of a server.

use sedge_crypto::{Crypto, NamedGroup, RustCrypto, subject_public_key_info};
use sedge_dtls::*;
use sedge_time::Instant;

use super::*;
use crate::scripts::party::{EPHEMERAL, KEY, Party, SERVER_KEY, TestRng, signing_key};
use crate::scripts::wire::*;
use crate::scripts::{Outcome, Script};

/// What a server can send. What follows a ServerHello is sealed, but for the last three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
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
    /// Of whatever the client has sent under the handshake's keys.
    Ack,
    NewSessionTicket,
    KeyUpdate,
    /// A client's message in a server's mouth.
    ClientHello,
    HelloVerifyRequest,
    PlainEncryptedExtensions,
    PlainFinished,
}
use Letter::*;

pub const ALPHABET: &[Letter] = &[
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
    Ack,
    NewSessionTicket,
    KeyUpdate,
    ClientHello,
    HelloVerifyRequest,
    PlainEncryptedExtensions,
    PlainFinished,
];

pub struct Server {
    client: ClientHandshake<Full<RustCrypto>>,
    party: Party,
    rng: TestRng,
    transcript: Vec<u8>,
    /// The client's last hello.
    hello: Vec<u8>,
    handshake: Schedule,
    /// The secret of what the server sends; none before its hello.
    secret: Option<Vec<u8>>,
    /// The secret of what it sends once it is done.
    application: Vec<u8>,
    by_certificate: bool,
    message_seq: u16,
    sequences: [u16; 3],
}

impl Server {
    /// After the first ClientHello of a client that has this much.
    pub fn new(mut party: Party, groups: &[NamedGroup]) -> Self {
        let mut rng = TestRng(7);
        let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
        let config = ClientConfig { versions: Versions::ONLY_1_3, groups, ..ClientConfig::default() };
        let client = ClientHandshake::connect(&mut cx, &mut party, &config).unwrap();
        let mut server = Self {
            client,
            party,
            rng,
            transcript: Vec::new(),
            hello: Vec::new(),
            handshake: Schedule::early(&[0; 32]),
            secret: None,
            application: vec![0; 32],
            by_certificate: false,
            message_seq: 0,
            sequences: [0; 3],
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
                let asked = |kind: &u16| self.by_certificate && hello_extension(&self.hello, *kind).is_some();
                let types = [CLIENT_CERTIFICATE_TYPE, SERVER_CERTIFICATE_TYPE].into_iter().filter(asked);
                let types: Vec<u8> = types.flat_map(|kind| extension(kind, &[2])).collect();
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
            Ack => unreachable!("no handshake message"),
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

impl Server {
    /// An ACK of the client's first records of epoch 2, whether or not there are so many, in epoch 3.
    fn acknowledge(&mut self) -> Outcome {
        let numbers: Vec<u8> =
            (0_u64..8).flat_map(|number| [2_u64.to_be_bytes(), number.to_be_bytes()]).flatten().collect();
        self.sequences[2] += 1;
        let mut record = seal(&self.application, 3, self.sequences[2] - 1, ACK, &vec16(&numbers));
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        self.client.receive(&mut cx, &mut self.party, &mut record).into()
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

    fn send_edited(&mut self, letter: Letter, edit: &mut dyn FnMut(&mut Vec<u8>)) -> Outcome {
        if letter == Ack {
            return self.acknowledge();
        }
        let (kind, mut body) = self.body(letter);
        edit(&mut body);
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
        match letter {
            HelloPsk | HelloPskShare | HelloShare => self.derive(letter),
            Finished => {
                self.application = self.handshake.next(&[0; 32]).derive("s ap traffic", &self.transcript)
            }
            _ => {}
        }
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        let outcome = self.client.receive(&mut cx, &mut self.party, &mut record).into();
        self.take_hello();
        outcome
    }
}
