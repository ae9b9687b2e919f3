//! What is on the wire, and that nothing else opens.

use proptest::prelude::*;
use sedge_cose::cbor::Diagnostic;
use sedge_group::{Cipher, Gid, GroupKey, NUMBERS, OpenError, SenderId, Value};

use crate::{CRYPTO, Listener, key, listener, open, publisher, seal, sender};

#[test]
fn every_cipher_protects_values_of_every_length() {
    for cipher in Cipher::ALL {
        let (mut one, mut other) = (publisher(key(cipher, 0), 0), listener(key(cipher, 0)));
        for len in (0..70).chain([255, 256, 1024, 60_000]) {
            let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let message = seal(&mut one, &payload);
            assert!(len < 8 || !message.windows(8).any(|part| part == &payload[..8]), "{cipher:?}");
            let seen = open(&mut other, &message).unwrap();
            assert_eq!((seen.payload, seen.sender, seen.verified), (payload, sender(0), false));
        }
    }
}

/// The draft's own layout: `kid` is the Gid, the Partial IV has no zeros in front, and nothing else is there.
#[test]
fn a_message_has_the_layout_of_the_draft() {
    let mut one = publisher(key(Cipher::AesCcm16_64_128, 3), 5);
    let shown = |message: &[u8]| Diagnostic::new(message).to_string();
    let first = shown(&seal(&mut one, b""));
    assert!(first.starts_with("[h'a1010a', {4: h'1203', 6: h'00'}, h'"), "{first}");
    for _ in 1..256 {
        let _message = seal(&mut one, b"");
    }
    let later = shown(&seal(&mut one, b"21.5"));
    assert!(later.starts_with("[h'a1010a', {4: h'1203', 6: h'0100'}, h'"), "{later}");
    let mut out = [0; 100];
    let value = Value { payload: b"21.5", content_format: Some(60) };
    let other_format = shown(one.seal(&CRYPTO, &value, &mut out).unwrap());
    assert!(other_format.starts_with("[h'a2010a03183c', {"), "{other_format}");
}

/// Whatever the value and however long the group has lived.
#[test]
fn a_message_is_at_most_25_bytes_longer_than_its_value() {
    let mut longest = 0;
    let mut one = publisher(key(Cipher::AesCcm16_64_128, 0), 255);
    let lengths = [0, 1, 15, 16, 23, 24, 200, 247, 248, 1000, 1024, 65_500];
    for number in 0..NUMBERS {
        // The lengths in turn, and all of them for the last numbers, whose Partial IVs are the longest.
        let all = !(12..NUMBERS - 12).contains(&number);
        if all || number % 257 == 0 {
            let len = lengths[number as usize % lengths.len()];
            let overhead = seal(&mut one, &vec![0; len]).len() - len;
            longest = longest.max(overhead);
            assert!(overhead <= 25, "{overhead} bytes for a value of {len} with number {number}");
        } else {
            let _number = one.seal(&CRYPTO, &Value { payload: b"", content_format: None }, &mut [0; 40]);
        }
    }
    assert_eq!(longest, 25, "the limit is met, so it means something");
    assert_eq!(seal(&mut publisher(key(Cipher::AesCcm16_64_128, 0), 0), b"21.5").len(), 4 + 22);
}

#[test]
fn the_format_is_authentic_or_not_believed() {
    let (mut one, mut other) = (publisher(key(Cipher::default(), 0), 0), listener(key(Cipher::default(), 0)));
    let (mut buffer, mut out) = ([0; 100], [0; 100]);
    let value = Value { payload: b"x", content_format: Some(50) };
    let message = one.seal(&CRYPTO, &value, &mut buffer).unwrap().to_vec();
    let opened = other.open(&CRYPTO, &message, false, |_| None, &mut out).unwrap();
    assert_eq!(opened.content_format, Some(50));
    // {4: kid, 6: PIV} with {3: 0} put into the unprotected bucket by somebody on the way.
    let message = seal(&mut one, b"y");
    let at = message.iter().position(|byte| *byte == 0xa2).unwrap();
    let altered = [&message[..at], &[0xa3, 3, 0], &message[at + 1..]].concat();
    let opened = other.open(&CRYPTO, &altered, false, |_| None, &mut out).unwrap();
    assert_eq!(opened.content_format, None);
}

/// Two bytes of Sender ID take a hint of four bytes.
#[test]
fn long_sender_ids_are_named() {
    for number in [256, 70_000] {
        let (mut one, mut other) =
            (publisher(key(Cipher::default(), 0), number), listener(key(Cipher::default(), 0)));
        let message = seal(&mut one, b"21.5");
        assert_eq!(open(&mut other, &message).unwrap().sender, sender(number));
    }
}

#[test]
fn a_value_of_another_topic_is_refused() {
    // By chance both groups are at the same Gid, and the same publisher is in both.
    let keys = [1u8, 2].map(|secret| {
        GroupKey::new(Cipher::default(), &[secret; 16], &[secret; 13], Gid::from_number(7), 0).unwrap()
    });
    let [one, other] = keys.map(|key| (publisher(key.clone(), 0), listener(key)));
    let (mut one, mut other) = (one.0, other.1);
    assert_eq!(open(&mut other, &seal(&mut one, b"open")), Err(OpenError::Forged));
}

#[test]
fn plain_values_and_pieces_are_refused() {
    let (mut one, mut other) = (publisher(key(Cipher::default(), 0), 0), listener(key(Cipher::default(), 0)));
    for plain in [
        &b""[..],
        b"21.5",
        b"{\"t\":1}",
        &[0x83, 0x40, 0xa0, 0x40],
        &[0xd0, 0x83, 0x43, 0xa1, 1, 10, 0xa0, 0x40],
    ] {
        assert_eq!(open(&mut other, plain), Err(OpenError::Malformed), "{plain:?}");
    }
    let message = seal(&mut one, b"21.5");
    for cut in 0..message.len() {
        assert_eq!(open(&mut other, &message[..cut]), Err(OpenError::Malformed));
    }
    let tagged = [&[0xd0], &message[..]].concat();
    assert_eq!(open(&mut other, &tagged).unwrap().payload, b"21.5");
    let mut short = [0; 10];
    let refused = other.open(&CRYPTO, &message, false, |_| None, &mut short).map(|_| ());
    assert_eq!(refused, Err(OpenError::NoRoom { needed: message.len() }));
}

/// An empty Partial IV, one with zeros in front, one of six bytes.
#[test]
fn a_partial_iv_has_one_form() {
    let mut other = listener(key(Cipher::default(), 0));
    for piv in [&b""[..], &[0, 1], &[0, 0], &[1, 2, 3, 4, 5, 6]] {
        let mut message = vec![0x83, 0x43, 0xa1, 1, 10, 0xa2, 4, 0x42, 0x12, 0, 6, 0x40 | piv.len() as u8];
        message.extend_from_slice(piv);
        message.extend([0x48; 9]);
        assert_eq!(open(&mut other, &message), Err(OpenError::Malformed), "{piv:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any change to any byte: it does not open, or it is no change of what is meant.
    #[test]
    fn what_was_changed_does_not_open(
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        at: prop::sample::Index,
        bit in 0u8..8,
        number in 0u32..3,
    ) {
        let (mut one, mut other) = (publisher(key(Cipher::default(), 0), number), listener(key(Cipher::default(), 0)));
        let mut message = seal(&mut one, &payload);
        let at = at.index(message.len());
        message[at] ^= 1 << bit;
        prop_assert!(open(&mut other, &message).is_err());
        message[at] ^= 1 << bit;
        prop_assert_eq!(open(&mut other, &message).unwrap().payload, payload);
    }

    /// Whatever comes, nothing panics, and nothing opens that was not made.
    #[test]
    fn noise_is_refused(message in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut other: Listener = listener(key(Cipher::default(), 0));
        prop_assert!(open(&mut other, &message).is_err());
    }

    /// The sender of a message is found, whoever it is and whoever came before.
    #[test]
    fn the_sender_is_found(senders in proptest::collection::vec(0u32..256, 1..12)) {
        let mut listener = sedge_group::Subscriber::<256, 1>::new();
        let _new = listener.install(key(Cipher::default(), 0));
        let mut publishers: Vec<_> = (0..256).map(|number| publisher(key(Cipher::default(), 0), number)).collect();
        for number in senders {
            let message = seal(&mut publishers[number as usize], b"x");
            let mut out = vec![0; message.len()];
            let opened = listener.open(&CRYPTO, &message, false, |_: SenderId| None, &mut out).unwrap();
            prop_assert_eq!(opened.sender, sender(number));
        }
    }
}
