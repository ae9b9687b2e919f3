//! The examples of the COSE Working Group: each is read, and made again byte by byte where nothing in it is random.

use std::collections::BTreeMap;

use sedge_cose::{
    Algorithm, Claims, Encrypt0, Envelope, Error, Header, Headers, Mac0, Message, Sign1, SymmetricKey,
};
use sedge_crypto::{Crypto, PublicKey};

use crate::support::hex;

for_every_provider!(
    every_example_is_read,
    every_example_is_read_without_its_tag,
    no_changed_example_is_read,
    examples_are_made_again,
    tokens_of_rfc_8392,
);

struct Example {
    name: &'static str,
    fields: BTreeMap<&'static str, &'static str>,
}

impl Example {
    fn all() -> Vec<Self> {
        let text = include_str!("../vectors/cose-wg.txt");
        let mut all = vec![];
        for block in text.split("\n[").skip(1) {
            let (name, rest) = block.split_once("]\n").unwrap();
            let fields = rest.lines().filter_map(|line| line.split_once(": ")).collect();
            all.push(Self { name, fields });
        }
        assert_eq!(all.len(), 43, "examples are missing");
        all
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        self.fields.get(field).map(|text| hex(text)).unwrap_or_default()
    }

    /// Reads this message with the key of the example.
    fn open(&self, crypto: &impl Crypto, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (key, external) = (self.bytes("key"), self.bytes("external"));
        let base_iv = self.fields.get("base_iv").map(|text| hex(text));
        let symmetric = |headers: &Headers<'_>| {
            let algorithm = headers.algorithm().filter(|algorithm| algorithm.name().is_some());
            SymmetricKey::new(algorithm.ok_or(Error::Algorithm)?, &key)
        };
        let mut message = message.to_vec();
        match self.fields["kind"] {
            "encrypt0" => {
                let message = Encrypt0::parse(&mut message)?;
                let key = symmetric(message.headers())?;
                let nonce = message.headers().nonce(key.algorithm(), base_iv.as_deref())?;
                message.open(crypto, &key, nonce.as_bytes(), &external).map(|text| text.to_vec())
            }
            "mac0" => {
                let message = Mac0::parse(&message)?;
                let key = symmetric(message.headers())?;
                message.verify(crypto, &key, &external).map(<[u8]>::to_vec)
            }
            "sign1" => {
                let key = PublicKey::from_bytes(&[&[4], &key[..]].concat()).map_err(|_| Error::Key)?;
                Sign1::parse(&message)?.verify(crypto, &key, &external).map(<[u8]>::to_vec)
            }
            _ => Message::parse(&mut message).map(|_| vec![]),
        }
    }

    fn check(&self, crypto: &impl Crypto, message: &[u8]) {
        let outcome = self.open(crypto, message);
        match self.fields["expect"] {
            "ok" => assert_eq!(outcome, Ok(self.bytes("content")), "{}", self.name),
            "forged" => assert_eq!(outcome, Err(Error::NotAuthentic), "{}", self.name),
            _ => {
                let refused = matches!(outcome, Err(Error::Algorithm | Error::Key | Error::Structure));
                assert!(refused, "{}: {outcome:?}", self.name);
            }
        }
    }
}

fn every_example_is_read(crypto: &impl Crypto) {
    for example in Example::all() {
        example.check(crypto, &example.bytes("message"));
    }
}

fn every_example_is_read_without_its_tag(crypto: &impl Crypto) {
    for example in Example::all().iter().filter(|example| example.fields["kind"] != "other") {
        example.check(crypto, &example.bytes("message")[1..]);
        // With another tag it is another kind of message.
        let mut other = example.bytes("message");
        other[0] ^= 3;
        assert!(example.open(crypto, &other).is_err(), "{}", example.name);
    }
}

fn no_changed_example_is_read(crypto: &impl Crypto) {
    // One for each kind and algorithm, or the signatures take minutes.
    let mut seen = vec![];
    for example in Example::all().iter().filter(|example| example.fields["expect"] == "ok") {
        let message = example.bytes("message");
        // The kind, and the protected header.
        let of = (message[0], message[2..3 + usize::from(message[2] & 0x1f)].to_vec());
        if seen.contains(&of) {
            continue;
        }
        seen.push(of);
        for at in 0..message.len() {
            let mut changed = message.clone();
            changed[at] ^= 1 << (at % 8);
            // The unprotected header is not authenticated, but the nonce in it counts.
            if let Ok(content) = example.open(crypto, &changed) {
                let same_kid = content == example.bytes("content") && changed.len() == message.len();
                assert!(same_kid && in_unprotected(&message, at), "{} at {at}", example.name);
            }
            assert!(example.open(crypto, &message[..at]).is_err(), "{} to {at}", example.name);
        }
        assert!(example.open(crypto, &[&message[..], &[0]].concat()).is_err(), "{}", example.name);
    }
    // Every algorithm that is implemented, ES256 with two headers.
    assert_eq!(seen.len(), 10);
}

/// Whether this byte is of the unprotected header.
fn in_unprotected(message: &[u8], at: usize) -> bool {
    let mut decoder = sedge_cose::cbor::Decoder::new(message);
    decoder.tag().and_then(|_| decoder.array()).and_then(|_| decoder.bytes()).unwrap();
    let start = message.len() - decoder.remaining().len();
    decoder.skip().unwrap();
    (start..message.len() - decoder.remaining().len()).contains(&at)
}

fn examples_are_made_again(crypto: &impl Crypto) {
    let mut made = 0;
    for example in Example::all() {
        // Countersignatures are added afterwards, signatures are random.
        let again = example.fields["expect"] == "ok" && !example.name.starts_with("countersign");
        let message = example.bytes("message");
        let (key, external, content) =
            (example.bytes("key"), example.bytes("external"), example.bytes("content"));
        let envelope = |headers: &Headers<'_>| {
            let unprotected = Header {
                kid: headers.kid(),
                iv: headers.iv(),
                partial_iv: headers.partial_iv(),
                ..Header::default()
            };
            // Nothing of it lives longer than the examples do.
            Envelope {
                tagged: true,
                unprotected: leak(unprotected),
                external_aad: &[],
                ..Envelope::default()
            }
        };
        let mut buffer = [0; 600];
        let written = match example.fields["kind"] {
            "encrypt0" if again => {
                let mut copy = message.clone();
                let parsed = Encrypt0::parse(&mut copy).unwrap();
                let key = SymmetricKey::new(parsed.headers().algorithm().unwrap(), &key).unwrap();
                let base_iv = example.bytes("base_iv");
                let nonce = parsed.headers().nonce(key.algorithm(), Some(&base_iv)).unwrap();
                let envelope = Envelope { external_aad: &external, ..envelope(parsed.headers()) };
                Encrypt0::seal(crypto, &key, nonce.as_bytes(), &envelope, &content, &mut buffer)
            }
            "mac0" if again => {
                let parsed = Mac0::parse(&message).unwrap();
                let key = SymmetricKey::new(parsed.headers().algorithm().unwrap(), &key).unwrap();
                let envelope = Envelope { external_aad: &external, ..envelope(parsed.headers()) };
                Mac0::create(crypto, &key, &envelope, &content, &mut buffer)
            }
            _ => continue,
        };
        assert_eq!(written.unwrap(), message, "{}", example.name);
        made += 1;
    }
    assert_eq!(made, 14);
}

fn leak(header: Header<'_>) -> Header<'static> {
    let leak = |bytes: Option<&[u8]>| bytes.map(|bytes| &*bytes.to_vec().leak());
    Header {
        kid: leak(header.kid),
        iv: leak(header.iv),
        partial_iv: leak(header.partial_iv),
        ..Header::default()
    }
}

/// RFC 8392 appendix A.3 to A.7.
fn tokens_of_rfc_8392(crypto: &impl Crypto) {
    let examples: BTreeMap<_, _> =
        Example::all().into_iter().map(|example| (example.name, example)).collect();
    let open = |name: &str| {
        let example = &examples[name];
        // In A.4 a token says that it is one.
        let message = [&[0xd8, 61], &example.bytes("message")[..]].concat();
        let mut copy = message.clone();
        assert!(Message::parse(&mut copy).is_ok(), "{name}");
        example.open(crypto, &message[2..]).unwrap()
    };
    for name in ["CWT/A_3", "CWT/A_4", "CWT/A_5"] {
        let encoded = open(name);
        let claims = Claims::parse(&encoded).unwrap();
        assert_eq!(claims.issuer, Some("coap://as.example.com"));
        assert_eq!(claims.subject, Some("erikw"));
        assert!(claims.audience.unwrap().contains("coap://light.example.com"));
        assert_eq!(claims.expires.unwrap().seconds(), 1_444_064_944);
        assert_eq!(claims.not_before.unwrap().seconds(), 1_443_944_944);
        assert_eq!(claims.issued_at.unwrap().seconds(), 1_443_944_944);
        assert_eq!(claims.id, Some(&[0x0b, 0x71][..]));
        assert_eq!(claims.encode(&mut [0; 100]).unwrap(), encoded);
    }
    // A.6 holds A.3.
    assert_eq!(open("CWT/A_6"), examples["CWT/A_3"].bytes("message"));
    // A.7: half a second past.
    let encoded = open("CWT/A_7");
    assert_eq!(Claims::parse(&encoded).unwrap().issued_at.unwrap().seconds(), 1_443_944_944);
    let a_5 = &examples["CWT/A_5"];
    let mut message = a_5.bytes("message");
    let key = a_5.bytes("key");
    let another = SymmetricKey::new(Algorithm::AES_CCM_16_128_128, &key).unwrap();
    let message = Encrypt0::parse(&mut message).unwrap();
    assert_eq!(message.open(crypto, &another, &[0; 13], b"").err(), Some(Error::Algorithm));
}
