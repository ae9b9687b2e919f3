extern crate std;

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn item(text: &str) -> Result<usize, Error> {
    let bytes = hex(text);
    let mut decoder = Decoder::new(&bytes);
    let read = decoder.item().map(<[u8]>::len);
    if read.is_err() {
        assert_eq!(decoder.remaining(), bytes, "moved by an error");
    }
    read
}

#[test]
fn what_has_another_form_is_refused() {
    // Integers, lengths and tags with a shorter form; in RFC 8949 appendix F too.
    for text in ["1800", "1817", "190000", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3800", "3817"] {
        assert_eq!(item(text), Err(Error::NotShortest), "{text}");
    }
    for text in ["580100", "5900020000", "780161", "980100", "b8010000", "d80500", "a1180000", "81580100"] {
        assert_eq!(item(text), Err(Error::NotShortest), "{text}");
    }
    for text in ["5f4100ff", "7f6161ff", "9f00ff", "bf0000ff", "ff", "819fff", "a1009fff", "1f", "df"] {
        assert_eq!(item(text), Err(Error::Indefinite), "{text}");
    }
    for text in ["1c", "1d", "1e", "3c", "5d", "7e", "9c", "bd", "dc", "fc", "f800", "f81f", "81f818"] {
        assert_eq!(item(text), Err(Error::Reserved), "{text}");
    }
    for text in ["61ff", "62c080", "8161ff", "a161ff00"] {
        assert_eq!(item(text), Err(Error::Utf8), "{text}");
    }
}

/// What devices check text with, beside the core library.
#[test]
fn utf8_is_what_the_core_library_says() {
    let agree = |bytes: &[u8]| {
        assert_eq!(decoder::is_short_utf8(bytes), std::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
    };
    // Every first and second byte, and the edges of what may follow them.
    for start in 0..=u16::MAX {
        let [a, b] = start.to_be_bytes();
        agree(&[a, b]);
        for c in [0x7f, 0x80, 0xbf, 0xc0] {
            agree(&[a, b, c]);
            for d in [0x7f, 0x80, 0xbf, 0xc0] {
                agree(&[a, b, c, d]);
            }
        }
    }
    for text in ["", "a", "aü€𝄞z", "\u{10ffff}\0"] {
        (0..=text.len()).for_each(|cut| agree(&text.as_bytes()[..cut]));
    }
}

#[test]
fn what_is_cut_off_is_refused() {
    for text in [
        "",
        "18",
        "19ff",
        "1affffff",
        "41",
        "6261",
        "81",
        "8201",
        "a1",
        "a101",
        "d8",
        "c1",
        "5bffffffffffffffff",
    ] {
        assert_eq!(item(text), Err(Error::Truncated), "{text}");
    }
    for text in ["9bffffffffffffffff00", "bbffffffffffffffff0000"] {
        assert_eq!(item(text), Err(Error::Truncated), "{text}");
    }
    let whole = hex("a301186461616161820a428080fa3ff00000");
    assert_eq!(Decoder::new(&whole).item(), Ok(&whole[..]));
    for cut in 0..whole.len() {
        assert_eq!(Decoder::new(&whole[..cut]).skip(), Err(Error::Truncated), "{cut}");
    }
}

#[test]
fn a_key_comes_once_in_whatever_order() {
    assert_eq!(item("a3010002000300"), Ok(7));
    assert_eq!(item("a3030001000200"), Ok(7));
    for text in [
        "a201000100",
        "a3010002000100",
        "a3020001000200",
        "a3030001000100",
        "a261610061610 0",
        "81a20000 0000",
    ] {
        let text: String = text.replace(' ', "");
        assert_eq!(item(&text), Err(Error::DuplicateKey), "{text}");
    }
    // Keys that are arrays or maps, and values that look like keys.
    assert_eq!(item("a28101008101 00".replace(' ', "").as_str()), Err(Error::DuplicateKey));
    assert_eq!(item("a301020203030 1".replace(' ', "").as_str()), Ok(7));
    // The same number as another type is another key.
    assert_eq!(item("a201000 04131".replace(' ', "").as_str()), Ok(6));
}

#[test]
fn many_keys_have_to_be_in_order() {
    let map = |keys: &[u64]| {
        let mut buffer = [0; 2000];
        let mut encoder = Encoder::new(&mut buffer);
        encoder.map(keys.len());
        for key in keys {
            encoder.unsigned(*key).null();
        }
        let len = encoder.finish().unwrap().len();
        Decoder::new(&buffer[..len]).skip()
    };
    let mut keys: Vec<u64> = (1..=300).collect();
    assert_eq!(map(&keys), Ok(()));
    keys.push(0);
    assert_eq!(map(&keys), Err(Error::Unordered));
    keys.rotate_right(1);
    assert_eq!(map(&keys), Ok(()));
    let mut few: Vec<u64> = (0..65).rev().collect();
    assert_eq!(map(&few), Ok(()));
    *few.last_mut().unwrap() = 64;
    assert_eq!(map(&few), Err(Error::DuplicateKey));
}

#[test]
fn depth_has_an_end() {
    for (head, level) in [("81", 1), ("c1", 1), ("a100", 2)] {
        let nested = |depth: usize| format!("{}00", head.repeat(depth));
        assert_eq!(item(&nested(MAX_DEPTH.into())), Ok(level * usize::from(MAX_DEPTH) + 1));
        assert_eq!(item(&nested(usize::from(MAX_DEPTH) + 1)), Err(Error::TooDeep));
        assert_eq!(item(&nested(100_000)), Err(Error::TooDeep));
    }
    let bytes = hex(&format!("{}00", "a100".repeat(usize::from(MAX_DEPTH) + 1)));
    assert_eq!(Decoder::new(&bytes).map(|_, _| Ok(())), Err(Error::TooDeep));
}

#[test]
fn each_type_is_read_as_itself_only() {
    let bytes = hex("00204100 6161 80 a0 c100 f5 f6 f93c00 f7".replace(' ', "").as_str());
    let types = [
        Type::Unsigned,
        Type::Negative,
        Type::Bytes,
        Type::Text,
        Type::Array,
        Type::Map,
        Type::Tag,
        Type::Bool,
        Type::Null,
        Type::Float,
        Type::Simple,
    ];
    let mut decoder = Decoder::new(&bytes);
    for kind in types {
        let read = |is: bool, outcome: Result<(), Error>| {
            assert_eq!(outcome.err(), (!is).then_some(Error::Type), "{kind:?}");
        };
        let d = || decoder;
        assert_eq!(decoder.peek(), Ok(kind));
        read(kind == Type::Unsigned, d().unsigned().map(drop));
        read(matches!(kind, Type::Unsigned | Type::Negative), d().int().map(drop));
        read(matches!(kind, Type::Unsigned | Type::Negative | Type::Text), d().label().map(drop));
        read(kind == Type::Bytes, d().bytes().map(drop));
        read(kind == Type::Text, d().text().map(drop));
        read(kind == Type::Array, d().array().map(drop));
        read(kind == Type::Map, d().map(|_, _| Ok::<_, Error>(())));
        read(kind == Type::Tag, d().tag().map(drop));
        assert_eq!(d().skip_tag(1), kind == Type::Tag);
        read(kind == Type::Bool, d().bool().map(drop));
        read(kind == Type::Null, d().null());
        read(kind == Type::Float, d().float().map(drop));
        decoder.skip().unwrap();
    }
    assert_eq!(decoder.end(), Ok(()));
    assert_eq!(Decoder::new(&[0]).end(), Err(Error::Trailing));
}

#[test]
fn numbers_have_their_range() {
    let int = |text: &str| Decoder::new(&hex(text)).int();
    assert_eq!(int("1b7fffffffffffffff"), Ok(i64::MAX));
    assert_eq!(int("3b7fffffffffffffff"), Ok(i64::MIN));
    assert_eq!(int("1b8000000000000000"), Err(Error::Range));
    assert_eq!(int("3b8000000000000000"), Err(Error::Range));
    assert_eq!(Decoder::new(&hex("1bffffffffffffffff")).unsigned(), Ok(u64::MAX));
}

#[test]
fn a_map_is_read_entry_by_entry() {
    let bytes = hex("a3016161026162206163");
    let mut decoder = Decoder::new(&bytes);
    let mut seen = vec![];
    decoder
        .map(|label, value| {
            // The second is left alone.
            if label != Label::Int(2) {
                seen.push((label, value.text()?));
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(seen, [(Label::Int(1), "a"), (Label::Int(-1), "c")]);
    assert!(decoder.is_empty());

    let partly = |label, value: &mut Decoder<'_>| match label {
        Label::Int(0) => value.array().map(drop),
        _ => Ok(()),
    };
    let bytes = hex("a1008101");
    assert_eq!(Decoder::new(&bytes).map(partly), Err(Error::Trailing), "a part of a value was read");
    let (bytes, mut entries) = (hex("a2010201 03".replace(' ', "").as_str()), 0);
    let outcome = Decoder::new(&bytes).map(|_, _| {
        entries += 1;
        Ok::<_, Error>(())
    });
    assert_eq!((outcome, entries), (Err(Error::DuplicateKey), 1));
    let bytes = hex("a1410000");
    assert_eq!(Decoder::new(&bytes).map(|_, _| Ok(())), Err(Error::Type), "a key that is no label");
}

#[test]
fn an_encoder_counts_what_it_has_no_room_for() {
    let write = |buffer: &mut [u8]| {
        let mut encoder = Encoder::new(buffer);
        encoder.array(2).bytes_of(|inside| {
            inside.map(1).int(1).bytes(&[7; 30]);
        });
        encoder.bool(true);
        encoder.finish().map(|written| written.to_vec())
    };
    let whole = write(&mut [0; 64]).unwrap();
    assert_eq!(whole, hex(&format!("825822a101581e{}f5", "07".repeat(30))));
    for len in 0..whole.len() {
        assert_eq!(write(&mut vec![0; len]), Err(NoRoom { needed: whole.len() }));
    }
    assert_eq!(write(&mut vec![0; whole.len()]), Ok(whole));
}

/// RFC 8949 appendix A, as far as it is deterministic.
#[test]
fn diagnostic_notation() {
    let examples = [
        ("00", "0"),
        ("17", "23"),
        ("1818", "24"),
        ("1b000000e8d4a51000", "1000000000000"),
        ("1bffffffffffffffff", "18446744073709551615"),
        ("3bffffffffffffffff", "-18446744073709551616"),
        ("3903e7", "-1000"),
        ("f90000", "0.0"),
        ("f98000", "-0.0"),
        ("f93e00", "1.5"),
        ("f97bff", "65504.0"),
        ("fa47c35000", "100000.0"),
        ("fb3ff199999999999a", "1.1"),
        ("f90001", "5.960464477539063e-8"),
        ("f90400", "6.103515625e-5"),
        ("f9c400", "-4.0"),
        ("f97c00", "Infinity"),
        ("f97e00", "NaN"),
        ("f9fc00", "-Infinity"),
        ("f4", "false"),
        ("f6", "null"),
        ("f7", "undefined"),
        ("f0", "simple(16)"),
        ("f8ff", "simple(255)"),
        ("c11a514b67b0", "1(1363896240)"),
        ("d74401020304", "23(h'01020304')"),
        ("d818456449455446", "24(h'6449455446')"),
        ("40", "h''"),
        ("62225c", r#""\"\\""#),
        ("62c3bc", "\"ü\""),
        ("610a", r#""\n""#),
        ("6107", r#""\u0007""#),
        ("8301820203820405", "[1, [2, 3], [4, 5]]"),
        ("a26161016162820203", r#"{"a": 1, "b": [2, 3]}"#),
        ("0102", "1, 2"),
        ("", ""),
    ];
    for (encoded, text) in examples {
        assert_eq!(Diagnostic::new(&hex(encoded)).to_string(), text);
    }
    let embedded = hex("d08343a1010aa04100");
    assert_eq!(Diagnostic::new(&embedded).with_embedded().to_string(), "16([<<{1: 10}>>, {}, h'00'])");
    let bad = Diagnostic::new(&hex("01a201000100")).to_string();
    assert_eq!(bad, "1, / a map has a key twice / h'a201000100'");
}

/// Any item, as another implementation encodes it.
fn any_item() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![any::<u64>(), 0..70_000u64, 0..300u64];
    let leaf = prop_oneof![
        number.clone().prop_map(|number| minicbor::to_vec(number).unwrap()),
        any::<i64>().prop_map(|number| minicbor::to_vec(number).unwrap()),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| minicbor::to_vec(minicbor::bytes::ByteVec::from(bytes)).unwrap()),
        ".{0,20}".prop_map(|text: String| minicbor::to_vec(text).unwrap()),
        any::<bool>().prop_map(|value| minicbor::to_vec(value).unwrap()),
        any::<f64>().prop_map(|value| minicbor::to_vec(value).unwrap()),
    ];
    leaf.prop_recursive(4, 40, 6, move |inside| {
        let many = prop::collection::vec(inside.clone(), 0..6);
        prop_oneof![
            (number.clone(), many.clone()).prop_map(|(tag, items)| {
                let mut encoder = minicbor::Encoder::new(vec![]);
                encoder.tag(minicbor::data::Tag::new(tag)).unwrap().array(items.len() as u64).unwrap();
                [encoder.into_writer(), items.concat()].concat()
            }),
            many.prop_map(|mut items| {
                let mut encoder = minicbor::Encoder::new(vec![]);
                encoder.map(items.len() as u64).unwrap();
                let mut entries = vec![];
                for (number, item) in items.drain(..).enumerate() {
                    entries.extend(minicbor::to_vec((7 * number + 3) % 11).unwrap());
                    entries.extend(item);
                }
                [encoder.into_writer(), entries].concat()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_another_implementation_writes_is_read(item in any_item(), more: [u8; 3]) {
        let bytes = [&item[..], &more].concat();
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(decoder.item(), Ok(&item[..]));
        prop_assert_eq!(decoder.remaining(), &more);
        for cut in 0..item.len() {
            prop_assert!(Decoder::new(&item[..cut]).skip().is_err());
        }
    }

    #[test]
    fn what_is_read_another_implementation_reads_too(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut decoder = Decoder::new(&bytes);
        if decoder.skip().is_ok() {
            let mut other = minicbor::Decoder::new(&bytes);
            prop_assert!(other.skip().is_ok());
            prop_assert_eq!(other.position(), bytes.len() - decoder.remaining().len());
        }
        let _ = Diagnostic::new(&bytes).with_embedded().to_string();
    }

    #[test]
    fn numbers_are_written_as_another_implementation_writes_them(number: i64, shift in 0..64u32) {
        let number = number >> shift;
        let mut buffer = [0; 9];
        let mut encoder = Encoder::new(&mut buffer);
        encoder.int(number);
        let written = encoder.finish().unwrap();
        prop_assert_eq!(&*written, &minicbor::to_vec(number).unwrap()[..]);
        prop_assert_eq!(Decoder::new(written).int(), Ok(number));
    }

    #[test]
    fn half_precision_is_read_as_another_implementation_reads_it(bits: u16) {
        let bytes = [&[0xf9][..], &bits.to_be_bytes()].concat();
        let (ours, theirs) =
            (Decoder::new(&bytes).float().unwrap(), f64::from(minicbor::Decoder::new(&bytes).f16().unwrap()));
        prop_assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()), "{ours} {theirs}");
    }
}
