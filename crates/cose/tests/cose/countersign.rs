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
    the_examples_of_rfc_9338,
);

const SIGNER: Header<'_> = Header {
    algorithm: None,
    content_type: None,
    kid: Some(b"\x02"),
    iv: None,
    partial_iv: None,
    kid_context: None,
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

/// Countersign_structure (RFC 9338 section 3.3), put together by hand.
fn structure(body: &[u8], signer: &[u8], external: &[u8], payload: &[u8], other: Option<&[u8]>) -> Vec<u8> {
    encoded(|encoder| {
        let context = if other.is_none() { "CounterSignature" } else { "CounterSignatureV2" };
        encoder.array(5 + usize::from(other.is_some())).text(context).bytes(body).bytes(signer);
        encoder.bytes(external).bytes(payload);
        if let Some(other) = other {
            encoder.array(1).bytes(other);
        }
    })
}

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
        let other = (count == 4).then(|| decoder.bytes().unwrap());
        let structure = structure(body_protected, &hex("a10126"), b"ext", payload, other);
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
    let none = with_target(&message, |headers, _| countersign::single(headers).map(|by| by.is_none()));
    assert_eq!(none, Ok(Ok(true)));

    let with = |value: &[u8]| {
        let head = hex("84 40 a1 0b");
        [&head[..], value, &hex("41 00 41 00")].concat()
    };
    let count = |value: &[u8]| {
        let message = with(value);
        let message = Mac0::parse(&message).unwrap();
        let all = countersign::of(message.headers()).map(|by| by.is_ok()).collect::<Vec<_>>();
        let single = countersign::single(message.headers()).map(|by| by.is_some());
        assert_eq!(single.ok(), (all == [true]).then_some(true), "{all:?}");
        all
    };
    assert_eq!(count(&one), [true]);
    assert_eq!(count(&[&[0x81], &one[..]].concat()), [true]);
    assert_eq!(count(&[&[0x82], &one[..], &one].concat()), [true, true]);
    assert_eq!(count(&[&[0x82], &one[..], &hex("80")].concat()), [true, false]);
    assert_eq!(count(&hex("80")), [false]);
    assert_eq!(count(&hex("01")), [false]);
    assert_eq!(count(&hex("82 01 02")), [false]);
    let mut untouched = one.clone();
    untouched.truncate(one.len() - 1);
    assert!(Countersignature::parse(&untouched).is_err());
}

/// RFC 9338 appendix A, without A.3.1 and A.5.1, which have recipients.
///
/// A.1.1 is by ES256. Of the others, which are by algorithms that are not implemented, the message is read, and where
/// there is an independent library, it finds the signature right over the same structure as
/// [`the_structure_is_that_of_rfc_9338`] finds ours to be.
fn the_examples_of_rfc_9338(crypto: &impl Crypto) {
    const CONTENT: &[u8] = b"This is the content.";
    // The keys "11" of P-256 and of Ed25519, and that of Bilbo Baggins.
    let p256 = "04 bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff
        20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";
    let ed25519 = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let p521 = hex("04 0072992cb3ac08ecf3e5c63dedec0d51a8c1f79ef2f82f94f3c737bf5de7986671
         eac625fe8257bbd0394644caaa3aaf8f27a4585fbbcad0f2457620085e5c8f42ad
         01dca6947bce88bc5790485ac97427342bc35f887d86d65a089377e247e60baa55
         e4e8501e2ada5724ac51d6909008033ebc10ac999b9d7f5cc2519f3fe1ea1d9475");

    // A.1.1: COSE_Sign is not implemented; of what is countersigned, COSE_Encrypt0 has the same form.
    let signature = "5ac05e289d5d0e1b0a7f048a5d2b643813ded50bc9e49220f4f7278f85f19d4a
        77d655c9d3b51e805a74b099e1e085aacd97fc29d72f887e8802bb6650cceb2c";
    let message =
        [&hex("d0 83 40 a1 0b 83 43 a10126 a1 04 42 3131 58 40")[..], &hex(signature), &[0x54], CONTENT];
    let public = PublicKey::from_bytes(&hex(p256)).unwrap();
    let verified = |message: &[u8]| {
        with_target(message, |headers, target| {
            let by = countersign::of(headers).next().unwrap().unwrap();
            assert_eq!(by.headers().kid(), Some(&b"11"[..]));
            by.verify(crypto, &public, &target, b"")
        })
    };
    let mut message = message.concat();
    assert_eq!(verified(&message), Ok(Ok(())), "A.1.1");
    *message.last_mut().unwrap() ^= 1;
    assert_eq!(verified(&message), Ok(Err(Error::NotAuthentic)), "A.1.1");

    let by = |signer: &str, kid: &[u8], signature: &str| {
        let (signer, signature) = (hex(signer), hex(signature));
        let value = encoded(|encoder| {
            encoder.array(3).bytes(&signer).map(1).int(4).bytes(kid).bytes(&signature);
        });
        (value, signer, signature)
    };

    // A.2.1: COSE_Sign1 by ES256, countersigned by ES512.
    let kid = b"bilbo.baggins@hobbiton.example";
    let (value, signer, signature) = by(
        "a1013823",
        kid,
        "01b1291b0e60a79c459a4a9184a0d393e034b34af069a1cca34f5a913affff6980
        02295fa9f8fcbfb6fdff59132fc0c406e98754a98f1fbfe81c03095f481856bc47
        0170227206fa5bee3c0431c56a66824e7aaf692985952e31271434b2ba2e47a335
        c658b5e995aeb5d63cf2d0ced367d3e4cc8fffd53b70d115baa9e86961fbd1a5cf",
    );
    let tag = hex("bb587d6b15f47bfd54d2cbfcecef75451e92b08a514bd439fa3aa65c6ac92df0
        d7328c4a47529b32add3dd1b4e940071c021e9a8f2641f1d8e3b053ddd65ae52");
    let body = hex("a201260300");
    let message = encoded(|encoder| {
        encoder.tag(18).array(4).bytes(&body).map(2).int(4).bytes(b"11").int(11).raw(&value);
        encoder.bytes(CONTENT).bytes(&tag);
    });
    assert_eq!(message.len(), 275, "as the RFC says");
    assert_eq!(Sign1::parse(&message).unwrap().verify(crypto, &public, b""), Ok(CONTENT));
    check_foreign(crypto, &message, kid, Algorithm(-36));
    let signed = structure(&body, &signer, b"", CONTENT, Some(&tag));
    assert!(is_right(Algorithm(-36), &p521, &signed, &signature));

    // A.4.1: COSE_Encrypt0 by AES-GCM, countersigned by EdDSA.
    let (value, signer, signature) = by(
        "a10127",
        b"11",
        "e10439154cc75c7a3a5391491f88651e0292fd0fe0e02cf740547eaf6677b4a4
        040b8eca16db592881262f77b14c1a086c02268b17171ca16be4b8595f8c0a08",
    );
    let (nonce, ciphertext) = (
        hex("02d1f7e6f26c43d4868d87ce"),
        hex("60973a94bb2898009ee52ecfd9ab1dd25867374b162e2c03568b41f57c3cc16f9166250a"),
    );
    let message = encoded(|encoder| {
        encoder.tag(16).array(3).bytes(&hex("a10101")).map(2).int(5).bytes(&nonce).int(11).raw(&value);
        encoder.bytes(&ciphertext);
    });
    assert_eq!(message.len(), 136, "as the RFC says");
    check_foreign(crypto, &message, b"11", Algorithm(-8));
    let key = hex("849b57219dae48de646d07dbb533566e");
    let key = SymmetricKey::new(Algorithm::A128GCM, &key).unwrap();
    let mut copy = message.clone();
    assert_eq!(Encrypt0::parse(&mut copy).unwrap().open(crypto, &key, &nonce, b"").unwrap(), CONTENT);
    let signed = structure(&hex("a10101"), &signer, b"", &ciphertext, None);
    assert!(is_right(Algorithm(-8), &ed25519, &signed, &signature));

    // A.6.1: COSE_Mac0 by HMAC 256/256, countersigned by EdDSA.
    let (value, signer, signature) = by(
        "a10127",
        b"11",
        "968a315df6b4f26362e11f4cfd2f2f4e76232f39657bf1598837ff9332cddd75
        81e248116549451f81ef823da5974f885b681d3d6e38fc4142d8f8e9e7dc8f0d",
    );
    let tag = hex("a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58");
    let message = encoded(|encoder| {
        encoder.tag(17).array(4).bytes(&hex("a10105")).map(1).int(11).raw(&value).bytes(CONTENT).bytes(&tag);
    });
    assert_eq!(message.len(), 139);
    check_foreign(crypto, &message, b"11", Algorithm(-8));
    let key = hex("849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188");
    let key = SymmetricKey::new(Algorithm::HMAC_256, &key).unwrap();
    assert_eq!(Mac0::parse(&message).unwrap().verify(crypto, &key, b""), Ok(CONTENT));
    let signed = structure(&hex("a10105"), &signer, b"", CONTENT, Some(&tag));
    assert!(is_right(Algorithm(-8), &ed25519, &signed, &signature));
}

/// Whether an independent library finds a signature right. There is none on 32 bits, for it takes a C compiler.
#[cfg(target_pointer_width = "64")]
fn is_right(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
    let algorithm: &dyn VerificationAlgorithm = match algorithm {
        Algorithm(-8) => &ED25519,
        _ => &ECDSA_P521_SHA512_FIXED,
    };
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

#[cfg(not(target_pointer_width = "64"))]
fn is_right(_: Algorithm, _: &[u8], _: &[u8], _: &[u8]) -> bool {
    true
}

/// A countersignature by an algorithm that is not implemented is read, and not taken for one of ours.
fn check_foreign(crypto: &impl Crypto, message: &[u8], kid: &[u8], algorithm: Algorithm) {
    let (_, public) = signer(crypto);
    let checked = with_target(message, |headers, target| {
        let by = countersign::of(headers).next().unwrap().unwrap();
        assert_eq!((by.headers().kid(), by.headers().algorithm()), (Some(kid), Some(algorithm)));
        by.verify(crypto, &public, &target, b"")
    });
    assert_eq!(checked, Ok(Err(Error::Algorithm)));
}
