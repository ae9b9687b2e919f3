use std::format;
use std::vec::Vec;

use super::*;
use crate::ContentFormat;
use crate::block::{Block, BlockSize};
use crate::{Writer, empty_message};

fn malformed(bytes: &[u8]) -> (Malformed, Reaction) {
    let error = Message::parse(bytes).unwrap_err();
    (error.malformed(), error.reaction())
}

/// RFC 7252 figure 16: a GET and its piggybacked response.
#[test]
fn reads_the_rfc_examples() {
    let request = Message::parse(b"\x40\x01\x7d\x34\xbbtemperature").unwrap();
    assert_eq!(request.kind(), Type::Con);
    assert_eq!(request.code(), Code::GET);
    assert_eq!(request.message_id(), 0x7d34);
    assert_eq!(request.token(), Token::EMPTY);
    assert_eq!(request.options().collect::<Vec<_>>(), [(OptionNumber::URI_PATH, &b"temperature"[..])]);
    assert_eq!(request.payload(), b"");

    let response = Message::parse(b"\x60\x45\x7d\x34\xff22.3 C").unwrap();
    assert_eq!((response.kind(), response.code()), (Type::Ack, Code::CONTENT));
    assert_eq!(response.payload(), b"22.3 C");

    // Figure 17: the same with a token of one byte.
    let request = Message::parse(b"\x41\x01\x7d\x35\x20\xbbtemperature").unwrap();
    assert_eq!(request.token().as_bytes(), [0x20]);
}

#[test]
fn reads_every_typed_option() {
    let bytes = [
        &b"\x48\x03\x12\x34\x01\x02\x03\x04\x05\x06\x07\x08"[..],
        b"\x12\xaa\xbb",     // 1 If-Match
        b"\x21h",            // 3 Uri-Host
        b"\x11\x01",         // 4 ETag
        b"\x10",             // 5 If-None-Match
        b"\x13\x01\x02\x03", // 6 Observe
        b"\x12\x16\x33",     // 7 Uri-Port
        b"\x41a\x00",        // 11 Uri-Path, twice
        b"\x11\x3c",         // 12 Content-Format
        b"\x22\x01\x00",     // 14 Max-Age
        b"\x13q=1",          // 15 Uri-Query
        b"\x11\x10",         // 16 Hop-Limit
        b"\x11\x70",         // 17 Accept
        b"\x61\x2e",         // 23 Block2
        b"\x43\xff\xff\xfe", // 27 Block1
        b"\x10",             // 28 Size2
        b"\xd2\x13\x01\x01", // 60 Size1: delta 32
        b"\xd3\xb3abc",      // 252 Echo: delta 192
        b"\x61\x1a",         // 258 No-Response
        b"\xd2\x15tt\x00",   // 292 Request-Tag: delta 34, twice
        b"\xe1\x06\x24\x09", // 2133: delta 1841
    ]
    .concat();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.token(), Token::from([1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(message.if_match().collect::<Vec<_>>(), [[0xaa, 0xbb]]);
    assert_eq!(message.uri_host(), Some("h"));
    assert_eq!(message.etags().collect::<Vec<_>>(), [[1]]);
    assert!(message.if_none_match());
    assert_eq!(message.observe(), Some(0x010203));
    assert_eq!(message.uri_port(), Some(5683));
    assert_eq!(message.uri_path().collect::<Vec<_>>(), [&b"a"[..], b""]);
    assert_eq!(message.content_format(), Some(ContentFormat::CBOR));
    assert_eq!(message.max_age(), 256);
    assert_eq!(message.uri_query().collect::<Vec<_>>(), [b"q=1"]);
    assert_eq!(message.hop_limit(), Some(16));
    assert_eq!(message.accept(), Some(ContentFormat::SENML_CBOR));
    assert_eq!(message.block2(), Block::new(2, true, BlockSize::MAX));
    assert_eq!(message.block1(), Block::new(Block::MAX_NUM, true, BlockSize::MAX));
    assert_eq!(message.size2(), Some(0));
    assert_eq!(message.size1(), Some(257));
    assert_eq!(message.echo(), Some(&b"abc"[..]));
    assert_eq!(message.no_response(), Some(26));
    assert_eq!(message.request_tags().collect::<Vec<_>>(), [&b"tt"[..], b""]);
    assert_eq!(message.options().last(), Some((OptionNumber(2133), &b"\x09"[..])));
    assert_eq!(message.max_age(), 256);
    assert!(format!("{message:?}").contains("Uri-Path \"a\""));
}

/// RFC 7252 sections 3, 4.1 to 4.3, and what the sender is owed.
#[test]
fn refuses_malformed_messages() {
    use Malformed as M;
    use Reaction::{Ignore, Reset};
    for len in 0..4 {
        assert_eq!(malformed(&b"\x40\x01\x00\x00"[..len]), (M::Truncated, Ignore));
    }
    for version in [0x00, 0x80, 0xc0] {
        assert_eq!(malformed(&[version, 1, 0, 0]), (M::UnknownVersion, Ignore));
    }
    for token_len in 9..=15 {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&[0x40 | token_len, 1]);
        assert_eq!(malformed(&bytes), (M::TokenLength, Reset));
        bytes[0] = 0x50 | token_len;
        assert_eq!(malformed(&bytes), (M::TokenLength, Ignore));
    }
    assert_eq!(malformed(b"\x42\x01\x00\x00\x01"), (M::Truncated, Reset));
    assert_eq!(malformed(b"\x40\x00\x00\x00\x00"), (M::EmptyWithContent, Reset));
    assert_eq!(malformed(b"\x41\x00\x00\x00\x00"), (M::EmptyWithContent, Reset));
    assert_eq!(malformed(b"\x60\x00\x00\x00\xff\x01"), (M::EmptyWithContent, Ignore));
    assert_eq!(malformed(b"\x50\x00\x00\x00"), (M::EmptyNon, Ignore));
    assert_eq!(malformed(b"\x60\x01\x00\x00"), (M::RequestInAck, Ignore));
    assert_eq!(malformed(b"\x70\x45\x00\x00"), (M::ResetWithContent, Ignore));
    for code in (0x20..0x40).chain(0xc0..=0xff) {
        assert_eq!(malformed(&[0x40, code, 0, 0]), (M::ReservedClass, Reset));
    }
    for head in [0xf0, 0xf1, 0x0f, 0x1f, 0xfe] {
        assert_eq!(malformed(&[0x40, 1, 0, 0, head, 0, 0, 0, 0]), (M::ReservedNibble, Reset));
    }
    assert_eq!(malformed(b"\x40\x01\x00\x00\xff"), (M::MarkerWithoutPayload, Reset));
    assert_eq!(malformed(b"\x40\x01\x00\x00\xb1a\xff"), (M::MarkerWithoutPayload, Reset));
    // An option whose delta, length or value is cut off.
    for bytes in [&b"\xd0"[..], b"\xe0\x00", b"\x0d", b"\x0e\x00", b"\x02a", b"\x0d\x00", b"\x0e\x00\x00a"] {
        assert_eq!(malformed(&[b"\x40\x01\x00\x00", bytes].concat()), (M::Truncated, Reset));
    }
    // Delta 65535 is the highest number; one more is none.
    let highest = b"\x40\x01\x00\x00\xe0\xfe\xf2";
    assert_eq!(Message::parse(highest).unwrap().options().next(), Some((OptionNumber(65535), &b""[..])));
    assert_eq!(malformed(b"\x40\x01\x00\x00\xe0\xfe\xf3"), (M::OptionNumber, Reset));
    assert_eq!(malformed(b"\x40\x01\x00\x00\xe0\xfe\xf2\x10"), (M::OptionNumber, Reset));
    assert_eq!(Message::parse(b"\x40\x01\xab\xcd\xff").unwrap_err().message_id(), 0xabcd);
}

#[test]
fn takes_empty_messages() {
    for kind in [Type::Con, Type::Ack, Type::Rst] {
        let bytes = empty_message(kind, 0xbeef);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.kind(), message.code(), message.message_id()), (kind, Code::EMPTY, 0xbeef));
    }
}

fn check(kind: Type, code: Code, options: &[(OptionNumber, &[u8])]) -> Result<(), Rejected> {
    let mut buffer = [0; 128];
    let mut writer = Writer::new(&mut buffer, kind, code, 1, Token::EMPTY);
    for (number, value) in options {
        writer.option(*number, value);
    }
    let len = writer.finish().unwrap();
    let known = |number: OptionNumber| {
        number.definition().is_some() && number != OptionNumber::OSCORE && number != OptionNumber::PROXY_URI
    };
    Message::parse(&buffer[..len]).unwrap().check(known)
}

/// RFC 7252 sections 5.4.1, 5.4.3 and 5.4.5.
#[test]
fn a_critical_option_that_is_not_recognised_is_refused() {
    use Reaction::{Ignore, Reset, Respond};
    let unknown = OptionNumber(2051);
    for (option, value) in [
        (unknown, &b""[..]),
        (OptionNumber::OSCORE, b""),
        (OptionNumber::URI_HOST, b""),
        (OptionNumber::URI_PORT, b"123"),
        (OptionNumber::IF_NONE_MATCH, b"1"),
        (OptionNumber::IF_MATCH, b"123456789"),
        (OptionNumber::BLOCK1, b"1234"),
    ] {
        let options = &[(option, value)][..];
        let refused = |kind, code| check(kind, code, options).unwrap_err();
        let bad_option = Respond(Code::BAD_OPTION);
        assert_eq!(refused(Type::Con, Code::PUT), Rejected { option, reaction: bad_option });
        assert_eq!(refused(Type::Non, Code::PUT).reaction, Reset);
        assert_eq!(refused(Type::Con, Code::CONTENT).reaction, Reset);
        assert_eq!(refused(Type::Ack, Code::CONTENT).reaction, Ignore);
    }
    let proxied = [(OptionNumber::PROXY_URI, &b"coap://h"[..])];
    let refused = check(Type::Con, Code::GET, &proxied).unwrap_err().reaction;
    assert_eq!(refused, Respond(Code::PROXYING_NOT_SUPPORTED));
    let twice = [(OptionNumber::URI_PORT, &b"1"[..]), (OptionNumber::URI_PORT, b"1")];
    assert_eq!(check(Type::Con, Code::GET, &twice).unwrap_err().reaction, Respond(Code::BAD_OPTION));
    let path = [(OptionNumber::URI_PATH, &b"a"[..]), (OptionNumber::URI_PATH, b"a")];
    assert_eq!(check(Type::Con, Code::GET, &path), Ok(()));
    // An option of the caller's own may be repeated: whether it makes sense is the caller's to say.
    let own = Message::parse(b"\x40\x01\x00\x00\xe0\x06\xf6\x00").unwrap();
    assert_eq!(own.check(|number| number == unknown), Ok(()));
    assert!(own.check(|_| false).is_err());
}

#[test]
fn an_elective_option_that_is_not_recognised_is_passed_over() {
    let long = [(OptionNumber::CONTENT_FORMAT, &b"123"[..])];
    assert_eq!(check(Type::Con, Code::PUT, &long), Ok(()));
    let not_text = [(OptionNumber::LOCATION_PATH, &b"\xff"[..])];
    assert_eq!(check(Type::Ack, Code::CREATED, &not_text), Ok(()));
    let zero = [(OptionNumber::CONTENT_FORMAT, &b"\x00"[..]), (OptionNumber::HOP_LIMIT, b"\x01")];
    assert_eq!(check(Type::Con, Code::PUT, &zero), Ok(()));
    let unknown = [(OptionNumber(2050), &b"123"[..])];
    assert_eq!(check(Type::Con, Code::PUT, &unknown), Ok(()));
    // Twice Observe: the first counts, and a first of a wrong length does not.
    let message = Message::parse(b"\x40\x01\x00\x00\x61\x01\x01\x02").unwrap();
    assert_eq!((message.check(|_| true), message.observe()), (Ok(()), Some(1)));
    let message = Message::parse(b"\x40\x01\x00\x00\x64\x01\x01\x01\x01").unwrap();
    assert_eq!((message.check(|_| true), message.observe()), (Ok(()), None));
}

#[test]
fn a_value_without_meaning_is_a_bad_request() {
    for (option, value) in [
        (OptionNumber::BLOCK1, &b"\x07"[..]),
        (OptionNumber::BLOCK2, b"\x1f"),
        (OptionNumber::URI_PATH, b".."),
        (OptionNumber::URI_PATH, b"\xff\xff"),
        (OptionNumber::URI_QUERY, b"\xc0\x80"),
        (OptionNumber::HOP_LIMIT, b"\x00"),
    ] {
        for kind in [Type::Con, Type::Non] {
            let reaction = check(kind, Code::PUT, &[(option, value)]).unwrap_err().reaction;
            assert_eq!(reaction, Reaction::Respond(Code::BAD_REQUEST), "{option}");
        }
    }
}

/// RFC 7252 section 5.4.6 and the table of section 5.10.
#[test]
fn option_numbers_classify_themselves() {
    let table = [
        (OptionNumber::IF_MATCH, true, false, false),
        (OptionNumber::URI_HOST, true, true, false),
        (OptionNumber::ETAG, false, false, false),
        (OptionNumber::IF_NONE_MATCH, true, false, false),
        (OptionNumber::URI_PORT, true, true, false),
        (OptionNumber::LOCATION_PATH, false, false, false),
        (OptionNumber::URI_PATH, true, true, false),
        (OptionNumber::CONTENT_FORMAT, false, false, false),
        (OptionNumber::MAX_AGE, false, true, false),
        (OptionNumber::URI_QUERY, true, true, false),
        (OptionNumber::ACCEPT, true, false, false),
        (OptionNumber::LOCATION_QUERY, false, false, false),
        (OptionNumber::PROXY_URI, true, true, false),
        (OptionNumber::PROXY_SCHEME, true, true, false),
        (OptionNumber::SIZE1, false, false, true),
        (OptionNumber::SIZE2, false, false, true),
        (OptionNumber::ECHO, false, false, true),
    ];
    for (number, critical, unsafe_to_forward, no_cache_key) in table {
        assert_eq!(number.is_critical(), critical, "{number}");
        assert_eq!(number.is_unsafe(), unsafe_to_forward, "{number}");
        assert_eq!(number.is_no_cache_key(), no_cache_key, "{number}");
    }
}
