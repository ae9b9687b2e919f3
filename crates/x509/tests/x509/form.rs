//! The form of certificates: what is not one to the letter is refused, and nothing panics.

use std::sync::LazyLock;

use proptest::prelude::*;
use sedge_crypto::{RustCrypto, subject_public_key_info};
use sedge_x509::authority::{
    AlternativeName, PrivateKey, RawExtension, Template, public_key_of_file, public_key_of_request,
};
use sedge_x509::{
    BasicConstraints, Certificate, CertificateRevocationList, Error, ExtendedKeyUsage, GeneralName, KeyUsage,
    Validity, certificates,
};

use crate::support::*;

fn refused(der: &[u8]) -> Error {
    Certificate::parse(der).expect_err("should be refused")
}

#[test]
fn a_certificate_says_what_it_was_told_to() {
    let mut root = Ca::root(1);
    let below = root.below(&Template::ca("Below", Some(3), YEAR));
    let key = below.issuer.public_key();
    let own = Certificate::parse(&root.der).unwrap();
    let certificate = Certificate::parse(&below.der).unwrap();
    assert_eq!(certificate.as_der(), below.der);
    assert_eq!(certificate.issuer(), own.subject());
    assert_eq!(certificate.issuer().common_name(), Some("Test CA"));
    assert_eq!(certificate.subject().common_name(), Some("Below"));
    assert_eq!(certificate.validity(), YEAR);
    assert_eq!(*certificate.public_key(), key);
    assert!(below.der.windows(91).any(|part| part == subject_public_key_info(&key)));
    assert!((1..=8).contains(&certificate.serial().len()));
    assert_eq!(certificate.basic_constraints(), BasicConstraints { ca: true, path_len: Some(3) });
    assert_eq!(certificate.key_usage(), Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN));
    assert_eq!(certificate.extended_key_usage(), None);
    assert_eq!(certificate.authority_key_identifier(), own.subject_key_identifier());
    assert_ne!(certificate.subject_key_identifier(), own.subject_key_identifier());
    assert_eq!(own.subject_key_identifier().unwrap().len(), 8);
    assert_eq!(certificate.verify_signature(&RustCrypto, own.public_key()), Ok(()));
    assert_eq!(own.verify_signature(&RustCrypto, own.public_key()), Ok(()));
    assert_eq!(own.verify_signature(&RustCrypto, &key), Err(Error::BadSignature));

    let names = vec![
        AlternativeName::Dns("a.example".into()),
        AlternativeName::Uri("urn:x".into()),
        AlternativeName::Ip([192, 0, 2, 1].into()),
    ];
    let usages = ExtendedKeyUsage::SERVER_AUTH | ExtendedKeyUsage::CLIENT_AUTH;
    let template = Template {
        extended_key_usage: Some(usages),
        key_identifiers: false,
        ..Template::server("a", names, YEAR)
    };
    let der = root.issue(&template);
    let certificate = Certificate::parse(&der).unwrap();
    assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(certificate.extended_key_usage(), Some(usages));
    assert_eq!(certificate.authority_key_identifier(), None);
    assert_eq!(certificate.basic_constraints(), BasicConstraints::default());
    let names: Vec<_> = certificate.subject_alt_name().unwrap().iter().collect();
    let address = GeneralName::Ip([192, 0, 2, 1].into());
    assert_eq!(names, [GeneralName::Dns("a.example"), GeneralName::Uri("urn:x"), address]);
    let text = format!("{certificate:?}");
    assert!(text.contains("a.example") && text.contains("serverAuth"), "{text}");
}

#[test]
fn a_device_s_certificate_is_small() {
    let mut root = Ca::self_signed(2, &Template::ca("Sedge CA 3f9a", Some(0), YEAR));
    let name = "urn:dev:os:32473-a-name-of-32-by";
    assert_eq!(name.len(), 32);
    let most = (0..64).map(|_| root.issue(&Template::client(name, YEAR)).len()).max().unwrap();
    assert!(most < 400, "{most} bytes");
    let forever = Validity { not_after: Validity::WITHOUT_END, ..YEAR };
    let most = (0..64).map(|_| root.issue(&Template::client(name, forever)).len()).max().unwrap();
    assert!(most < 400, "{most} bytes");
}

#[test]
fn a_truncated_certificate_is_refused() {
    let mut root = Ca::root(3);
    for der in [root.issue(&server()), root.der.clone()] {
        for len in 0..der.len() {
            assert_eq!(refused(&der[..len]), Error::Malformed, "{len} of {} bytes", der.len());
            assert!(root.host(&[&der[..len]], &SERVER).is_err());
        }
        assert_eq!(refused(&[&der[..], &[0]].concat()), Error::Malformed);
        assert_eq!(refused(&[&[0], &der[..]].concat()), Error::Malformed);
    }
}

#[test]
fn a_certificate_with_any_bit_flipped_is_not_believed() {
    let mut root = Ca::root(4);
    for (mut der, expected) in [(root.issue(&server()), SERVER), (root.issue(&client()), CLIENT)] {
        for bit in 0..8 * der.len() {
            der[bit / 8] ^= 1 << (bit % 8);
            assert!(!root.believed(&[&der], &expected), "bit {bit}");
            der[bit / 8] ^= 1 << (bit % 8);
        }
        root.both(&der, &expected, Ok(()));
    }
}

#[test]
fn an_issuer_with_any_bit_flipped_is_not_believed() {
    let mut root = Ca::root(5);
    let mut below = root.below(&Template::ca("Below", None, YEAR));
    let leaf = below.issue(&client());
    let mut der = below.der.clone();
    for bit in 0..8 * der.len() {
        der[bit / 8] ^= 1 << (bit % 8);
        assert!(!root.believed(&[&leaf, &der], &CLIENT), "bit {bit}");
        der[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(root.host(&[&leaf, &der], &CLIENT), Ok(()));
}

/// Replaces a part that occurs once, and makes the lengths around it fit again.
fn replaced(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..der.len()).filter(|&at| der[at..].starts_with(from)).collect();
    assert_eq!(places.len(), 1, "{from:02x?} in {der:02x?}");
    rebuilt(der, places[0], from.len(), to).expect("not an element")
}

/// The elements in `der`, with those `len` bytes at `at`, which are one element or more, in another form.
fn rebuilt(der: &[u8], at: usize, len: usize, to: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut done = false;
    while start < der.len() {
        if start == at {
            out.extend(to);
            start += len;
            done = true;
            continue;
        }
        let (head, content) = match der[start + 1] {
            0x81 => (3, usize::from(der[start + 2])),
            0x82 => (4, usize::from(der[start + 2]) << 8 | usize::from(der[start + 3])),
            len => (2, usize::from(len)),
        };
        let end = start + head + content;
        if start < at && at < end {
            // An OCTET STRING may hold DER, too.
            let inner = rebuilt(&der[start + head..end], at - start - head, len, to)?;
            out.push(der[start]);
            match inner.len() {
                len @ 0..128 => out.push(len as u8),
                len @ 128..256 => out.extend([0x81, len as u8]),
                len => out.extend([0x82, (len >> 8) as u8, len as u8]),
            }
            out.extend(inner);
            done = true;
        } else {
            out.extend(&der[start..end]);
        }
        start = end;
    }
    done.then_some(out)
}

#[test]
fn what_is_not_der_to_the_letter_is_refused() {
    let mut root = Ca::root(6);
    let names = vec![AlternativeName::Dns("a.example".into())];
    let template = Template {
        basic_constraints: Some(BasicConstraints { ca: true, path_len: Some(7) }),
        ..Template::server("subject", names, YEAR)
    };
    let der = root.issue(&template);
    Certificate::parse(&der).unwrap();
    let same = replaced(&der, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 2]);
    assert_eq!(same, der);
    let cases: &[(&str, &[u8], &[u8])] = &[
        ("version 1", &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0]),
        ("version 2", &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]),
        ("version 4", &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 3]),
        ("no version", &[0xa0, 3, 2, 1, 2], &[]),
        ("two versions", &[0xa0, 3, 2, 1, 2], &[0xa0, 6, 2, 1, 2, 2, 1, 2]),
        ("a long form of a length", &[0xa0, 3, 2, 1, 2], &[0xa0, 0x81, 3, 2, 1, 2]),
        ("a longer form of a length", &[0xa0, 3, 2, 1, 2], &[0xa0, 0x82, 0, 3, 2, 1, 2]),
        ("a padded integer", &[0xa0, 3, 2, 1, 2], &[0xa0, 4, 2, 2, 0, 2]),
        ("an indefinite length", &[0xa0, 3, 2, 1, 2], &[0xa0, 0x80, 2, 1, 2, 0, 0]),
        ("flag true as 1", &[1, 1, 0xff, 2, 1, 7], &[1, 1, 1, 2, 1, 7]),
        ("flag of two bytes", &[1, 1, 0xff, 2, 1, 7], &[1, 2, 0xff, 0xff, 2, 1, 7]),
        ("a default that is written", &[1, 1, 0xff, 2, 1, 7], &[1, 1, 0]),
        ("a path without a CA", &[1, 1, 0xff, 2, 1, 7], &[2, 1, 7]),
        ("a negative path", &[1, 1, 0xff, 2, 1, 7], &[1, 1, 0xff, 2, 1, 0xff]),
        ("a path beyond reason", &[1, 1, 0xff, 2, 1, 7], &[1, 1, 0xff, 2, 2, 1, 0]),
        ("bits that are not there", &[3, 2, 7, 0x80], &[3, 2, 7, 0x81]),
        ("eight unused bits", &[3, 2, 7, 0x80], &[3, 2, 8, 0x80]),
        ("no bits", &[3, 2, 7, 0x80], &[3, 1, 0]),
        ("no unused bits", &[3, 2, 7, 0x80], &[3, 0]),
        ("an extension with more", &[4, 4, 3, 2, 7, 0x80], &[4, 4, 3, 2, 7, 0x80, 5, 0]),
        ("an attribute with more", b"\x0c\x07subject", b"\x0c\x07subject\x05\0"),
        ("an attribute without a value", b"\x0c\x07subject", &[]),
        ("three bytes of bits", &[3, 2, 7, 0x80], &[3, 4, 0, 0x80, 0, 1]),
    ];
    for (what, from, to) in cases {
        assert_eq!(refused(&replaced(&der, from, to)), Error::Malformed, "{what}");
    }
    let name = [&[0x82, 9][..], b"a.example"].concat();
    for (what, to) in [
        ("no name", &[][..]),
        ("an empty name", &[0x82, 0]),
        ("a name with a space", &[0x82, 3, b'a', b' ', b'b']),
        ("a name with a zero", &[0x82, 3, b'a', 0, b'b']),
        ("a name that is not ASCII", &[0x82, 2, 0xc3, 0xa4]),
        ("an address of three bytes", &[0x87, 3, 1, 2, 3]),
        ("a kind of name that is none", &[0x89, 1, 1]),
        ("a name of the wrong class", &[0x16, 1, b'a']),
    ] {
        assert_eq!(refused(&replaced(&der, &name, to)), Error::Malformed, "{what}");
    }
    // Trailing zeros of key usage are often written, and understood.
    let lax = replaced(&der, &[3, 2, 7, 0x80], &[3, 3, 7, 0x80, 0]);
    assert_eq!(Certificate::parse(&lax).unwrap().key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    let other = replaced(&der, &name, &[0x88, 1, 0x2a]);
    let names: Vec<_> = Certificate::parse(&other).unwrap().subject_alt_name().unwrap().iter().collect();
    assert_eq!(names, [GeneralName::Other(8)]);
}

#[test]
fn a_certificate_is_three_elements_that_agree() {
    let mut root = Ca::root(12);
    let der = root.issue(&client());
    // The algorithm stands in what is signed and behind it. ecdsa-with-SHA384 differs in its last byte.
    let oid = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let places: Vec<usize> = (0..der.len()).filter(|&at| der[at..].starts_with(&oid)).collect();
    let with = |places: &[usize]| {
        let mut der = der.clone();
        places.iter().for_each(|at| der[at + 9] = 3);
        refused(&der)
    };
    assert_eq!(places.len(), 2);
    assert_eq!(with(&places[..1]), Error::Malformed);
    assert_eq!(with(&places[1..]), Error::Malformed);
    assert_eq!(with(&places), Error::UnsupportedAlgorithm);
    let content = [&der[4..], &[5, 0]].concat();
    let four = [&[0x30, 0x82, (content.len() >> 8) as u8, content.len() as u8][..], &content].concat();
    assert_eq!(refused(&four), Error::Malformed);
}

#[test]
fn every_issuer_has_a_name() {
    let mut nobody = Ca::self_signed(13, &Template { common_name: None, ..Template::ca("", None, YEAR) });
    let der = nobody.issue(&client());
    assert_eq!(refused(&der), Error::Malformed);
    assert_eq!(nobody.device(&der, &CLIENT), Err(Error::Malformed));
}

#[test]
fn serial_numbers() {
    let mut root = Ca::root(7);
    let key = root.issuer.public_key();
    let mut with = |bytes: &[u8]| {
        let serial = sedge_x509::authority::SerialNumber::new(bytes);
        let der = root.issuer.issue(&client(), &serial, &key, &mut root.rng).unwrap();
        Certificate::parse(&der).map(|certificate| certificate.serial().to_vec())
    };
    assert_eq!(with(&[1]), Ok(vec![1]));
    assert_eq!(with(&[0xff; 20]), Ok(vec![0xff; 20]));
    assert_eq!(with(&[0xff; 21]), Err(Error::Malformed));
    // No CA should give this one, but some do.
    assert_eq!(with(&[0]), Ok(vec![0]));
}

#[test]
fn extensions_are_not_an_empty_list() {
    let mut root = Ca::root(8);
    let bare = Template { key_usage: None, extended_key_usage: None, key_identifiers: false, ..client() };
    let der = root.issue(&bare);
    root.both(&der, &CLIENT, Ok(()));
    let info = subject_public_key_info(Certificate::parse(&der).unwrap().public_key());
    for (what, list) in [
        ("an empty list", &[0xa3, 2, 0x30, 0][..]),
        ("no list", &[0xa3, 0]),
        ("two lists", &[0xa3, 4, 0x30, 0, 0x30, 0]),
        ("something behind", &[5, 0]),
        ("unique identifiers", &[0x81, 2, 0, 1]),
    ] {
        let der = replaced(&der, &info, &[&info[..], list].concat());
        assert_eq!(refused(&der), Error::Malformed, "{what}");
    }
}

#[test]
fn other_algorithms_are_told_from_broken_ones() {
    let mut root = Ca::root(9);
    let der = root.issue(&client());
    let info = subject_public_key_info(Certificate::parse(&der).unwrap().public_key());
    let curve = replaced(&der, &info[13..23], &[6, 5, 0x2b, 0x81, 4, 0, 0x22]);
    assert_eq!(refused(&curve), Error::UnsupportedAlgorithm);
    // A compressed point is a key, too, but in a form that the profiles rule out.
    let compressed = [&[0x30, 57][..], &info[2..24], &[34, 0, 2], &info[27..59]].concat();
    assert_eq!(refused(&replaced(&der, &info, &compressed)), Error::UnsupportedAlgorithm);
    for (what, other) in [
        ("no key", &[0x30, 21][..]),
        ("a bit too few", &[0x30, 25, 3, 2, 1, 4]),
        ("two keys", &[0x30, 29, 3, 2, 0, 4, 3, 2, 0, 4]),
        ("an octet string", &[0x30, 25, 4, 2, 0, 4]),
    ] {
        let (head, tail) = other.split_at(2);
        let other = [&[head[0], 21 + tail.len() as u8][..], &info[2..23], tail].concat();
        assert_eq!(refused(&replaced(&der, &info, &other)), Error::Malformed, "{what}");
    }
}

/// A root, one certificate that it has issued, and a private key in PEM.
static ISSUED: LazyLock<(Ca, Vec<u8>, String)> = LazyLock::new(|| {
    let mut root = Ca::root(10);
    let der = root.issue(&server());
    let key = PrivateKey::generate(&RustCrypto, &mut root.rng).unwrap();
    let pem = key.to_pem(&RustCrypto, None, &mut root.rng).unwrap().to_string();
    (root, der, pem)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_panics(bytes: Vec<u8>) {
        let _ = Certificate::parse(&bytes);
        let _ = certificates(&bytes);
        let _ = CertificateRevocationList::parse(&bytes);
        let _ = public_key_of_file(&bytes);
        let _ = public_key_of_request(&RustCrypto, &bytes);
        let text = String::from_utf8_lossy(&bytes);
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE"] {
            let text = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
            let _ = PrivateKey::from_pem(&text, Some(b"x"));
            let _ = certificates(text.as_bytes());
        }
    }

    /// A private key with its text changed is another key, or none.
    #[test]
    fn private_keys_do_not_panic(changes in proptest::collection::vec((0_usize..1000, 0_u8..128), 0..4)) {
        let mut text = ISSUED.2.clone().into_bytes();
        for (at, byte) in changes {
            let at = at % text.len();
            text[at] = byte;
        }
        let _ = PrivateKey::from_pem(std::str::from_utf8(&text).unwrap(), None);
    }

    /// Elements in a row, so that a parser gets further than with any bytes.
    #[test]
    fn nothing_panics_on_der(tags: [u8; 12], lens in proptest::array::uniform12(0_u8..40), fill: u8) {
        let mut inner = Vec::new();
        for (tag, len) in tags.iter().zip(lens) {
            inner.extend([*tag, len]);
            inner.extend(std::iter::repeat_n(fill, usize::from(len)));
        }
        let mut der = vec![0x30, 0x82, (inner.len() >> 8) as u8, inner.len() as u8];
        der.extend(inner);
        let _ = Certificate::parse(&der);
    }

    #[test]
    fn mutations_are_refused_or_said_otherwise(
        changes in proptest::collection::vec((0_usize..1000, any::<u8>()), 1..4)
    ) {
        let (root, good, _) = &*ISSUED;
        let mut der = good.clone();
        for (at, byte) in changes {
            let at = at % der.len();
            der[at] = byte;
        }
        if der != *good {
            prop_assert!(!root.believed(&[&der], &SERVER));
        }
    }

}

proptest! {
    // Each makes two signatures.
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_issued_is_read_back(
        name in "[a-zA-Z0-9 äöü.:-]{1,64}",
        dns in proptest::collection::vec("[a-z0-9.-]{1,60}", 0..4),
        before in 0_u64..=Validity::WITHOUT_END,
        after in 0_u64..=Validity::WITHOUT_END,
        path_len: Option<u8>,
        raw in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut root = Ca::root(11);
        let validity = Validity { not_before: before, not_after: after };
        let names = dns.iter().cloned().map(AlternativeName::Dns).collect();
        let raw = RawExtension { id: vec![0x2a, 3, 4], critical: false, value: raw };
        let constraints = BasicConstraints { ca: true, path_len };
        let template = Template {
            basic_constraints: Some(constraints),
            further_extensions: vec![raw],
            ..Template::server(name.clone(), names, validity)
        };
        let der = root.issue(&template);
        let certificate = Certificate::parse(&der).unwrap();
        prop_assert_eq!(certificate.validity(), validity);
        prop_assert_eq!(certificate.subject().common_name(), Some(&name[..]));
        prop_assert_eq!(certificate.basic_constraints(), constraints);
        let names = certificate.subject_alt_name().map(|names| names.iter().collect::<Vec<_>>());
        let expected: Vec<_> = dns.iter().map(|name| GeneralName::Dns(name)).collect();
        prop_assert_eq!(names.unwrap_or_default(), expected);
    }
}
