//! Header parameters: what is read, and what is refused.

use sedge_cose::cbor::{self, Label};
use sedge_cose::{Algorithm, Error, Headers, Mac0, Nonce};

use crate::support::hex;

/// Reads a message with these buckets; the protected one is the content of a byte string.
fn read(protected: &str, unprotected: &str) -> Result<(), Error> {
    with(protected, unprotected, |_| ())
}

fn with<T>(protected: &str, unprotected: &str, look: impl FnOnce(&Headers<'_>) -> T) -> Result<T, Error> {
    let protected = hex(protected);
    let head = if protected.len() < 24 {
        vec![0x40 | protected.len() as u8]
    } else {
        vec![0x58, protected.len() as u8]
    };
    let message = [&[0x84], &head[..], &protected, &hex(unprotected), &hex("4101 4102")].concat();
    Mac0::parse(&message).map(|message| look(message.headers()))
}

#[test]
fn every_common_parameter_is_found() {
    let all = with("a2 01 05 03 18 3c", "a3 04 42 6b31 05 43 010203 0a 41 07", |headers| {
        assert_eq!(headers.algorithm(), Some(Algorithm::HMAC_256));
        assert_eq!(headers.content_type(), Some(Label::Int(60)));
        assert_eq!(headers.kid(), Some(&b"k1"[..]));
        assert_eq!((headers.iv(), headers.partial_iv()), (Some(&[1, 2, 3][..]), None));
        assert_eq!(headers.unprotected(Label::Int(10)).unwrap().bytes(), Ok(&[7][..]));
        assert_eq!((headers.kid_context(), headers.protected_content_format()), (Some(&[7][..]), Some(60)));
        assert_eq!(headers.protected_bytes(), hex("a2010503183c"));
        format!("{headers:?}")
    });
    let printed = "Headers(<<{1: 5, 3: 60}>>, {4: h'6b31', 5: h'010203', 10: h'07'})";
    assert_eq!(all.as_deref(), Ok(printed));
    let text = with("a1 03 6a 746578742f706c61696e", "a1 06 41 09", |headers| {
        assert_eq!(headers.content_type(), Some(Label::Text("text/plain")));
        assert_eq!(headers.partial_iv(), Some(&[9][..]));
        assert_eq!((headers.kid_context(), headers.protected_content_format()), (None, None));
    });
    assert_eq!(
        with("", "a1 03 18 3c", |headers| headers.protected_content_format()),
        Ok(None),
        "anybody may have written it"
    );
    assert_eq!(text, Ok(()));
}

#[test]
fn an_empty_bucket_has_two_forms_and_one_meaning() {
    for protected in ["", "a0"] {
        assert_eq!(with(protected, "a0", |headers| headers.protected_bytes().len()), Ok(0));
    }
    assert_eq!(read("80", "a0"), Err(Error::Cbor(cbor::Error::Type)));
    assert_eq!(read("a000", "a0"), Err(Error::Cbor(cbor::Error::Trailing)));
    assert_eq!(read("", "80"), Err(Error::Cbor(cbor::Error::Type)));
    assert_eq!(read("", "40"), Err(Error::Cbor(cbor::Error::Type)));
}

#[test]
fn a_label_is_in_one_bucket_once() {
    for (protected, unprotected) in [
        ("a1 01 05", "a1 01 05"),
        ("a1 04 4131", "a1 04 4132"),
        ("a1 18 1f 00", "a1 18 1f 00"),
        ("a1 18 20 00", "a1 18 20 00"),
        ("a1 20 00", "a2 01 05 20 00"),
        ("a2 61 61 00 61 62 00", "a2 61 63 00 61 62 01"),
    ] {
        assert_eq!(read(protected, unprotected), Err(Error::Header), "{protected} {unprotected}");
    }
    for bucket in ["a2 01 05 01 05", "a2 20 00 20 01", "a2 61 61 00 61 61 00", "a3 04 4131 05 4131 04 4132"] {
        assert_eq!(read(bucket, "a0"), Err(Error::Cbor(cbor::Error::DuplicateKey)));
        assert_eq!(read("", bucket), Err(Error::Cbor(cbor::Error::DuplicateKey)));
    }
    assert_eq!(read("a2 01 05 20 00", "a3 04 4131 21 00 61 61 00"), Ok(()));
}

#[test]
fn a_value_has_its_type() {
    for bucket in [
        "a1 01 4105",              // alg as bytes
        "a1 01 67 756e6b6e6f776e", // alg by a name that nobody has registered
        "a1 03 20",                // a negative content type
        "a1 03 41 00",
        "a1 04 01",    // kid as a number
        "a1 04 61 61", // kid as text
        "a1 05 00",
        "a1 06 f6",
        "a1 0a 01", // kid context as a number
        "a1 0c 00",
        "a1 01 1b 8000000000000000", // more than a number of the registry can be
        "a1 03 1b 8000000000000000",
    ] {
        assert_eq!(read("", bucket), Err(Error::Header), "{bucket}");
    }
    for bucket in ["a1 01 4105", "a1 03 20", "a1 04 01", "a1 05 00", "a1 06 f6"] {
        assert_eq!(read(bucket, "a0"), Err(Error::Header), "{bucket}");
    }
    // Keys that are no labels, and what is not deterministic, within values too.
    assert_eq!(read("", "a1 4101 00"), Err(Error::Cbor(cbor::Error::Type)));
    assert_eq!(read("", "a1 18 17 00"), Err(Error::Cbor(cbor::Error::NotShortest)));
    assert_eq!(read("", "bf 04 4131 ff"), Err(Error::Cbor(cbor::Error::Indefinite)));
    assert_eq!(read("", "a1 18 63 81 18 05"), Err(Error::Cbor(cbor::Error::NotShortest)));
    assert_eq!(read("", "a1 18 63 a2 00 00 00 00"), Err(Error::Cbor(cbor::Error::DuplicateKey)));
    assert_eq!(read("", &format!("a1 18 63 {} 00", "81".repeat(9))), Err(Error::Cbor(cbor::Error::TooDeep)));
}

#[test]
fn iv_and_partial_iv_exclude_each_other() {
    assert_eq!(read("", "a2 05 4101 06 4101"), Err(Error::Header));
    assert_eq!(read("a1 05 4101", "a1 06 4101"), Err(Error::Header));
}

#[test]
fn what_is_critical_has_to_be_understood() {
    // RFC 9052 section 3.1: protected, not empty, and each label there.
    assert_eq!(read("a2 01 05 02 81 01", "a0"), Ok(()));
    assert_eq!(read("a3 01 05 02 82 01 03 03 00", "a0"), Ok(()));
    assert_eq!(read("a2 01 05 02 80", "a0"), Err(Error::Header));
    assert_eq!(read("a2 01 05 02 01", "a0"), Err(Error::Header));
    assert_eq!(read("a2 01 05 02 81 41 01", "a0"), Err(Error::Header));
    assert_eq!(read("a1 01 05", "a1 02 81 01"), Err(Error::Header));
    assert_eq!(read("a2 01 05 02 81 04", "a0"), Err(Error::Critical), "not there");
    assert_eq!(read("a2 01 05 02 81 04", "a1 04 4131"), Err(Error::Critical), "there, but not protected");
    assert_eq!(read("a3 01 05 02 81 18 63 18 63 00", "a0"), Err(Error::Critical));
    // RFC 8152 appendix C.1.4 has a critical parameter with a name.
    assert_eq!(read("a2 02 81 68 7265736572766564 68 7265736572766564 f4", "a0"), Err(Error::Critical));
}

#[test]
fn a_countersignature_is_not_protected() {
    assert_eq!(read("a1 0b 83 40 a0 40", "a0"), Err(Error::Header));
    assert_eq!(read("a1 0c 40", "a0"), Err(Error::Header));
    assert_eq!(read("", "a1 0c 40"), Ok(()));
}

#[test]
fn a_nonce_comes_from_the_message_and_the_key() {
    let algorithm = Algorithm::AES_CCM_16_64_128;
    let nonce = |unprotected: &str, base: Option<&[u8]>| {
        with("", unprotected, |headers| headers.nonce(algorithm, base)).unwrap()
    };
    let iv = "a1 05 4d 000102030405060708090a0b0c";
    assert_eq!(nonce(iv, None).unwrap().as_bytes(), hex("000102030405060708090a0b0c"));
    assert_eq!(nonce(iv, Some(&[1; 13])).unwrap().as_bytes(), hex("000102030405060708090a0b0c"));
    let combined = nonce("a1 06 42 ff01", Some(&[0x11; 13])).unwrap();
    assert_eq!(combined.as_bytes(), hex("1111111111111111111111ee10"));
    for (unprotected, base) in [
        ("a0", None),
        ("a0", Some(&[1; 13][..])),
        ("a1 06 42 ff01", None),
        ("a1 06 42 ff01", Some(&[1; 12])),
        ("a1 06 4e 0000000000000000000000000000", Some(&[1; 13])),
        ("a1 05 4c 000102030405060708090a0b", None),
        ("a1 05 4e 000102030405060708090a0b0c0d", None),
    ] {
        assert_eq!(nonce(unprotected, base), Err(Error::Nonce), "{unprotected}");
    }
    assert_eq!(with("", iv, |headers| headers.nonce(Algorithm::ES256, None)), Ok(Err(Error::Nonce)));
    assert_eq!(Nonce::new(&[0; 14]), None);
}

#[test]
fn a_message_has_its_shape() {
    for (message, error) in [
        ("", Error::Cbor(cbor::Error::Truncated)),
        ("80", Error::Structure),
        ("83 40 a0 40", Error::Structure),
        ("85 40 a0 40 40 40", Error::Structure),
        ("84 40 a0 40 40 00", Error::Cbor(cbor::Error::Trailing)),
        ("84 40 a0 f5 40", Error::Cbor(cbor::Error::Type)),
        ("84 40 a0 40 f6", Error::Cbor(cbor::Error::Type)),
        ("84 40 a0 40 6161", Error::Cbor(cbor::Error::Type)),
        ("84 a0 a0 40 40", Error::Cbor(cbor::Error::Type)),
        ("d1 d1 84 40 a0 40 40", Error::Cbor(cbor::Error::Type)),
        ("d2 84 40 a0 40 40", Error::Cbor(cbor::Error::Type)),
        ("d8 11 84 40 a0 40 40", Error::Cbor(cbor::Error::NotShortest)),
        ("84 40 a0 58 01 00 40", Error::Cbor(cbor::Error::NotShortest)),
        ("9f 40 a0 40 40 ff", Error::Cbor(cbor::Error::Indefinite)),
    ] {
        assert_eq!(Mac0::parse(&hex(message)).err(), Some(error), "{message}");
    }
    assert!(Mac0::parse(&hex("d1 84 40 a0 f6 40")).is_ok());
}
