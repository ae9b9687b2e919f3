//! Messages: retransmission, repetition, separate responses, observation, NSTART.

use sedge_coap::{ContentFormat, Token, Type, Writer};

use super::*;
use crate::{Notification, Request, SendError};

fn put(world: &mut World, session: SessionId, payload: &[u8]) -> Result<ExchangeId, SendError> {
    world.device.endpoint.request(
        world.now,
        session,
        Request::confirmable(Code::PUT),
        &mut world.device.out,
        |w| {
            w.path(["d", "t"]).content_format(ContentFormat::TEXT).payload(payload);
        },
    )
}

#[test]
fn a_request_is_answered_within_its_acknowledgement() {
    let (mut world, session, _) = World::connected();
    let exchange = put(&mut world, session, b"21.5").unwrap();
    world.settle();
    assert_eq!(world.server.seen, [Seen::Request(Code::PUT, b"21.5".to_vec())]);
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CHANGED, b"ok".to_vec(), true)]);
    assert_eq!(world.wire.len(), 2);
    assert!(
        world.device.endpoint.deadline().is_none() || {
            world.pass(Duration::from_secs(300));
            world.device.out.sent.is_empty()
        }
    );
}

#[test]
fn whatever_is_lost_a_request_is_handled_once_and_answered() {
    for lost in 0..4_u32 {
        let (mut world, session, _) = World::connected();
        let exchange = put(&mut world, session, b"x").unwrap();
        let mut number = 0;
        for _ in 0..6 {
            world.settle_through(|_, datagram| {
                number += 1;
                if number <= lost { std::vec![] } else { std::vec![datagram] }
            });
            if !world.device.seen.is_empty() {
                break;
            }
            world.tick();
        }
        assert_eq!(
            world.device.seen,
            [Seen::Response(exchange, Code::CHANGED, b"ok".to_vec(), true)],
            "lost {lost}"
        );
        assert_eq!(world.server.seen.len(), 1, "lost {lost}");
    }
}

#[test]
fn losing_only_answers_repeats_the_same_answer() {
    let (mut world, session, _) = World::connected();
    let exchange = put(&mut world, session, b"x").unwrap();
    for _ in 0..3 {
        world.settle_through(
            |from_device, datagram| if from_device { std::vec![datagram] } else { std::vec![] },
        );
        world.server.answer = Some(b"something else".to_vec());
        world.tick();
    }
    world.settle();
    assert_eq!(world.server.endpoint.counters().duplicates, 3);
    assert_eq!(world.server.seen.len(), 1);
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CHANGED, b"ok".to_vec(), true)]);
}

#[test]
fn a_request_without_answer_fails_after_its_time() {
    let (mut world, session, _) = World::connected();
    let start = world.now;
    let _ = put(&mut world, session, b"x").unwrap();
    let mut sent = 0;
    while world.device.seen.is_empty() {
        world.settle_through(|_, _| {
            sent += 1;
            std::vec![]
        });
        world.tick();
    }
    assert_eq!(sent, 5, "MAX_RETRANSMIT is 4");
    let waited = world.now.saturating_since(start).as_secs();
    assert!((62..=93).contains(&waited), "{waited} s");
    assert!(matches!(&world.device.seen[..], [Seen::Other(what)] if what.contains("Timeout")));
}

#[test]
fn nstart_holds_back_confirmable_messages_only() {
    let (mut world, session, _) = World::connected();
    let _ = put(&mut world, session, b"1").unwrap();
    assert_eq!(put(&mut world, session, b"2"), Err(SendError::Busy));
    let non = Request { confirmable: false, ..Request::confirmable(Code::PUT) };
    let _ = world.device.endpoint.request(world.now, session, non, &mut world.device.out, |_| {}).unwrap();
    world.settle();
    let _ = put(&mut world, session, b"3").unwrap();
    world.settle();
    assert_eq!(world.device.seen.len(), 3);
}

#[test]
fn a_late_answer_is_acknowledged_first_and_comes_by_itself() {
    let (mut world, session, _) = World::connected();
    world.server.answer = None;
    let exchange = put(&mut world, session, b"x").unwrap();
    world.settle();
    let ticket = world.server.tickets.pop().unwrap();
    let deferred = world.server.endpoint.defer(world.now, ticket).unwrap();
    world.tick();
    world.settle();
    assert!(world.device.seen.is_empty());
    world.pass(Duration::from_secs(20));
    assert!(world.device.out.sent.is_empty(), "an acknowledged request is not sent again");
    world
        .server
        .endpoint
        .respond_deferred(world.now, deferred, &mut world.server.out, Code::CREATED, |w| {
            w.payload(b"done");
        })
        .unwrap();
    // The device's acknowledgement is lost: the answer comes again and is delivered once.
    world.settle_through(|from_device, datagram| if from_device { std::vec![] } else { std::vec![datagram] });
    world.tick();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CREATED, b"done".to_vec(), true)]);
    assert_eq!(world.device.endpoint.counters().duplicates, 1);
    world.pass(Duration::from_secs(100));
    assert!(world.server.out.sent.is_empty());
}

#[test]
fn a_quick_deferred_answer_is_still_piggybacked() {
    let (mut world, session, _) = World::connected();
    world.server.answer = None;
    let exchange = put(&mut world, session, b"x").unwrap();
    world.settle();
    let ticket = world.server.tickets.pop().unwrap();
    let deferred = world.server.endpoint.defer(world.now, ticket).unwrap();
    world.pass(Duration::from_millis(40));
    world
        .server
        .endpoint
        .respond_deferred(world.now, deferred, &mut world.server.out, Code::CHANGED, |_| {})
        .unwrap();
    world.settle();
    assert_eq!(world.wire.len(), 2);
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CHANGED, std::vec![], true)]);
}

/// Registers an observation; returns the device's name of it and the token.
fn observe(world: &mut World, session: SessionId) -> (ExchangeId, Token) {
    world.server.answer = None;
    let get = Request { observe: true, ..Request::confirmable(Code::GET) };
    let exchange = world
        .device
        .endpoint
        .request(world.now, session, get, &mut world.device.out, |w| {
            w.option_uint(OptionNumber::OBSERVE, 0).path(["d", "t"]);
        })
        .unwrap();
    world.settle();
    let ticket = world.server.tickets.pop().unwrap();
    let token = ticket.token();
    world
        .server
        .endpoint
        .respond(world.now, ticket, &mut world.server.out, Code::CONTENT, |w| {
            w.option_uint(OptionNumber::OBSERVE, 5).payload(b"first");
        })
        .unwrap();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CONTENT, b"first".to_vec(), false)]);
    world.device.seen.clear();
    world.server.seen.clear();
    (exchange, token)
}

fn notify(
    world: &mut World,
    on_server: SessionId,
    token: Token,
    sequence: u32,
    payload: &[u8],
) -> Result<u16, SendError> {
    let notification = Notification { key: 42, token, code: Code::CONTENT, confirmable: true };
    world.server.endpoint.notify(world.now, on_server, notification, &mut world.server.out, |w| {
        w.option_uint(OptionNumber::OBSERVE, sequence).payload(payload);
    })
}

#[test]
fn notifications_arrive_in_order_and_are_acknowledged() {
    let (mut world, session, on_server) = World::connected();
    let (exchange, token) = observe(&mut world, session);
    let _ = notify(&mut world, on_server, token, 6, b"second").unwrap();
    assert_eq!(notify(&mut world, on_server, token, 7, b"third"), Err(SendError::Busy));
    world.settle();
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CONTENT, b"second".to_vec(), false)]);
    assert!(
        matches!(&world.server.seen[..], [Seen::Other(what)] if what.contains("Acknowledged") && what.contains("42"))
    );
    // One that was overtaken is acknowledged and goes no further.
    let _ = notify(&mut world, on_server, token, 5, b"stale").unwrap();
    world.settle();
    assert_eq!(world.device.seen.len(), 1);
    assert_eq!(world.device.endpoint.counters().stale_notifications, 1);
}

#[test]
fn a_lost_notification_is_rendered_again() {
    let (mut world, session, on_server) = World::connected();
    let (exchange, token) = observe(&mut world, session);
    let _ = notify(&mut world, on_server, token, 6, b"lost").unwrap();
    world.settle_through(|_, _| std::vec![]);
    world.tick();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CONTENT, b"again".to_vec(), false)]);
    assert_eq!(world.server.endpoint.counters().retransmissions, 1);
}

#[test]
fn an_observer_that_is_gone_is_told_apart_from_one_that_refuses() {
    let (mut world, session, on_server) = World::connected();
    let (exchange, token) = observe(&mut world, session);
    assert!(world.device.endpoint.cancel(exchange));
    let _ = notify(&mut world, on_server, token, 6, b"x").unwrap();
    world.settle();
    assert!(matches!(&world.server.seen[..], [Seen::Other(what)] if what.contains("Rejected")));
    world.server.seen.clear();

    let _ = notify(&mut world, on_server, token, 7, b"x").unwrap();
    while world.server.seen.is_empty() {
        world.settle_through(|_, _| std::vec![]);
        world.tick();
    }
    assert!(matches!(&world.server.seen[..], [Seen::Other(what)] if what.contains("Lost")));
}

#[test]
fn deregistering_repeats_the_request_with_observe_1() {
    let (mut world, session, _) = World::connected();
    let (exchange, token) = observe(&mut world, session);
    let last = world.device.endpoint.deregister(world.now, exchange, &mut world.device.out).unwrap();
    world.settle();
    let ticket = world.server.tickets.pop().unwrap();
    assert_eq!(ticket.token(), token);
    world.server.endpoint.respond(world.now, ticket, &mut world.server.out, Code::CONTENT, |_| {}).unwrap();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Response(last, Code::CONTENT, std::vec![], true)]);
    assert!(!world.device.endpoint.cancel(exchange));
}

#[test]
fn an_observation_that_falls_silent_is_registered_again() {
    let (mut world, session, _) = World::connected();
    let _ = observe(&mut world, session);
    let before = world.now;
    world.tick();
    let waited = world.now.saturating_since(before).as_secs();
    assert!((65..=75).contains(&waited), "Max-Age of 60 s and 5 to 15 s more, not {waited}");
    world.settle();
    assert!(matches!(world.server.seen[..], [Seen::Request(Code::GET, _)]));
}

#[test]
fn a_ping_proves_that_the_peer_is_there() {
    let (mut world, session, _) = World::connected();
    let _ = world.device.endpoint.ping(world.now, session, &mut world.device.out).unwrap();
    world.settle();
    assert!(matches!(&world.device.seen[..], [Seen::Other(what)] if what.contains("Pong")));
    assert!(world.server.seen.is_empty());
}

#[test]
fn more_than_65536_messages_in_an_exchange_lifetime_all_count() {
    let (mut world, session, _) = World::connected();
    world.server.answer = Some(Vec::new());
    for number in 0..70_000_u32 {
        let _ = put(&mut world, session, &number.to_be_bytes()).unwrap();
        world.settle();
        world.wire.clear();
    }
    assert_eq!(world.server.seen.len(), 70_000);
    assert_eq!(world.device.seen.len(), 70_000);
    assert_eq!(world.server.endpoint.counters().duplicates, 0);
}

#[test]
fn a_full_network_loses_nothing_for_good() {
    let (mut world, session, _) = World::connected();
    world.device.out.refuse = 1;
    assert_eq!(put(&mut world, session, b"x"), Err(SendError::NoRoom));
    let exchange = put(&mut world, session, b"x").unwrap();
    world.server.out.refuse = 1;
    world.server.answer = Some(Vec::new());
    // `respond` reports the refusal; the repetition of the request then gets the code.
    let (_, datagram) = world.device.out.sent.pop_front().unwrap();
    let mut datagram = datagram;
    let mut incoming = Incoming::new(DEVICE, &mut datagram);
    let Some(Event::Request { ticket, .. }) =
        world.server.endpoint.receive(world.now, &mut incoming, &mut world.server.out)
    else {
        panic!("no request")
    };
    let refused =
        world.server.endpoint.respond(world.now, ticket, &mut world.server.out, Code::CHANGED, |_| {});
    assert_eq!(refused, Err(SendError::NoRoom));
    world.tick();
    world.settle();
    assert!(world.server.seen.is_empty(), "handled before");
    assert_eq!(world.device.seen, [Seen::Response(exchange, Code::CHANGED, std::vec![], true)]);
}

#[test]
fn no_response_is_respected() {
    let (mut world, session, _) = World::connected();
    let non = Request { confirmable: false, ..Request::confirmable(Code::PUT) };
    let _ = world
        .device
        .endpoint
        .request(world.now, session, non, &mut world.device.out, |w| {
            w.option_uint(OptionNumber::NO_RESPONSE, 2);
        })
        .unwrap();
    world.settle();
    assert_eq!(world.server.seen.len(), 1);
    assert_eq!(world.wire.len(), 1, "2.xx was not wanted");
}

#[test]
fn plain_coap_needs_a_plain_socket() {
    let mut world = World::new();
    let mut buf = [0; 64];
    let mut writer = Writer::new(&mut buf, Type::Con, Code::GET, 7, Token::new(b"t").unwrap());
    writer.path(["d"]);
    let len = writer.finish().unwrap();
    let datagram = buf[..len].to_vec();
    world.server.take(world.now, DEVICE, &datagram);
    assert!(world.server.seen.is_empty() && world.server.out.sent.is_empty());

    let mut copy = datagram.clone();
    let mut incoming = Incoming::plain(Address(100), &mut copy);
    let Some(Event::Request { ticket, .. }) =
        world.server.endpoint.receive(world.now, &mut incoming, &mut world.server.out)
    else {
        panic!("no request")
    };
    assert_eq!(ticket.principal(), 0);
    world.server.endpoint.respond(world.now, ticket, &mut world.server.out, Code::CONTENT, |_| {}).unwrap();
    let (_, answer) = world.server.out.sent.pop_front().unwrap();
    assert_eq!(summary(&answer), (Type::Ack, Code::CONTENT, 7));
    // A message of a reserved class is rejected.
    let mut reserved = *b"\x40\x21\x00\x09";
    let mut incoming = Incoming::plain(Address(100), &mut reserved);
    assert!(world.server.endpoint.receive(world.now, &mut incoming, &mut world.server.out).is_none());
    let (_, reset) = world.server.out.sent.pop_front().unwrap();
    assert_eq!(summary(&reset), (Type::Rst, Code::EMPTY, 9));
}

#[test]
fn made_up_plain_peers_leave_room_for_those_with_keys() {
    let mut world = World::with_config(|config| config.plain_peers = 2);
    for number in 0..10 {
        let mut ping = [0x40, 0, 0, number];
        let mut incoming = Incoming::plain(Address(100 + number), &mut ping);
        assert!(world.server.endpoint.receive(world.now, &mut incoming, &mut world.server.out).is_none());
    }
    assert_eq!(world.server.endpoint.session_count(), 2);
    assert_eq!(world.server.endpoint.counters().sessions_refused, 8);
    for worthless in [&b"\x60\0\0\x01"[..], b"\x70\0\0\x01", b"\x60\x45\0\x01", b"junk"] {
        let mut datagram = worthless.to_vec();
        let mut incoming = Incoming::plain(Address(120), &mut datagram);
        assert!(world.server.endpoint.receive(world.now, &mut incoming, &mut world.server.out).is_none());
    }
    assert_eq!(world.server.endpoint.counters().sessions_refused, 8, "no session was even asked for");
    world.server.out.sent.clear();
    let _ = world.dial();
    world.settle();
    assert!(matches!(world.device.seen[..], [Seen::Connected(..)]));
}
