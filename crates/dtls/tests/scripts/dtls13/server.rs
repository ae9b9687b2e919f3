//! A server under test, and the script of a client.

use sedge_crypto::{Crypto, RustCrypto, subject_public_key_info};
use sedge_dtls::*;
use sedge_time::Instant;

use super::*;
use crate::scripts::party::{CLIENT_KEY, EPHEMERAL, IDENTITY, KEY, Party, SERVER_KEY, TestRng, signing_key};
use crate::scripts::wire::*;
use crate::scripts::{Outcome, Script};

/// What a client can send after its hello; sealed, but for the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
    Certificate,
    EmptyCertificate,
    CertificateVerify,
    Finished,
    EndOfEarlyData,
    KeyUpdate,
    /// A server's message in a client's mouth.
    EncryptedExtensions,
    SealedClientHello,
    PlainCertificate,
    PlainFinished,
}
use Letter::*;

pub const ALPHABET: &[Letter] = &[
    Certificate,
    EmptyCertificate,
    CertificateVerify,
    Finished,
    EndOfEarlyData,
    KeyUpdate,
    EncryptedExtensions,
    SealedClientHello,
    PlainCertificate,
    PlainFinished,
];

/// How the client means to agree on keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    Psk,
    PskShare,
    Share,
}

const ADDRESS: &[u8] = b"192.0.2.7:40000";

pub struct Client {
    server: ServerHandshake<Full<RustCrypto>>,
    party: Party,
    rng: TestRng,
    transcript: Vec<u8>,
    /// The secret of what the client sends.
    secret: Vec<u8>,
    hello: Vec<u8>,
    message_seq: u16,
    sequence: u16,
}

impl Client {
    /// After the server's first flight.
    pub fn new(exchange: Exchange, client_certificate: ClientCertificate) -> Self {
        let (mut rng, mut party) = (TestRng(7), Party::new(true, Some(SERVER_KEY), Some(CLIENT_KEY)));
        let mut cx = Context::new(&RustCrypto, &mut rng, Instant::EPOCH);
        let cookies = CookieKeys::new(cx.crypto, cx.rng);
        let config = ServerConfig { client_certificate, ..ServerConfig::default() };
        let mut buf = [0; 2048];

        let first = hello_body(exchange, None, &[]);
        let datagram = record(HANDSHAKE, 0, 0, &message(CLIENT_HELLO, 0, &first));
        let Hello::Reply(len) = hello(&RustCrypto, &cookies, &config, ADDRESS, &datagram, &mut buf) else {
            panic!("no cookie")
        };
        let (kind, _, retry) = handshake_messages(&buf[..len], &[]).remove(0);
        assert_eq!((kind, &retry[2..34]), (SERVER_HELLO, &HELLO_RETRY_REQUEST[..]));
        let before = [message_hash(&transcribed(CLIENT_HELLO, &first)), transcribed(kind, &retry)].concat();

        let second = hello_body(exchange, Some(&cookie_of(&retry)), &before);
        let mut transcript = [before, transcribed(CLIENT_HELLO, &second)].concat();
        let datagram = record(HANDSHAKE, 0, 1, &message(CLIENT_HELLO, 1, &second));
        let Hello::Accept(verified) = hello(&RustCrypto, &cookies, &config, ADDRESS, &datagram, &mut buf)
        else {
            panic!("refused")
        };
        let mut server =
            ServerHandshake::accept(&mut cx, &mut party, &config, &verified, ConnectionId::EMPTY).unwrap();

        let mut flight = Vec::new();
        while let Some(len) = server.poll_transmit(&RustCrypto, &mut buf) {
            flight.extend_from_slice(&buf[..len]);
        }
        // Its first record is the ServerHello.
        let hello_len = 13 + usize::from(u16::from_be_bytes([flight[11], flight[12]]));
        let (_, _, server_hello) = handshake_messages(&flight[..hello_len], &[]).remove(0);
        transcript.extend(transcribed(SERVER_HELLO, &server_hello));
        let agreed = match exchange {
            Exchange::Psk => vec![0; 32],
            _ => {
                let share = server_extension(&server_hello, KEY_SHARE).unwrap();
                RustCrypto.agree(&EPHEMERAL, &share[4..]).unwrap().expose().to_vec()
            }
        };
        let early = Schedule::early(if exchange == Exchange::Share { &[0; 32] } else { &KEY });
        let handshake = early.next(&agreed);
        let server_secret = handshake.derive("s hs traffic", &transcript);
        let secret = handshake.derive("c hs traffic", &transcript);
        for (kind, _, body) in handshake_messages(&flight[hello_len..], &server_secret) {
            transcript.extend(transcribed(kind, &body));
        }
        Self { server, party, rng, transcript, secret, hello: second, message_seq: 2, sequence: 0 }
    }

    fn body(&mut self, letter: Letter) -> (u8, Vec<u8>) {
        match letter {
            Certificate | PlainCertificate => {
                let key = RustCrypto.public_key(&signing_key(CLIENT_KEY));
                (CERTIFICATE, certificate(Some(&subject_public_key_info(&key))))
            }
            EmptyCertificate => (CERTIFICATE, certificate(None)),
            CertificateVerify => {
                let digest = signed_digest("TLS 1.3, client CertificateVerify", &self.transcript);
                let signature = RustCrypto.sign(&signing_key(CLIENT_KEY), &digest, &mut self.rng).unwrap();
                let signature = vec16(signature.write_der(&mut [0; 72]));
                (CERTIFICATE_VERIFY, [&[4, 3][..], &signature].concat())
            }
            Finished | PlainFinished => (FINISHED, finished(&self.secret, &self.transcript)),
            EndOfEarlyData => (END_OF_EARLY_DATA, Vec::new()),
            KeyUpdate => (KEY_UPDATE, vec![0]),
            EncryptedExtensions => (ENCRYPTED_EXTENSIONS, vec16(&[])),
            SealedClientHello => (CLIENT_HELLO, self.hello.clone()),
        }
    }
}

fn hello_body(exchange: Exchange, cookie: Option<&[u8]>, before: &[u8]) -> Vec<u8> {
    let share = vec16(RustCrypto.key_share(&EPHEMERAL).as_bytes());
    let share = extension(KEY_SHARE, &vec16(&[&[0, 23][..], &share].concat()));
    let mut extensions = vec![extension(SUPPORTED_VERSIONS, &vec8(&[0xfe, 0xfc]))];
    if exchange != Exchange::Psk {
        extensions.extend([extension(SUPPORTED_GROUPS, &vec16(&[0, 23])), share]);
    }
    if exchange == Exchange::Share {
        extensions.push(extension(SIGNATURE_ALGORITHMS, &vec16(&[4, 3])));
        extensions.push(extension(CLIENT_CERTIFICATE_TYPE, &vec8(&[2])));
        extensions.push(extension(SERVER_CERTIFICATE_TYPE, &vec8(&[2])));
    }
    extensions.extend(cookie.map(|cookie| extension(COOKIE, &vec16(cookie))));
    let head = [&[0xfe, 0xfd][..], &[0xc1; 32], &vec8(&[]), &vec8(&[]), &vec16(&CCM_8), &vec8(&[0])].concat();
    if exchange == Exchange::Share {
        return [head, vec16(&extensions.concat())].concat();
    }
    let mode = if exchange == Exchange::Psk { 0 } else { 1 };
    extensions.push(extension(PSK_KEY_EXCHANGE_MODES, &vec8(&[mode])));
    let identities = vec16(&[&vec16(IDENTITY)[..], &[0; 4]].concat());
    let with_binder = |binder: &[u8]| {
        let psks = [&identities[..], &vec16(&vec8(binder))].concat();
        let extensions = [extensions.concat(), extension(PRE_SHARED_KEY, &psks)].concat();
        [&head[..], &vec16(&extensions)].concat()
    };
    // The binder covers the hello without the binders (RFC 8446 section 4.2.11.2).
    let whole = transcribed(CLIENT_HELLO, &with_binder(&[0; 32]));
    let truncated = [before, &whole[..whole.len() - 35]].concat();
    let key = Schedule::early(&KEY).derive("ext binder", &[]);
    with_binder(&finished(&key, &truncated))
}

/// An extension of a ServerHello's body.
fn server_extension(body: &[u8], wanted: u16) -> Option<Vec<u8>> {
    // It has one suite and one method where a ClientHello has lists of them.
    let as_client = [&body[..34], &body[34..35], &[0], &[0, 0], &[0], &body[38..]].concat();
    hello_extension(&as_client, wanted)
}

fn cookie_of(retry: &[u8]) -> Vec<u8> {
    server_extension(retry, COOKIE).unwrap()[2..].to_vec()
}

impl Script for Client {
    type Letter = Letter;

    fn send_edited(&mut self, letter: Letter, edit: &mut dyn FnMut(&mut Vec<u8>)) -> Outcome {
        let (kind, mut body) = self.body(letter);
        edit(&mut body);
        self.transcript.extend(transcribed(kind, &body));
        let message = message(kind, self.message_seq, &body);
        self.message_seq += 1;
        let mut record = match letter {
            PlainCertificate | PlainFinished => record(HANDSHAKE, 0, 2, &message),
            _ => {
                self.sequence += 1;
                seal(&self.secret, 2, self.sequence - 1, HANDSHAKE, &message)
            }
        };
        let mut cx = Context::new(&RustCrypto, &mut self.rng, Instant::EPOCH);
        self.server.receive(&mut cx, &mut self.party, &mut record).into()
    }
}
