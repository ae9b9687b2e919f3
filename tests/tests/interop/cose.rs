//! COSE and tokens with coset, cose-rust, pycose and cwt: each reads what Sedge makes and makes what Sedge reads.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sedge_cose::cbor::Encoder;
use sedge_cose::{
    Algorithm, Audience, Claims, Confirmation, CoseKey, Encrypt0, Envelope, Error, Header, Mac0, Message,
    NumericDate, Sign1, SymmetricKey, countersign,
};
use sedge_crypto::{Crypto, PublicKey, RustCrypto, Secret};
use sedge_tests::{need, peers};

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const NONCE: [u8; 13] = *b"thirteen byte";
const CONTENT: &[u8] = b"21.5 degrees";
const AAD: &[u8] = b"known to both";
const KID: &[u8] = b"as";

/// What a message is protected with, by kind.
const ENCRYPT0: [Algorithm; 6] = [
    Algorithm::A128GCM,
    Algorithm::AES_CCM_16_64_128,
    Algorithm::AES_CCM_64_64_128,
    Algorithm::CHACHA20_POLY1305,
    Algorithm::AES_CCM_16_128_128,
    Algorithm::AES_CCM_64_128_128,
];
const MAC0: [Algorithm; 2] = [Algorithm::HMAC_256_64, Algorithm::HMAC_256];

fn every_algorithm() -> impl Iterator<Item = (&'static str, Algorithm)> {
    let encrypt0 = ENCRYPT0.map(|algorithm| ("encrypt0", algorithm));
    let mac0 = MAC0.map(|algorithm| ("mac0", algorithm));
    encrypt0.into_iter().chain(mac0).chain([("sign1", Algorithm::ES256)])
}

/// A program that has other libraries.
pub(crate) struct Peer {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn rust(test: &str) -> Option<Self> {
        let peers = need::or_say_why(test, peers::find())?;
        Some(Self::start(Command::new(&peers.rust_cose)))
    }

    pub(crate) fn python(test: &str) -> Option<Self> {
        let peers = need::or_say_why(test, peers::find())?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/peers/cose/cose_peer.py");
        let mut command = Command::new(&peers.python_cose);
        command.arg(script);
        Some(Self::start(command))
    }

    pub(crate) fn start(mut command: Command) -> Self {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the peer starts");
        let (to, from) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        let mut peer = Self { process, to, from: BufReader::new(from) };
        assert_eq!(peer.line(), "ready");
        peer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the peer is there");
        line.trim_end().to_owned()
    }

    /// What the peer makes of a command: bytes, or why it refuses.
    pub(crate) fn ask(
        &mut self,
        command: &str,
        kind: Option<(&str, Algorithm)>,
        bytes: &[&[u8]],
    ) -> Result<Vec<u8>, String> {
        let mut line = command.to_owned();
        if let Some((kind, Algorithm(number))) = kind {
            line += &format!(" {kind} #{number}");
        }
        for bytes in bytes {
            line += " ";
            line += if bytes.is_empty() { "-" } else { "" };
            bytes.iter().for_each(|byte| line += &format!("{byte:02x}"));
        }
        writeln!(self.to, "{line}").expect("the peer is there");
        let answer = self.line();
        match answer.split_once(' ') {
            Some(("ok", hex)) => Ok(unhex(hex)),
            _ => Err(answer),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.trim_matches('-').as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal"))
        .collect()
}

fn symmetric(algorithm: Algorithm) -> SymmetricKey<'static> {
    let len = algorithm.aead().map_or(32, sedge_crypto::Aead::key_len);
    SymmetricKey::new(algorithm, &KEY[..len]).expect("its length")
}

fn nonce(algorithm: Algorithm) -> &'static [u8] {
    &NONCE[..algorithm.nonce_len().unwrap_or(0)]
}

fn signing_key() -> (<RustCrypto as Crypto>::SigningKey, PublicKey) {
    let key = RustCrypto.signing_key(&Secret::new(KEY)).expect("in range");
    let public = RustCrypto.public_key(&key);
    (key, public)
}

/// The key as peers take it, to make and to read.
fn peer_key(algorithm: Algorithm) -> [Vec<u8>; 2] {
    if algorithm != Algorithm::ES256 {
        return [symmetric(algorithm).expose().to_vec(), symmetric(algorithm).expose().to_vec()];
    }
    let point = signing_key().1.as_bytes()[1..].to_vec();
    [[&point[..], &KEY].concat(), point]
}

fn make(algorithm: Algorithm, content: &[u8], external_aad: &[u8]) -> Vec<u8> {
    let encrypted = algorithm.aead().is_some();
    let unprotected =
        Header { kid: Some(KID), iv: encrypted.then_some(nonce(algorithm)), ..Header::default() };
    let envelope = Envelope { tagged: true, unprotected, external_aad, ..Envelope::default() };
    let mut out = [0; 400];
    let made = match algorithm {
        Algorithm::ES256 => {
            let rng = &mut UnwrapErr(SysRng);
            Sign1::sign(&RustCrypto, &signing_key().0, rng, &envelope, content, &mut out)
        }
        Algorithm::HMAC_256 | Algorithm::HMAC_256_64 => {
            Mac0::create(&RustCrypto, &symmetric(algorithm), &envelope, content, &mut out)
        }
        _ => {
            Encrypt0::seal(&RustCrypto, &symmetric(algorithm), nonce(algorithm), &envelope, content, &mut out)
        }
    };
    made.expect("it can be made").to_vec()
}

fn read(algorithm: Algorithm, message: &[u8], external_aad: &[u8]) -> Result<Vec<u8>, Error> {
    let mut message = message.to_vec();
    match Message::parse(&mut message)? {
        Message::Encrypt0(message) => {
            let nonce = message.headers().nonce(algorithm, None)?;
            let opened = message.open(&RustCrypto, &symmetric(algorithm), nonce.as_bytes(), external_aad)?;
            Ok(opened.to_vec())
        }
        Message::Mac0(message) => {
            Ok(message.verify(&RustCrypto, &symmetric(algorithm), external_aad)?.to_vec())
        }
        Message::Sign1(message) => Ok(message.verify(&RustCrypto, &signing_key().1, external_aad)?.to_vec()),
    }
}

/// Both directions, with every algorithm that the library has.
fn meet(peer: &mut Peer, library: &str, lacks: &[Algorithm]) {
    for (kind, algorithm) in every_algorithm().filter(|(_, algorithm)| !lacks.contains(algorithm)) {
        let [makes, reads] = peer_key(algorithm);
        let what = Some((kind, algorithm));
        for aad in [AAD, b""] {
            let ours = make(algorithm, CONTENT, aad);
            let command = format!("{library}_read");
            let outcome = peer.ask(&command, what, &[&reads, aad, &ours]);
            assert_eq!(outcome.as_deref(), Ok(CONTENT), "{library} reads {algorithm}");
            let mut forged = ours.clone();
            *forged.last_mut().expect("it is there") ^= 1;
            for (aad, message) in [(&b"other"[..], &ours), (aad, &forged)] {
                let outcome = peer.ask(&command, what, &[&reads, aad, message]);
                assert!(outcome.is_err(), "{library} takes what is forged for {algorithm}");
            }

            let command = format!("{library}_make");
            let theirs = peer.ask(&command, what, &[&makes, nonce(algorithm), aad, KID, CONTENT]);
            let theirs = theirs.unwrap_or_else(|why| panic!("{library} makes {algorithm}: {why}"));
            assert_eq!(read(algorithm, &theirs, aad).as_deref(), Ok(CONTENT), "{algorithm} of {library}");
            assert_eq!(read(algorithm, &theirs, b"other"), Err(Error::NotAuthentic));
            if algorithm != Algorithm::ES256 {
                assert_eq!(theirs.len(), ours.len(), "{library}'s {algorithm}");
            }
        }
    }
}

#[test]
fn coset() {
    let Some(mut peer) = Peer::rust("interop::cose coset") else { return };
    meet(&mut peer, "coset", &[]);
}

#[test]
fn cose_rust() {
    let Some(mut peer) = Peer::rust("interop::cose cose-rust") else { return };
    meet(&mut peer, "cose", &[]);
}

#[test]
fn pycose() {
    let Some(mut peer) = Peer::python("interop::cose pycose") else { return };
    meet(&mut peer, "pycose", &[Algorithm::CHACHA20_POLY1305]);
}

#[test]
fn cwt() {
    let Some(mut peer) = Peer::python("interop::cose cwt") else { return };
    meet(&mut peer, "cwt", &[]);
}

/// Countersignatures of encrypted messages; of others cwt 3.3 puts `other_fields` into the structure without its array.
#[test]
fn countersignatures() {
    let Some(mut peer) = Peer::python("interop::cose countersignatures") else { return };
    let algorithm = Algorithm::AES_CCM_16_64_128;
    let [signs, verifies] = peer_key(Algorithm::ES256);
    let (key, public) = signing_key();

    let mut buffer = [make(algorithm, CONTENT, b""), vec![0; 100]].concat();
    let len = buffer.len() - 100;
    let signer = Header { kid: Some(&[2]), ..Header::default() };
    let rng = &mut UnwrapErr(SysRng);
    let ours = countersign::add(&RustCrypto, &key, rng, &signer, AAD, &mut buffer, len).expect("it has room");
    let outcome = peer.ask("cwt_counterverify", None, &[&verifies, &[2], AAD, ours]);
    assert_eq!(outcome.as_deref(), Ok(&[2][..]));
    assert!(peer.ask("cwt_counterverify", None, &[&verifies, &[2], b"other", ours]).is_err());

    let message = make(algorithm, CONTENT, b"");
    let mut theirs = peer.ask("cwt_countersign", None, &[&signs, &[3], AAD, &message]).expect("cwt can");
    let message = Encrypt0::parse(&mut theirs).expect("well formed");
    let by = countersign::of(message.headers()).next().expect("there is one").expect("well formed");
    let target = message.target().expect("the ciphertext is there");
    assert_eq!(by.headers().kid(), Some(&[3][..]));
    assert_eq!(by.verify(&RustCrypto, &public, &target, AAD), Ok(()));
    assert_eq!(by.verify(&RustCrypto, &public, &target, b""), Err(Error::NotAuthentic));
}

#[test]
fn tokens() {
    let Some(mut peer) = Peer::python("interop::cose tokens") else { return };
    // As the peer has them.
    let claims = Claims {
        issuer: Some("coap://as"),
        subject: Some("pump-7"),
        audience: Some(Audience::one("coap://broker")),
        expires: Some(NumericDate::new(4_102_444_800)),
        not_before: Some(NumericDate::new(1_700_000_000)),
        issued_at: Some(NumericDate::new(1_700_000_000)),
        id: Some(&[1]),
        confirmation: Some(Confirmation::KeyId(b"k1")),
        ..Claims::default()
    };
    let mut encoded = [0; 200];
    let encoded = claims.encode(&mut encoded).expect("room");
    let kinds = [
        ("encrypt0", Algorithm::AES_CCM_16_64_128),
        ("mac0", Algorithm::HMAC_256),
        ("sign1", Algorithm::ES256),
    ];
    for (kind, algorithm) in kinds {
        let [makes, reads] = peer_key(algorithm);
        let what = Some((kind, algorithm));
        let token = [&[0xd8, 61], &make(algorithm, encoded, b"")[..]].concat();
        let outcome = peer.ask("cwt_show", what, &[&reads, &token]);
        assert_eq!(outcome.as_deref(), Ok(&b"as expected"[..]), "{kind}");

        let token = peer.ask("cwt_token", what, &[&makes, nonce(algorithm)]).expect("cwt can");
        let content = read(algorithm, &token, b"").expect("authentic");
        assert_eq!(Claims::parse(&content), Ok(claims), "{kind}");
        assert_eq!(content, encoded, "one form");
    }
}

#[test]
fn keys() {
    let Some(mut peer) = Peer::rust("interop::cose keys") else { return };
    let (_, public) = signing_key();
    let secret = symmetric(Algorithm::AES_CCM_16_64_128);
    let keys = [
        CoseKey { kid: Some(b"k1"), ..CoseKey::public(&public) },
        CoseKey { kid: Some(b"gid"), base_iv: Some(&NONCE), ..CoseKey::symmetric(&secret) },
    ];
    for key in keys {
        let mut buffer = [0; 200];
        let mut encoder = Encoder::new(&mut buffer);
        key.encode(&mut encoder);
        let ours = encoder.finish().expect("room");
        let theirs = peer.ask("coset_key", None, &[ours]).expect("a key");
        assert_eq!(CoseKey::parse(&theirs), Ok(key));
        assert_eq!(theirs.len(), ours.len());
    }
}
