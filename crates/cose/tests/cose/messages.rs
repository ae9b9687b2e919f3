//! Messages of our own: round trips, forgeries, room, and what they cost.

use proptest::prelude::*;
use sedge_cose::cbor::Label;
use sedge_cose::{
    Algorithm, Encrypt0, Envelope, Error, Header, MAX_AAD, Mac0, Message, Nonce, Sign1, SymmetricKey,
};
use sedge_crypto::{Crypto, RustCrypto, Secret};

use crate::support::{Seeded, hex};

const CIPHERS: [Algorithm; 6] = [
    Algorithm::A128GCM,
    Algorithm::AES_CCM_16_64_128,
    Algorithm::AES_CCM_64_64_128,
    Algorithm::CHACHA20_POLY1305,
    Algorithm::AES_CCM_16_128_128,
    Algorithm::AES_CCM_64_128_128,
];
const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

for_every_provider!(
    what_is_made_is_read,
    detached_content_is_not_in_the_message,
    any_bit_counts,
    external_data_count,
    a_key_is_for_one_algorithm,
    rfc_8439_in_cose,
);

fn key(algorithm: Algorithm) -> SymmetricKey<'static> {
    let len = algorithm.aead().map_or(32, sedge_crypto::Aead::key_len);
    SymmetricKey::new(algorithm, &KEY[..len]).unwrap()
}

fn nonce(algorithm: Algorithm) -> Nonce {
    Nonce::new(&[9; 13][..algorithm.nonce_len().unwrap()]).unwrap()
}

/// One message of each kind and algorithm.
fn every_kind<C: Crypto>(crypto: &C, envelope: &Envelope<'_>, content: &[u8]) -> Vec<(Algorithm, Vec<u8>)> {
    let mut buffer = [0; 1000];
    let mut all = vec![];
    for algorithm in CIPHERS.into_iter().filter(|_| !envelope.detached) {
        let nonce = nonce(algorithm);
        let message =
            Encrypt0::seal(crypto, &key(algorithm), nonce.as_bytes(), envelope, content, &mut buffer)
                .unwrap();
        all.push((algorithm, message.to_vec()));
    }
    for algorithm in [Algorithm::HMAC_256_64, Algorithm::HMAC_256] {
        let message = Mac0::create(crypto, &key(algorithm), envelope, content, &mut buffer).unwrap();
        all.push((algorithm, message.to_vec()));
    }
    let signing_key = crypto.signing_key(&Secret::new(KEY)).unwrap();
    let message = Sign1::sign(crypto, &signing_key, &mut Seeded(1), envelope, content, &mut buffer).unwrap();
    all.push((Algorithm::ES256, message.to_vec()));
    all
}

fn read<C: Crypto>(
    crypto: &C,
    algorithm: Algorithm,
    message: &[u8],
    external: &[u8],
) -> Result<Vec<u8>, Error> {
    match algorithm {
        Algorithm::ES256 => {
            let public = crypto.public_key(&crypto.signing_key(&Secret::new(KEY)).unwrap());
            Sign1::parse(message)?.verify(crypto, &public, external).map(<[u8]>::to_vec)
        }
        Algorithm::HMAC_256 | Algorithm::HMAC_256_64 => {
            Mac0::parse(message)?.verify(crypto, &key(algorithm), external).map(<[u8]>::to_vec)
        }
        _ => {
            let (mut message, nonce) = (message.to_vec(), nonce(algorithm));
            let message = Encrypt0::parse(&mut message)?;
            message.open(crypto, &key(algorithm), nonce.as_bytes(), external).map(|text| text.to_vec())
        }
    }
}

fn what_is_made_is_read(crypto: &impl Crypto) {
    let other = hex("83010203");
    let envelope = Envelope {
        protected: Header { content_type: Some(Label::Int(60)), ..Header::default() },
        unprotected: Header {
            kid: Some(b"k1"),
            partial_iv: Some(&[1]),
            others: &[(Label::Int(-70_000), &other), (Label::Text("x"), &[0xf5])],
            ..Header::default()
        },
        external_aad: b"aad",
        ..Envelope::default()
    };
    for tagged in [true, false] {
        for (algorithm, message) in every_kind(crypto, &Envelope { tagged, ..envelope }, b"content") {
            assert_eq!(read(crypto, algorithm, &message, b"aad"), Ok(b"content".to_vec()));
            let mut copy = message.clone();
            let Ok(parsed) = Message::parse(&mut copy) else {
                assert!(!tagged);
                continue;
            };
            let headers = parsed.headers();
            assert_eq!(headers.algorithm(), Some(algorithm));
            assert_eq!(headers.content_type(), Some(Label::Int(60)));
            assert_eq!((headers.kid(), headers.partial_iv()), (Some(&b"k1"[..]), Some(&[1][..])));
            let other = headers.unprotected(Label::Int(-70_000)).unwrap().item();
            assert_eq!(other, Ok(&[0x83, 1, 2, 3][..]));
            assert_eq!(headers.unprotected(Label::Text("x")).unwrap().bool(), Ok(true));
            assert!(headers.protected(Label::Text("x")).is_none());
            assert!(headers.protected(Label::Int(3)).is_some());
        }
    }
}

fn detached_content_is_not_in_the_message(crypto: &impl Crypto) {
    let envelope = Envelope { detached: true, ..Envelope::default() };
    for (algorithm, message) in every_kind(crypto, &envelope, b"elsewhere") {
        assert!(!message.windows(9).any(|window| window == b"elsewhere"));
        assert_eq!(read(crypto, algorithm, &message, b""), Err(Error::Detached));
        let check = |content: &[u8], message: &[u8]| match algorithm {
            Algorithm::ES256 => {
                let public = crypto.public_key(&crypto.signing_key(&Secret::new(KEY)).unwrap());
                Sign1::parse(message).unwrap().verify_detached(crypto, &public, b"", content)
            }
            _ => Mac0::parse(message).unwrap().verify_detached(crypto, &key(algorithm), b"", content),
        };
        assert_eq!(check(b"elsewhere", &message), Ok(()));
        assert_eq!(check(b"elsewhera", &message), Err(Error::NotAuthentic));
        let attached = every_kind(crypto, &Envelope::default(), b"elsewhere");
        let (_, attached) = attached.iter().find(|(of, _)| *of == algorithm).unwrap();
        assert_eq!(check(b"elsewhere", attached), Err(Error::Detached));
    }
    // A ciphertext that travels apart.
    let algorithm = Algorithm::AES_CCM_16_64_128;
    let (_, whole) = every_kind(crypto, &Envelope::default(), b"elsewhere").swap_remove(1);
    let mut ciphertext = whole[whole.len() - 17..].to_vec();
    let mut apart = [&whole[..whole.len() - 18], &[0xf6]].concat();
    let nonce = nonce(algorithm);
    let parsed = Encrypt0::parse(&mut apart).unwrap();
    let opened = parsed.open_detached(crypto, &key(algorithm), nonce.as_bytes(), b"", &mut ciphertext);
    assert_eq!(opened.unwrap(), b"elsewhere");
    let refused = Encrypt0::seal(crypto, &key(algorithm), nonce.as_bytes(), &envelope, b"", &mut [0; 90])
        .map(|made| made.len());
    assert_eq!(refused.err(), Some(Error::Detached));
}

fn any_bit_counts(crypto: &impl Crypto) {
    // Nothing unprotected: each bit is authenticated, or its change is seen.
    for (algorithm, message) in every_kind(crypto, &Envelope::default(), b"21.5") {
        for bit in 0..8 * message.len() {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let outcome = read(crypto, algorithm, &changed, b"");
            assert!(outcome.is_err(), "{algorithm} opens with bit {bit} changed: {outcome:?}");
        }
        for len in 0..message.len() {
            assert!(read(crypto, algorithm, &message[..len], b"").is_err(), "{algorithm} opens cut to {len}");
        }
    }
}

fn external_data_count(crypto: &impl Crypto) {
    let long = vec![5; MAX_AAD - 20];
    for external in [&b""[..], b"a", &long] {
        let envelope = Envelope { external_aad: external, ..Envelope::default() };
        for (algorithm, message) in every_kind(crypto, &envelope, b"text") {
            assert_eq!(read(crypto, algorithm, &message, external), Ok(b"text".to_vec()));
            assert_eq!(read(crypto, algorithm, &message, b"b"), Err(Error::NotAuthentic));
        }
    }
    let too_long = Envelope { external_aad: &[5; MAX_AAD], ..Envelope::default() };
    let algorithm = Algorithm::A128GCM;
    let refused = Encrypt0::seal(crypto, &key(algorithm), &[9; 12], &too_long, b"", &mut [0; 90])
        .map(|made| made.len());
    assert_eq!(refused.err(), Some(Error::AadTooLong));
    // What is hashed has no such end.
    let mac =
        Mac0::create(crypto, &key(Algorithm::HMAC_256), &too_long, b"x", &mut [0; 90]).unwrap().to_vec();
    assert_eq!(read(crypto, Algorithm::HMAC_256, &mac, &[5; MAX_AAD]), Ok(b"x".to_vec()));
}

fn a_key_is_for_one_algorithm(crypto: &impl Crypto) {
    let all = every_kind(crypto, &Envelope::default(), b"text");
    for (algorithm, message) in &all {
        for (other, _) in all.iter().filter(|(other, _)| other != algorithm) {
            let outcome = read(crypto, *other, message, b"");
            assert!(matches!(outcome, Err(Error::Algorithm | Error::Structure)), "{other} reads {algorithm}");
        }
    }
    for (algorithm, len) in [
        (Algorithm::A128GCM, 32),
        (Algorithm::AES_CCM_16_64_128, 15),
        (Algorithm::CHACHA20_POLY1305, 16),
        (Algorithm::HMAC_256, 31),
        (Algorithm::HMAC_256_64, 0),
        (Algorithm::ES256, 32),
        (Algorithm(-99), 16),
    ] {
        assert_eq!(SymmetricKey::new(algorithm, &[0; 32][..len]).err(), Some(Error::Key), "{algorithm}");
    }
    let cipher = key(Algorithm::A128GCM);
    assert_eq!(
        Mac0::create(crypto, &cipher, &Envelope::default(), b"", &mut [0; 90]).err(),
        Some(Error::Key)
    );
    let mac = key(Algorithm::HMAC_256);
    let refused = Encrypt0::seal(crypto, &mac, &[0; 12], &Envelope::default(), b"", &mut [0; 90])
        .map(|made| made.len());
    assert_eq!(refused.err(), Some(Error::Key));
    let refused = Encrypt0::seal(crypto, &cipher, &[0; 13], &Envelope::default(), b"", &mut [0; 90])
        .map(|made| made.len());
    assert_eq!(refused.err(), Some(Error::Nonce));
}

/// The vector of RFC 8439 section 2.8.2 has other additional data, so the key stream is what can be compared.
fn rfc_8439_in_cose(crypto: &impl Crypto) {
    let secret: Vec<u8> = (0x80..0xa0).collect();
    let key = SymmetricKey::new(Algorithm::CHACHA20_POLY1305, &secret).unwrap();
    let text = b"Ladies and Gentlemen of the class of '99";
    let mut buffer = [0; 100];
    let nonce = hex("070000004041424344454647");
    let message = Encrypt0::seal(crypto, &key, &nonce, &Envelope::default(), text, &mut buffer).unwrap();
    let parsed = Encrypt0::parse(message).unwrap();
    let expected = hex("d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6 3dbea45e8ca96712");
    assert_eq!(parsed.ciphertext().unwrap()[..40], expected);
}

/// A value as the members of a group see it: the Gid and the Partial IV, up to 5 bytes together, and an 8-byte tag.
#[test]
fn a_group_message_costs_at_most_25_bytes() {
    let key = key(Algorithm::AES_CCM_16_64_128);
    for (gid, partial_iv, text_len, most) in
        [(1, 1, 10, 21), (2, 2, 10, 23), (4, 1, 10, 24), (2, 3, 10, 24), (2, 3, 60, 25), (3, 2, 200, 25)]
    {
        let unprotected = Header {
            kid: Some(&[1; 8][..gid]),
            partial_iv: Some(&[1; 5][..partial_iv]),
            ..Header::default()
        };
        let envelope = Envelope { unprotected, ..Envelope::default() };
        let mut buffer = [0; 300];
        let text = vec![b'x'; text_len];
        let message = Encrypt0::seal(&RustCrypto, &key, &[0; 13], &envelope, &text, &mut buffer).unwrap();
        assert_eq!(message.len() - text_len, most, "{gid} {partial_iv} {text_len}");
    }
}

#[test]
fn without_room_nothing_is_lost_but_the_message() {
    let envelope = Envelope { tagged: true, ..Envelope::default() };
    let key_of = key;
    let signing_key = RustCrypto.signing_key(&Secret::new(KEY)).unwrap();
    let make = |kind: usize, out: &mut [u8]| match kind {
        0 => {
            let key = key_of(Algorithm::AES_CCM_16_64_128);
            Encrypt0::seal(&RustCrypto, &key, &[9; 13], &envelope, b"text", out).map(|made| made.len())
        }
        1 => {
            Mac0::create(&RustCrypto, &key_of(Algorithm::HMAC_256), &envelope, b"text", out).map(|m| m.len())
        }
        _ => Sign1::sign(&RustCrypto, &signing_key, &mut Seeded(2), &envelope, b"text", out).map(|m| m.len()),
    };
    for kind in 0..3 {
        let needed = make(kind, &mut [0; 200]).unwrap();
        for len in 0..needed {
            assert_eq!(make(kind, &mut vec![0; len]), Err(Error::NoRoom { needed }));
        }
        assert_eq!(make(kind, &mut vec![0; needed]), Ok(needed));
    }
}

#[test]
fn what_does_not_open_leaves_nothing() {
    let key = key(Algorithm::AES_CCM_16_64_128);
    let mut buffer = [0; 100];
    let message =
        Encrypt0::seal(&RustCrypto, &key, &[9; 13], &Envelope::default(), b"secret text", &mut buffer);
    let message = message.unwrap();
    let last = message.len() - 1;
    message[last] ^= 1;
    let opened = Encrypt0::parse(message).unwrap().open(&RustCrypto, &key, &[9; 13], b"");
    assert_eq!(opened.err(), Some(Error::NotAuthentic));
    assert!(!buffer.windows(6).any(|window| window == b"secret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_content_comes_back(
        content in prop::collection::vec(any::<u8>(), 0..400),
        external in prop::collection::vec(any::<u8>(), 0..60),
        kid in prop::collection::vec(any::<u8>(), 0..20),
        tagged: bool,
        flip: prop::sample::Index,
    ) {
        let unprotected = Header { kid: Some(&kid), ..Header::default() };
        let envelope = Envelope { tagged, unprotected, external_aad: &external, ..Envelope::default() };
        for (algorithm, mut message) in every_kind(&RustCrypto, &envelope, &content) {
            prop_assert_eq!(read(&RustCrypto, algorithm, &message, &external), Ok(content.clone()));
            // Behind the header everything is authenticated.
            let tail = content.len().max(1);
            let at = message.len() - tail + flip.index(tail);
            message[at] ^= 1;
            prop_assert!(read(&RustCrypto, algorithm, &message, &external).is_err());
        }
    }

    #[test]
    fn nothing_else_is_a_message(mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..4u8) {
        if let (Some(first), 1..) = (bytes.first_mut(), kind) {
            *first = [0x83, 0x84, 0xd0][usize::from(kind) - 1];
        }
        let copy = bytes.clone();
        let _ = Mac0::parse(&copy).map(|message| format!("{message:?} {:?}", message.target()));
        let _ = Sign1::parse(&copy).map(|message| format!("{message:?}"));
        let _ = Message::parse(&mut bytes).map(|message| format!("{message:?}"));
        if let Ok(message) = Encrypt0::parse(&mut bytes) {
            let _ = message.open(&RustCrypto, &key(Algorithm::A128GCM), &[9; 12], b"");
        }
    }
}
