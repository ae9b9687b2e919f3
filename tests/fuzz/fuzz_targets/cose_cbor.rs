//! Any bytes as CBOR: what is read is in deterministic form, so that its prefixes and other forms of it are not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_cose::cbor::{Decoder, Diagnostic, Encoder, Error, Type};

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(bytes);
    if let Ok(item) = decoder.item() {
        assert_eq!(item.len() + decoder.remaining().len(), bytes.len());
        assert!(Decoder::new(&item[..item.len() - 1]).skip().is_err(), "a prefix is an item");
        let mut buffer = vec![0; item.len()];
        let mut encoder = Encoder::new(&mut buffer);
        copy(&mut Decoder::new(item), &mut encoder);
        assert_eq!(encoder.finish().expect("as long as before"), item);
    } else {
        assert_eq!(decoder.remaining(), bytes, "moved by an error");
    }
    let mut entries = 0;
    let _ = Decoder::new(bytes).map(|_, _| {
        entries += 1;
        Ok::<_, Error>(())
    });
    assert!(entries <= bytes.len());
    let _ = Diagnostic::new(bytes).with_embedded().to_string();
});

/// Writes what was read.
fn copy(decoder: &mut Decoder<'_>, encoder: &mut Encoder<'_>) {
    const CHECKED: &str = "it has been checked";
    match decoder.peek().expect(CHECKED) {
        Type::Unsigned => drop_ref(encoder.unsigned(decoder.unsigned().expect(CHECKED))),
        Type::Bytes => drop_ref(encoder.bytes(decoder.bytes().expect(CHECKED))),
        Type::Text => drop_ref(encoder.text(decoder.text().expect(CHECKED))),
        Type::Bool => drop_ref(encoder.bool(decoder.bool().expect(CHECKED))),
        Type::Null => {
            decoder.null().expect(CHECKED);
            encoder.null();
        }
        Type::Array => {
            let count = decoder.array().expect(CHECKED);
            encoder.array(count);
            (0..count).for_each(|_| copy(decoder, encoder));
        }
        Type::Tag => {
            encoder.tag(decoder.tag().expect(CHECKED));
            copy(decoder, encoder);
        }
        Type::Negative => match decoder.int() {
            Ok(number) => drop_ref(encoder.int(number)),
            Err(_) => drop_ref(encoder.raw(decoder.item().expect(CHECKED))),
        },
        Type::Map | Type::Float | Type::Simple => drop_ref(encoder.raw(decoder.item().expect(CHECKED))),
    }
}

fn drop_ref(_: &mut Encoder<'_>) {}
