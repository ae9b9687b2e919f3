//! The codec against coap-lite 0.13: both must agree wherever coap-lite is right.
//!
//! Where coap-lite is wrong, as the assertions below show:
//!
//! | what comes | RFC 7252 | coap-lite |
//! |---|---|---|
//! | a version other than 1 | section 3: ignored | parsed |
//! | an empty message with a token, options or payload | section 4.1: format error | parsed |
//! | an empty Non-confirmable message, a Reset or acknowledgement with a request | 4.2, 4.3: rejected | parsed |
//! | a code of class 1, 6 or 7 | section 4.2: rejected | parsed |
//! | a payload marker without payload | section 3: format error | parsed, marker dropped |
//! | an option value of 65,536 to 65,804 bytes | section 3.1: well-formed | refused |
//! | a value of a wrong length | section 5.4.3: as an unrecognised option | handed out |
//! | a Content-Format it has no name for | any of 65,536 | not told from none |
//! | an unknown method or response | section 5.2, 12.1.1: by class | `Reserved`, class lost |

use coap_lite::{CoapOption, ContentFormat, MessageClass, MessageType, Packet};
use proptest::collection::vec;
use proptest::prelude::*;
use sedge_coap::{Malformed, Message, OptionNumber, Token, Type, Writer};

fn malformed(bytes: &[u8]) -> Option<Malformed> {
    Message::parse(bytes).err().map(|error| error.malformed())
}

/// Whether the RFC refuses what coap-lite takes: the first half of the table.
fn is_known_difference(error: Malformed) -> bool {
    matches!(
        error,
        Malformed::UnknownVersion
            | Malformed::EmptyWithContent
            | Malformed::EmptyNon
            | Malformed::RequestInAck
            | Malformed::ResetWithContent
            | Malformed::ReservedClass
            | Malformed::MarkerWithoutPayload
    )
}

fn assert_same(message: &Message<'_>, packet: &Packet) {
    let kind = match message.kind() {
        Type::Con => MessageType::Confirmable,
        Type::Non => MessageType::NonConfirmable,
        Type::Ack => MessageType::Acknowledgement,
        Type::Rst => MessageType::Reset,
    };
    assert_eq!(packet.header.get_type(), kind);
    assert_eq!(u8::from(packet.header.code), message.code().0);
    assert_eq!(packet.header.message_id, message.message_id());
    assert_eq!(packet.get_token(), message.token().as_bytes());
    assert_eq!(packet.payload, message.payload());
    let theirs: Vec<(u16, &[u8])> = packet
        .options()
        .flat_map(|(number, values)| values.iter().map(|value| (*number, value.as_slice())))
        .collect();
    let ours: Vec<_> = message.options().map(|(number, value)| (number.0, value)).collect();
    assert_eq!(ours, theirs);
}

/// Datagrams with a header that is right more often than not, and options of all kinds.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![8 => (0_u8..4, 0_u8..=8).prop_map(|(kind, len)| 0x40 | kind << 4 | len), 1 => any::<u8>()];
    let rest =
        vec(prop_oneof![4 => 0_u8..0x40, 2 => any::<u8>(), 1 => Just(0xff), 1 => 0xd0_u8..0xf0], 0..48);
    (first, any::<u8>(), rest).prop_map(|(first, code, rest)| [&[first, code][..], &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same(bytes in datagram()) {
        match (Message::parse(&bytes), Packet::from_bytes(&bytes)) {
            (Ok(message), Ok(packet)) => assert_same(&message, &packet),
            (Err(_), Err(_)) => {}
            (Err(error), Ok(_)) => prop_assert!(is_known_difference(error.malformed()), "{error}"),
            (Ok(message), Err(error)) => prop_assert!(false, "{message:?}: {error}"),
        }
    }

    #[test]
    fn both_write_the_same(
        kind in 0_u8..4,
        message_id in any::<u16>(),
        token in vec(any::<u8>(), 0..=8),
        options in vec((0_u16..700, vec(any::<u8>(), 0..300)), 0..6),
        payload in vec(any::<u8>(), 0..40),
    ) {
        let kind = Type::from_bits(kind);
        let mut packet = Packet::new();
        packet.header.set_type(match kind {
            Type::Con => MessageType::Confirmable,
            Type::Non => MessageType::NonConfirmable,
            Type::Ack => MessageType::Acknowledgement,
            Type::Rst => MessageType::Reset,
        });
        packet.header.code = MessageClass::from(0x45);
        packet.header.message_id = message_id;
        packet.set_token(token.clone());
        let mut buffer = [0; 4096];
        let mut writer = Writer::new(&mut buffer, kind, sedge_coap::Code::CONTENT, message_id, Token::new(&token).unwrap());
        for (number, value) in options {
            writer.insert_option(OptionNumber(number), &value);
            packet.add_option(number.into(), value);
        }
        writer.payload(&payload);
        packet.payload = payload;
        let len = writer.finish().unwrap();
        prop_assert_eq!(&buffer[..len], packet.to_bytes_unlimited().unwrap());
    }
}

#[test]
fn coap_lite_takes_what_the_rfc_refuses() {
    for (bytes, error) in [
        (&b"\x00\x01\x00\x00"[..], Malformed::UnknownVersion),
        (b"\xc0\x01\x00\x00", Malformed::UnknownVersion),
        (b"\x41\x00\x00\x00t", Malformed::EmptyWithContent),
        (b"\x40\x00\x00\x00\xb1a", Malformed::EmptyWithContent),
        (b"\x60\x00\x00\x00\xff1", Malformed::EmptyWithContent),
        (b"\x50\x00\x00\x00", Malformed::EmptyNon),
        (b"\x60\x01\x00\x00", Malformed::RequestInAck),
        (b"\x70\x45\x00\x00", Malformed::ResetWithContent),
        (b"\x40\x20\x00\x00", Malformed::ReservedClass),
        (b"\x40\xe1\x00\x00", Malformed::ReservedClass),
        (b"\x40\x01\x00\x00\xff", Malformed::MarkerWithoutPayload),
    ] {
        assert_eq!(malformed(bytes), Some(error));
        assert!(Packet::from_bytes(bytes).is_ok(), "{bytes:02x?}");
    }
}

#[test]
fn coap_lite_refuses_the_longest_options() {
    let head = b"\x40\x01\x00\x00\x1e\xff\xff";
    let bytes = [&head[..], &[0; 65_535 + 269]].concat();
    let (_, value) = Message::parse(&bytes).unwrap().options().next().unwrap();
    assert_eq!(value.len(), 65_804);
    assert!(Packet::from_bytes(&bytes).is_err());
}

#[test]
fn coap_lite_hands_out_values_of_a_wrong_length() {
    // An ETag of nine bytes, an Observe of four.
    let bytes = b"\x40\x45\x00\x00\x49123456789\x24\x00\x00\x00\x07";
    let (message, packet) = (Message::parse(bytes).unwrap(), Packet::from_bytes(bytes).unwrap());
    assert_eq!((message.etags().count(), message.observe()), (0, None));
    assert_eq!(packet.get_first_option(CoapOption::ETag).map(Vec::len), Some(9));
    assert_eq!(packet.get_observe_value().and_then(Result::ok), Some(7));
}

#[test]
fn coap_lite_knows_some_numbers_only() {
    // Content-Format 606, method 0.31, response 4.31.
    let bytes = b"\x40\x1f\x00\x00\xc2\x02\x5e\xffx";
    let (message, packet) = (Message::parse(bytes).unwrap(), Packet::from_bytes(bytes).unwrap());
    assert_eq!(message.content_format(), Some(sedge_coap::ContentFormat::CORE_PUBSUB));
    assert_eq!(packet.get_content_format(), None::<ContentFormat>);
    assert!(message.code().is_request());
    assert_eq!(packet.header.code, MessageClass::Reserved(0x1f));
    assert!(Message::parse(b"\x60\x9f\x00\x00").unwrap().code().is_error());
    assert_eq!(Packet::from_bytes(b"\x60\x9f\x00\x00").unwrap().header.code, MessageClass::Reserved(0x9f));
}

#[cfg(feature = "coap-lite")]
#[test]
fn packets_convert_both_ways() {
    use sedge_coap::{PacketError, WriteError};
    let bytes = b"\x42\x03\x12\x34t1\xb1d\x04temp\x10\xff21.5";
    let message = Message::parse(bytes).unwrap();
    let packet = Packet::from(message);
    assert_same(&message, &packet);
    let mut buffer = [0; 64];
    assert_eq!(Message::try_from((&packet, &mut buffer[..])), Ok(message));
    assert_eq!(
        Message::try_from((&packet, &mut buffer[..10])),
        Err(PacketError::Write(WriteError::BufferTooSmall))
    );
    let mut reset = packet.clone();
    reset.header.set_type(MessageType::Reset);
    assert!(matches!(Message::try_from((&reset, &mut buffer[..])), Err(PacketError::Malformed(_))));
    let mut long = packet;
    long.set_token(vec![0; 9]);
    assert_eq!(Message::try_from((&long, &mut buffer[..])), Err(PacketError::Token));
}
