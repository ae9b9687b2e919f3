//! Countersignatures: of every kind of message, and not of any other.

use sedge_cose::cbor::Decoder;
use sedge_cose::countersign::{self, Countersignature, Target};
use sedge_cose::{Algorithm, Encrypt0, Envelope, Error, Header, Headers, Mac0, Sign1, SymmetricKey};
use sedge_crypto::{Crypto, Hash, PublicKey, Secret};

use crate::support::{Seeded, encoded, hex};

for_every_provider!(
    every_kind_of_message_is_countersigned,
    a_countersignature_is_of_one_message,
    any_changed_bit_is_seen,
    the_structure_is_that_of_rfc_9338,
    several_are_read_one_after_the_other,
);

const SIGNER: Header<'_> = Header {
    algorithm: None,
    content_type: None,
    kid: Some(b"\x02"),
    iv: None,
    partial_iv: None,
    others: &[],
};

fn signer<C: Crypto>(crypto: &C) -> (C::SigningKey, PublicKey) {
    let key = crypto.signing_key(&Secret::new([0x42; 32])).unwrap();
    let public = crypto.public_key(&key);
    (key, public)
}

/// A message of each kind.
fn messages<C: Crypto>(crypto: &C, content: &[u8]) -> [Vec<u8>; 3] {
    let envelope = Envelope {
        tagged: true,
        unprotected: Header { kid: Some(b"g"), partial_iv: Some(&[1]), ..Header::default() },
        ..Envelope::default()
    };
    let mut buffer = [0; 300];
    let key = SymmetricKey::new(Algorithm::AES_CCM_16_64_128, &[7; 16]).unwrap();
    let encrypted = Encrypt0::seal(crypto, &key, &[1; 13], &envelope, content, &mut buffer).unwrap().to_vec();
    let key = SymmetricKey::new(Algorithm::HMAC_256_64, &[7; 32]).unwrap();
    let authenticated = Mac0::create(crypto, &key, &envelope, content, &mut buffer).unwrap().to_vec();
    let (key, _) = signer(crypto);
    let signed = Sign1::sign(crypto, &key, &mut Seeded(3), &envelope, content, &mut buffer).unwrap().to_vec();
    [encrypted, authenticated, signed]
}

fn with_target<T>(message: &[u8], look: impl FnOnce(&Headers<'_>, Target<'_>) -> T) -> Result<T, Error> {
    let mut copy = message.to_vec();
    Ok(match message[0] {
        0xd0 => {
            let message = Encrypt0::parse(&mut copy)?;
            look(message.headers(), message.target().ok_or(Error::Detached)?)
        }
        0xd1 => {
            let message = Mac0::parse(&copy)?;
            look(message.headers(), message.target().ok_or(Error::Detached)?)
        }
        _ => {
            let message = Sign1::parse(&copy)?;
            look(message.headers(), message.target().ok_or(Error::Detached)?)
        }
    })
}

fn add<C: Crypto>(crypto: &C, message: &[u8], external: &[u8]) -> Vec<u8> {
    let mut buffer = [message, &[0; 100]].concat();
    let (key, _) = signer(crypto);
    countersign::add(crypto, &key, &mut Seeded(4), &SIGNER, external, &mut buffer, message.len())
        .unwrap()
        .to_vec()
}

fn verify<C: Crypto>(crypto: &C, message: &[u8], external: &[u8]) -> Result<(), Error> {
    let (_, public) = signer(crypto);
    with_target(message, |headers, target| {
        let by = countersign::of(headers).next().ok_or(Error::Header)??;
        assert_eq!(countersign::of(headers).count(), 1);
        by.verify(crypto, &public, &target, external)
    })?
}

fn every_kind_of_message_is_countersigned<C: Crypto>(crypto: &C) {
    let (key, public) = signer(crypto);
    for message in messages(crypto, b"21.5") {
        let longer = add(crypto, &message, b"ext");
        // The label, an array of three, [{alg}], {kid}, and 64 bytes with their head.
        assert_eq!(longer.len(), message.len() + 1 + 1 + 4 + 4 + 66);
        assert_eq!(verify(crypto, &longer, b"ext"), Ok(()));
        assert_eq!(verify(crypto, &longer, b"oxt"), Err(Error::NotAuthentic));
        let kid = with_target(&longer, |headers, _| {
            let by = countersign::of(headers).next().unwrap().unwrap();
            by.headers().kid().map(<[u8]>::to_vec)
        });
        assert_eq!(kid, Ok(Some(vec![2])));

        let mut buffer = [&message[..], &[0; 100]].concat();
        let abbreviated =
            countersign::add0(crypto, &key, &mut Seeded(5), b"", &mut buffer, message.len()).unwrap();
        assert_eq!(abbreviated.len(), message.len() + 67);
        let check = |external: &[u8]| {
            with_target(abbreviated, |headers, target| {
                countersign::verify0(crypto, &public, headers, &target, external)
            })
        };
        assert_eq!((check(b""), check(b"x")), (Ok(Ok(())), Ok(Err(Error::NotAuthentic))));
        let none = with_target(&message, |headers, target| {
            assert_eq!(countersign::of(headers).count(), 0);
            countersign::verify0(crypto, &public, headers, &target, b"")
        });
        assert_eq!(none, Ok(Err(Error::NotAuthentic)));

        // One is enough, and it needs its room.
        let mut buffer = [&longer[..], &[0; 100]].concat();
        let second = countersign::add(crypto, &key, &mut Seeded(6), &SIGNER, b"", &mut buffer, longer.len());
        assert_eq!(second.err(), Some(Error::Header));
        let mut short = [&message[..], &[0; 75]].concat();
        let needed = longer.len();
        let refused =
            countersign::add(crypto, &key, &mut Seeded(7), &SIGNER, b"ext", &mut short, message.len());
        assert_eq!(refused.err(), Some(Error::NoRoom { needed }));
        assert_eq!(short[..message.len()], message, "changed without need");
    }
    // What was countersigned still opens.
    let [encrypted, ..] = messages(crypto, b"21.5");
    let mut longer = add(crypto, &encrypted, b"");
    let key = SymmetricKey::new(Algorithm::AES_CCM_16_64_128, &[7; 16]).unwrap();
    assert_eq!(Encrypt0::parse(&mut longer).unwrap().open(crypto, &key, &[1; 13], b"").unwrap(), b"21.5");
}

fn a_countersignature_is_of_one_message(crypto: &impl Crypto) {
    let (ours, others) = (messages(crypto, b"21.5"), messages(crypto, b"21.6"));
    for (message, other) in ours.iter().zip(&others) {
        let signed = add(crypto, message, b"");
        let moved = with_target(&signed, |headers, _| {
            let by = countersign::of(headers).next().unwrap().unwrap();
            let (_, public) = signer(crypto);
            with_target(other, |_, target| by.verify(crypto, &public, &target, b"")).unwrap()
        });
        assert_eq!(moved, Ok(Err(Error::NotAuthentic)));
        let by_another = with_target(&signed, |headers, target| {
            let by = countersign::of(headers).next().unwrap().unwrap();
            let public = crypto.public_key(&crypto.signing_key(&Secret::new([0x43; 32])).unwrap());
            by.verify(crypto, &public, &target, b"")
        });
        assert_eq!(by_another, Ok(Err(Error::NotAuthentic)));
    }
    // A message whose content is elsewhere has nothing to countersign here.
    let mut detached = [&hex("84 43 a10105 a0 f6 41 00")[..], &[0; 100]].concat();
    let (key, _) = signer(crypto);
    let refused = countersign::add(crypto, &key, &mut Seeded(1), &SIGNER, b"", &mut detached, 9);
    assert_eq!(refused.err(), Some(Error::Detached));
}

fn any_changed_bit_is_seen(crypto: &impl Crypto) {
    let [encrypted, ..] = messages(crypto, b"21.5");
    let signed = add(crypto, &encrypted, b"");
    for at in 0..signed.len() {
        let mut changed = signed.clone();
        changed[at] ^= 1 << (at % 8);
        let outcome = verify(crypto, &changed, b"");
        // What is in the message's own unprotected header, and who signed, is not covered.
        let uncovered = [&b"\x41g"[..], b"\x41\x01", b"\x41\x02"].iter().any(|part| {
            let start = signed.windows(2).position(|window| window == *part).unwrap();
            (start - 1..start + 2).contains(&at)
        });
        assert!(outcome.is_err() || uncovered, "{at}");
    }
}

/// Countersign_structure, put together by hand.
fn the_structure_is_that_of_rfc_9338<C: Crypto>(crypto: &C) {
    let (_, public) = signer(crypto);
    for message in messages(crypto, b"21.5") {
        let signed = add(crypto, &message, b"ext");
        let mut decoder = Decoder::new(&message);
        decoder.tag().unwrap();
        let count = decoder.array().unwrap();
        let body_protected = decoder.bytes().unwrap();
        decoder.skip().unwrap();
        let payload = decoder.bytes().unwrap();
        let structure = encoded(|encoder| {
            let context = if count == 3 { "CounterSignature" } else { "CounterSignatureV2" };
            encoder.array(count + 2).text(context).bytes(body_protected).bytes(&hex("a10126"));
            encoder.bytes(b"ext").bytes(payload);
            if count == 4 {
                let mut rest = decoder;
                encoder.array(1).bytes(rest.bytes().unwrap());
            }
        });
        let mut hash = crypto.sha256();
        hash.update(&structure);
        let digest = hash.finish();
        let signature = with_target(&signed, |headers, _| {
            let mut value = headers.unprotected(sedge_cose::cbor::Label::Int(11)).unwrap();
            assert_eq!(value.array(), Ok(3));
            assert_eq!(value.bytes(), Ok(&hex("a10126")[..]));
            assert_eq!(value.item(), Ok(&hex("a1044102")[..]));
            value.bytes().unwrap().try_into().unwrap()
        });
        let signature = sedge_crypto::Signature::new(signature.unwrap());
        assert_eq!(crypto.verify(&public, &digest, &signature), Ok(()));
    }
}

fn several_are_read_one_after_the_other(crypto: &impl Crypto) {
    let (_, public) = signer(crypto);
    let [_, message, _] = messages(crypto, b"21.5");
    let signed = add(crypto, &message, b"");
    let one = with_target(&signed, |headers, _| {
        headers.unprotected(sedge_cose::cbor::Label::Int(11)).unwrap().remaining().to_vec()
    });
    let one = one.unwrap();
    let alone = Countersignature::parse(&one).unwrap();
    let tagged = [&[0xd3], &one[..]].concat();
    assert_eq!(Countersignature::parse(&tagged).unwrap().headers().kid(), alone.headers().kid());
    let of = with_target(&message, |_, target| alone.verify(crypto, &public, &target, b""));
    assert_eq!(of, Ok(Ok(())));

    let with = |value: &[u8]| {
        let head = hex("84 40 a1 0b");
        [&head[..], value, &hex("41 00 41 00")].concat()
    };
    let count = |value: &[u8]| {
        let message = with(value);
        let message = Mac0::parse(&message).unwrap();
        countersign::of(message.headers()).map(|by| by.is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(count(&one), [true]);
    assert_eq!(count(&[&[0x82], &one[..], &one].concat()), [true, true]);
    assert_eq!(count(&[&[0x82], &one[..], &hex("80")].concat()), [true, false]);
    assert_eq!(count(&hex("80")), [false]);
    assert_eq!(count(&hex("01")), [false]);
    assert_eq!(count(&hex("82 01 02")), [false]);
    let mut untouched = one.clone();
    untouched.truncate(one.len() - 1);
    assert!(Countersignature::parse(&untouched).is_err());
}
