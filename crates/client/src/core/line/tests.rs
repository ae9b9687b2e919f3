use core::convert::Infallible;
use std::vec::Vec;

use rand_core::{TryCryptoRng, TryRng};
use sedge_coap::block::BlockSize;
use sedge_coap::{Code, ContentFormat, OptionNumber, Token, Type, Writer};
use sedge_crypto::RustCrypto;
use sedge_dtls::{ClientPsk, Psk, PskOnly};
use sedge_time::Instant;

use super::*;
use crate::memory::ClientResources;
use crate::request::{Request, Target};
use crate::transfer::Transfer;

struct Rng(u64);

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Ok((self.0 >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.try_next_u32()?) << 32 | u64::from(self.try_next_u32()?))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.iter_mut().try_for_each(|byte| self.try_next_u32().map(|word| *byte = word as u8))
    }
}

impl TryCryptoRng for Rng {}

type TestLine = Line<ClientResources<PskOnly<RustCrypto>, Rng, 2, 3, 576, 48, 0, 0, true>>;

/// A line without DTLS, so that its messages can be read and written by hand.
fn line() -> TestLine {
    let mut line = Line::new(Config::default(), RustCrypto, Rng(3));
    line.connect_plain();
    line
}

fn sent(line: &mut TestLine) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(datagram) = line.outbox().front() {
        all.push(datagram.to_vec());
        line.outbox().pop();
    }
    all
}

fn notification(kind: Type, message_id: u16, token: Token, number: u32, payload: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer, kind, Code::CONTENT, message_id, token);
    writer.option_uint(OptionNumber::OBSERVE, number).payload(payload);
    let len = writer.finish().unwrap();
    buffer[..len].to_vec()
}

/// The payload that a datagram brings, if any.
fn take(line: &mut TestLine, now: Instant, mut datagram: Vec<u8>) -> Option<Vec<u8>> {
    let psk = Psk::new(b"sixteen bytes...").unwrap();
    let mut nobody = ClientPsk { identity: b"", psk: &psk };
    match line.receive(now, &mut Incoming::new(&mut datagram), &mut nobody) {
        Some(Event::Response { message, .. }) => Some(message.payload().to_vec()),
        _ => None,
    }
}

#[test]
fn what_is_older_is_known_while_an_observation_is_renewed() {
    let mut line = line();
    let now = Instant::EPOCH;
    let register = &Outgoing::Observation(Target::Topic("a").place(), 0);
    line.begin(now, 1, register).unwrap();
    let asked = sent(&mut line);
    let asked = Message::parse(&asked[0]).unwrap();
    let token = asked.token();
    let answer = notification(Type::Ack, asked.message_id(), token, 10, b"v1");
    assert_eq!(take(&mut line, now, answer), Some(b"v1".to_vec()));
    assert_eq!(take(&mut line, now, notification(Type::Con, 1, token, 12, b"v2")), Some(b"v2".to_vec()));

    // The renewal is on its way when older notifications arrive, and the last one once more.
    line.send(now, 1, register).unwrap();
    let renewed = sent(&mut line);
    let renewed = Message::parse(renewed.last().unwrap()).unwrap();
    assert_eq!((renewed.token(), renewed.observe()), (token, Some(0)));
    assert_eq!(take(&mut line, now, notification(Type::Con, 2, token, 11, b"late")), None);
    assert_eq!(take(&mut line, now, notification(Type::Non, 3, token, 12, b"v2")), None);
    assert_eq!(line.counters.stale_notifications, 2);
    // Its answer always counts, and what is newer than that goes on.
    let answer = notification(Type::Ack, renewed.message_id(), token, 12, b"v2");
    assert_eq!(take(&mut line, now, answer), Some(b"v2".to_vec()));
    assert_eq!(take(&mut line, now, notification(Type::Con, 4, token, 13, b"v3")), Some(b"v3".to_vec()));
    // A repetition of that is acknowledged, and nothing else.
    let _acknowledged = sent(&mut line);
    assert_eq!(take(&mut line, now, notification(Type::Con, 4, token, 13, b"v3")), None);
    assert_eq!(sent(&mut line), [[0x60, 0, 0, 4]]);
}

#[test]
fn what_nobody_waits_for_is_reset() {
    let mut line = line();
    let token = Token::new(b"odd").unwrap();
    assert_eq!(take(&mut line, Instant::EPOCH, notification(Type::Con, 7, token, 1, b"?")), None);
    assert_eq!(take(&mut line, Instant::EPOCH, b"\x40\x01\x00\x08\xb1a".to_vec()), None);
    assert_eq!(sent(&mut line), [[0x70, 0, 0, 7], [0x70, 0, 0, 8]]);
}

#[test]
fn a_message_that_is_not_acknowledged_is_asked_for_again() {
    let mut line = line();
    let psk = Psk::new(b"sixteen bytes...").unwrap();
    let mut nobody = ClientPsk { identity: b"", psk: &psk };
    let request = Request::publish("a", ContentFormat::TEXT, b"x");
    let transfer = Transfer::new(request, BlockSize::MAX, &mut []);
    let message = &Outgoing::Request(&transfer);
    line.begin(Instant::EPOCH, 0, message).unwrap();
    let first = sent(&mut line);
    assert!(line.begin(Instant::EPOCH, 1, message).is_err(), "NSTART is 1");
    for _ in 0..4 {
        let due = line.deadline(Duration::ZERO);
        assert!(matches!(line.expire(due, &mut nobody), Some(Event::Render(0))));
        line.send_again(0, message).unwrap();
        assert_eq!(sent(&mut line), first, "the same message");
    }
    let due = line.deadline(Duration::ZERO);
    assert!(matches!(
        line.expire(due, &mut nobody),
        Some(Event::Failed { what: 0, reason: FailReason::Timeout })
    ));
    assert_eq!(line.deadline(Duration::ZERO), Instant::DISTANT_FUTURE);
}
