//! Part 1: parsing and serialising messages, beside coap-lite.

use std::hint::black_box;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};
use sedge_bench_allocations::{Allocations, count};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Type, Writer};

use crate::Settings;
use crate::cpu::{Samples, cpu_seconds};
use crate::report::{Better, Goal, Other, Report, Row};

const PART: &str = "codec";
const PEER: &str = "coap-lite";
const SENML_CBOR: u16 = 112;

/// A reading as a device publishes it: `PUT /d/site/7/temp`, 53 bytes in all.
const PUT_LEN: usize = 53;
const PUT_TOKEN: &[u8] = &[0x1a, 0x2b, 0x3c, 0x4d];
const PUT_PATH: [&str; 4] = ["d", "site", "7", "temp"];
/// SenML in CBOR: `[{-2: "urn:dev:mac:0024:", 0: "t", 2: 21.5}]`.
const PUT_VALUE: &[u8] = b"\x81\xa3\x21\x71urn:dev:mac:0024:\x00\x61t\x02\xf9\x4d\x60";

/// The notification that a subscriber gets of it, with a sequence number, an entity-tag and a Max-Age.
const NOTIFICATION_ETAG: &[u8] = &[0x51, 0x7c, 0x09, 0xee];
const NOTIFICATION_SEQUENCE: u32 = 0x01_02_03;
const NOTIFICATION_MAX_AGE: u32 = 300;

fn write_put(buffer: &mut [u8], message_id: u16) -> usize {
    let token = Token::new(PUT_TOKEN).unwrap_or_default();
    let mut writer = Writer::new(buffer, Type::Con, Code::PUT, message_id, token);
    writer.path(PUT_PATH).content_format(ContentFormat(SENML_CBOR)).payload(PUT_VALUE);
    writer.finish().unwrap_or(0)
}

fn write_notification(buffer: &mut [u8], message_id: u16) -> usize {
    let token = Token::new(PUT_TOKEN).unwrap_or_default();
    let mut writer = Writer::new(buffer, Type::Non, Code::CONTENT, message_id, token);
    writer
        .option(OptionNumber::ETAG, NOTIFICATION_ETAG)
        .option_uint(OptionNumber::OBSERVE, NOTIFICATION_SEQUENCE)
        .content_format(ContentFormat(SENML_CBOR))
        .option_uint(OptionNumber::MAX_AGE, NOTIFICATION_MAX_AGE)
        .payload(PUT_VALUE);
    writer.finish().unwrap_or(0)
}

fn coap_lite_put(message_id: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Confirmable);
    packet.header.code = MessageClass::Request(RequestType::Put);
    packet.header.message_id = message_id;
    packet.set_token(PUT_TOKEN.to_vec());
    for segment in PUT_PATH {
        packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
    }
    packet.add_option(CoapOption::ContentFormat, vec![SENML_CBOR as u8]);
    packet.payload = PUT_VALUE.to_vec();
    packet
}

fn coap_lite_notification(message_id: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::NonConfirmable);
    packet.header.code = MessageClass::Response(ResponseType::Content);
    packet.header.message_id = message_id;
    packet.set_token(PUT_TOKEN.to_vec());
    packet.add_option(CoapOption::ETag, NOTIFICATION_ETAG.to_vec());
    packet.add_option(CoapOption::Observe, NOTIFICATION_SEQUENCE.to_be_bytes()[1..].to_vec());
    packet.add_option(CoapOption::ContentFormat, vec![SENML_CBOR as u8]);
    packet.add_option(CoapOption::MaxAge, NOTIFICATION_MAX_AGE.to_be_bytes()[2..].to_vec());
    packet.payload = PUT_VALUE.to_vec();
    packet
}

/// What a server or subscriber reads of a message before it acts.
fn read_sedge(datagram: &[u8]) -> usize {
    let Ok(message) = Message::parse(datagram) else { return 0 };
    let path: usize = message.uri_path().map(<[u8]>::len).sum();
    let numbers = message.observe().unwrap_or(0) as usize
        + message.content_format().map_or(0, |format| usize::from(format.0))
        + usize::from(message.message_id());
    path + numbers + message.token().len() + message.payload().len()
}

fn read_coap_lite(datagram: &[u8]) -> usize {
    let Ok(packet) = Packet::from_bytes(datagram) else { return 0 };
    let path: usize = packet.get_option(CoapOption::UriPath).into_iter().flatten().map(Vec::len).sum();
    let numbers = packet.get_observe_value().and_then(Result::ok).unwrap_or(0) as usize
        + packet.get_content_format().map_or(0, usize::from)
        + usize::from(packet.header.message_id);
    path + numbers + packet.get_token().len() + packet.payload.len()
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let mut put = vec![0; 128];
    let len = write_put(&mut put, 0x1234);
    put.truncate(len);
    let mut notification = vec![0; 128];
    let len = write_notification(&mut notification, 0x1234);
    notification.truncate(len);
    // Both codecs must mean the same bytes, or the comparison is of nothing.
    if put.len() != PUT_LEN || coap_lite_put(0x1234).to_bytes().ok().as_deref() != Some(&put[..]) {
        return Err(format!("the two codecs write different PUTs ({} bytes)", put.len()));
    }
    if coap_lite_notification(0x1234).to_bytes().ok().as_deref() != Some(&notification[..]) {
        return Err("the two codecs write different notifications".into());
    }
    if [&put, &notification].iter().any(|bytes| read_sedge(bytes) != read_coap_lite(bytes)) {
        return Err("the two codecs read different things".into());
    }

    let mut bench = Bench { settings, rows: &mut report.rows };
    bench.case(
        "parse a 53 B PUT",
        Some(Goal::Ratio(20.0)),
        || black_box(Message::parse(black_box(&put))).is_ok(),
        || black_box(Packet::from_bytes(black_box(&put))).is_ok(),
    );
    bench.case(
        "parse a 53 B PUT, read path, format, payload",
        None,
        || read_sedge(black_box(&put)),
        || read_coap_lite(black_box(&put)),
    );
    bench.case(
        "parse a notification",
        None,
        || black_box(Message::parse(black_box(&notification))).is_ok(),
        || black_box(Packet::from_bytes(black_box(&notification))).is_ok(),
    );
    bench.case(
        "parse a notification, read it",
        None,
        || read_sedge(black_box(&notification)),
        || read_coap_lite(black_box(&notification)),
    );
    let mut buffer = [0; 64];
    bench.case(
        "serialise a 53 B PUT",
        None,
        || write_put(black_box(&mut buffer), black_box(7)),
        || coap_lite_put(black_box(7)).to_bytes().map_or(0, |bytes| black_box(bytes).len()),
    );
    bench.case(
        "serialise a notification",
        None,
        || write_notification(black_box(&mut buffer), black_box(7)),
        || coap_lite_notification(black_box(7)).to_bytes().map_or(0, |bytes| black_box(bytes).len()),
    );
    Ok(())
}

struct Bench<'a> {
    settings: &'a Settings,
    rows: &'a mut Vec<Row>,
}

impl Bench<'_> {
    /// Time and allocations per message.
    fn case<A, B>(
        &mut self,
        what: &str,
        goal: Option<Goal>,
        mut sedge: impl FnMut() -> A,
        mut coap_lite: impl FnMut() -> B,
    ) {
        let rounds = if self.settings.quick { 20_000 } else { 200_000 };
        let (mut our_time, mut their_time) = (Samples::default(), Samples::default());
        // Once to warm up, and then the repetitions that count. The faster one gets more rounds, so that
        // both run long enough for the clock.
        for repetition in 0..=self.settings.repetitions(15) {
            let (ours, theirs) = (nanoseconds(&mut sedge, rounds * 10), nanoseconds(&mut coap_lite, rounds));
            if repetition > 0 {
                our_time.push(ours);
                their_time.push(theirs);
            }
        }
        let (ours, theirs) = (count(sedge).1, count(coap_lite).1);
        let mut row = Row::compare(PART, what, "ns", Better::Lower, &our_time, (PEER, &their_time))
            .note(format!("{}; {PEER} {}", describe(ours), describe(theirs)));
        if let Some(goal) = goal {
            row = row.goal(goal);
        }
        self.rows.push(row);
        if goal.is_some() {
            let what = format!("{what}, allocations");
            let mut row =
                Row::figure(PART, what, "", Better::Lower, ours.count as f64).goal(Goal::AtMost(0.0));
            row.other = Some(Other { name: PEER.into(), value: theirs.count as f64 });
            self.rows.push(row);
        }
    }
}

fn nanoseconds<R>(work: &mut impl FnMut() -> R, rounds: u32) -> f64 {
    let seconds = cpu_seconds(|| {
        for _ in 0..rounds {
            black_box(work());
        }
    });
    seconds * 1e9 / f64::from(rounds)
}

fn describe(allocations: Allocations) -> String {
    match allocations.count {
        0 => "no allocation".into(),
        count => format!("{count} allocations of {} B in all", allocations.bytes),
    }
}
