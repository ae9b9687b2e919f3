//! What holds for every message and for every sequence of bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use sedge_coap::block::{Block, BlockSize};
use sedge_coap::problem::Problem;
use sedge_coap::uri::{RequestUri, Scheme, Uri};
use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer, link_format};

#[derive(Clone, Debug)]
struct Parts {
    kind: Type,
    code: Code,
    message_id: u16,
    token: Token,
    options: Vec<(u16, Vec<u8>)>,
    payload: Vec<u8>,
}

/// Messages that the RFC allows, with options of every width of delta and length.
fn parts() -> impl Strategy<Value = Parts> {
    let kind_and_code = prop_oneof![
        (prop_oneof![Just(Type::Con), Just(Type::Non)], 1_u8..32),
        (prop_oneof![Just(Type::Con), Just(Type::Non), Just(Type::Ack)], 0x40_u8..0xc0),
    ];
    let number = prop_oneof![4 => 0_u16..64, 2 => 200_u16..600, 1 => any::<u16>()];
    let value = prop_oneof![8 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 250..300)];
    let options = vec((number, value), 0..12);
    (kind_and_code, any::<u16>(), vec(any::<u8>(), 0..=8), options, vec(any::<u8>(), 0..64)).prop_map(
        |((kind, code), message_id, token, mut options, payload)| {
            options.sort_by_key(|(number, _)| *number);
            let token = Token::new(&token).unwrap();
            Parts { kind, code: Code(code), message_id, token, options, payload }
        },
    )
}

fn write(parts: &Parts) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    let Parts { kind, code, message_id, token, options, payload } = parts;
    let mut writer = Writer::new(&mut buffer, *kind, *code, *message_id, *token);
    for (number, value) in options {
        writer.option(OptionNumber(*number), value);
    }
    writer.payload(payload);
    let len = writer.finish().unwrap();
    buffer.truncate(len);
    buffer
}

fn read(message: &Message<'_>) -> Parts {
    Parts {
        kind: message.kind(),
        code: message.code(),
        message_id: message.message_id(),
        token: message.token(),
        options: message.options().map(|(number, value)| (number.0, value.to_vec())).collect(),
        payload: message.payload().to_vec(),
    }
}

/// Bytes that get past the header more often than not.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..64), any::<bool>()).prop_map(|(mut bytes, is_near)| {
        if is_near && let [first, code, ..] = &mut bytes[..] {
            *first = 0x40 | *first & 0x23;
            *code &= 0x47;
        }
        bytes
    })
}

/// Calls everything that reads outside data.
fn read_all(message: &Message<'_>) {
    let _ = (message.observe(), message.block1(), message.block2(), message.size1(), message.size2());
    let _ = (message.content_format(), message.accept(), message.max_age(), message.hop_limit());
    let _ = (message.uri_host(), message.uri_port(), message.proxy_uri(), message.proxy_scheme());
    let _ = (message.echo(), message.no_response(), message.wants(Code::CONTENT), message.holds(b"e"));
    let _ = (message.fingerprint(), message.request_key(), message.response_key());
    let _ = (message.check(|_| true), message.check_conditions(Some(b"e")), message.next_hop_limit());
    let _ = message.uri_path().chain(message.uri_query()).chain(message.request_tags()).count();
    let _ = (format!("{message:?}"), link_format::is_discovery(message));
    let uri = RequestUri::new(message, Scheme::Coap, "[::1]:1".parse().unwrap()).to_string();
    let _ = Uri::parse(&uri);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let bytes = write(&parts);
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(format!("{:?}", read(&message)), format!("{parts:?}"));
        for (number, value) in &parts.options {
            let number = OptionNumber(*number);
            let is_found = message.values(number).any(|found| found == value.as_slice());
            prop_assert_eq!(is_found, number.allows_len(value.len()));
        }
    }

    #[test]
    fn no_bytes_upset_the_parser(bytes in datagram()) {
        if let Ok(message) = Message::parse(&bytes) {
            read_all(&message);
            // Whatever is well-formed can be written again, and then reads the same.
            let written = write(&read(&message));
            let again = Message::parse(&written).unwrap();
            prop_assert_eq!(format!("{:?}", read(&again)), format!("{:?}", read(&message)));
            prop_assert!(written.len() <= bytes.len());
        }
    }

    #[test]
    fn a_truncated_message_is_never_longer(parts in parts(), cut in 0_usize..512) {
        let bytes = write(&parts);
        if let Ok(message) = Message::parse(&bytes[..cut.min(bytes.len())]) {
            prop_assert!(message.options().count() <= parts.options.len());
            prop_assert!(message.payload().len() <= parts.payload.len());
            read_all(&message);
        }
    }

    #[test]
    fn options_can_be_inserted_in_any_order(parts in parts(), order in any::<u64>()) {
        let mut shuffled: Vec<_> = parts.options.iter().enumerate().collect();
        shuffled.sort_by_key(|(index, (number, _))| {
            // Those of the same number keep their order.
            (u64::from(*number).wrapping_mul(order | 1) >> 7, *number, *index)
        });
        let mut buffer = vec![0; 8192];
        let mut writer = Writer::new(&mut buffer, parts.kind, parts.code, parts.message_id, parts.token);
        for (_, (number, value)) in shuffled {
            writer.insert_option(OptionNumber(*number), value);
        }
        writer.payload(&parts.payload);
        let len = writer.finish().unwrap();
        prop_assert_eq!(&buffer[..len], &write(&parts));
    }

    #[test]
    fn a_short_buffer_is_an_error_and_nothing_else(parts in parts(), missing in 1_usize..40) {
        let len = write(&parts).len();
        let mut buffer = vec![0; len.saturating_sub(missing)];
        let mut writer = Writer::new(&mut buffer, parts.kind, parts.code, parts.message_id, parts.token);
        for (number, value) in &parts.options {
            writer.option(OptionNumber(*number), value);
        }
        prop_assert!(writer.payload(&parts.payload).remaining() <= len);
        prop_assert!(writer.finish().is_err());
    }

    #[test]
    fn block_values_round_trip(value in any::<u32>()) {
        match Block::from_value(value) {
            Some(block) => prop_assert_eq!(block.value(), value),
            None => prop_assert!(value & 7 == 7 || value >= 1 << 24),
        }
        let size = BlockSize::at_most(value as usize);
        prop_assert!(size == BlockSize::MIN || size.bytes() <= value as usize);
    }

    #[test]
    fn texts_and_bodies_upset_no_parser(bytes in vec(any::<u8>(), 0..64), text in "[<>;,=\"a/* \\\\%:.\\[\\]?#&0-9]{0,40}") {
        let _ = Problem::decode(&bytes);
        for link in link_format::links(&text).flatten() {
            for (_, value) in link.attributes() {
                let _ = value.map(|value| value.to_string());
            }
        }
        let _ = link_format::Filter::new(&bytes);
        let _ = Uri::parse(&text);
        let _ = Uri::parse(&format!("coap://{text}"));
    }

    #[test]
    fn problems_round_trip(title in ".{0,40}", detail in proptest::option::of(".{0,300}"), code in proptest::option::of(any::<u8>())) {
        let problem = Problem {
            detail: detail.as_deref(),
            response_code: code.map(Code),
            ..Problem::new(&title)
        };
        let mut body = Vec::new();
        problem.encode(|bytes| body.extend_from_slice(bytes));
        prop_assert_eq!(Problem::decode(&body), Ok(problem));
        for len in 0..body.len() {
            prop_assert!(Problem::decode(&body[..len]).is_err());
        }
    }

    /// Section 6.5 is the inverse of section 6.4.
    #[test]
    fn uris_round_trip(segments in vec("[a-zA-Z0-9 /?#%ü.~&=-]{1,9}", 0..4), arguments in vec("[a-z=/?&%ü]{0,9}", 0..3)) {
        prop_assume!(segments.iter().all(|segment| segment != "." && segment != ".."));
        let mut buffer = [0; 1024];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::GET, 1, Token::EMPTY);
        writer.option(OptionNumber::URI_HOST, b"host").path(&segments);
        for argument in &arguments {
            writer.option(OptionNumber::URI_QUERY, argument.as_bytes());
        }
        let len = writer.finish().unwrap();
        let request = Message::parse(&buffer[..len]).unwrap();
        let text = RequestUri::new(&request, Scheme::Coaps, "[::1]:5684".parse().unwrap()).to_string();
        let uri = Uri::parse(&text).unwrap();
        let mut again = [0; 1024];
        let mut writer = Writer::new(&mut again, Type::Con, Code::GET, 1, Token::EMPTY);
        uri.write_host(&mut writer);
        uri.write_path(&mut writer);
        uri.write_query(&mut writer);
        let again_len = writer.finish().unwrap();
        prop_assert_eq!(&again[..again_len], &buffer[..len], "{}", text);
    }
}
