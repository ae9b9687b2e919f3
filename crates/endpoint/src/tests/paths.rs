//! Peers that move, and those who pretend that they do (RFC 9853 section 8.1), in both versions.

use sedge_dtls::{PathMessage, PathMessageKind};

use super::*;
use crate::memory::Pool as _;
use crate::{Procedure, Request};

/// Whoever's address is taken in vain.
const VICTIM: Address = Address(66);
/// Where the device is after it has moved.
const ELSEWHERE: Address = Address(9);

/// A connected world with this procedure, its device silent for a second.
fn world(versions: Versions, procedure: Procedure) -> (World, SessionId, SessionId) {
    World::connected_with(versions, |config| config.path_validation.procedure = procedure)
}

/// The device sends a PUT; the datagram is not delivered yet.
fn put(world: &mut World, session: SessionId, payload: &[u8]) -> Vec<u8> {
    let (now, out) = (world.now, &mut world.device.out);
    let request = Request::confirmable(Code::PUT);
    let _ = world
        .device
        .endpoint
        .request(now, session, request, out, |w| {
            w.payload(payload);
        })
        .unwrap();
    let (_, datagram) = out.sent.pop_front().unwrap();
    assert!(out.sent.is_empty());
    datagram
}

/// What the server has to send, by address, in datagrams; nothing of it arrives.
fn sent_to(world: &mut World, to: Address) -> Vec<Vec<u8>> {
    let (theirs, others) = world.server.out.sent.drain(..).partition(|(at, _)| *at == to);
    world.server.out.sent = others;
    let theirs: VecDeque<(Address, Vec<u8>)> = theirs;
    theirs.into_iter().map(|(_, datagram)| datagram).collect()
}

fn bytes(datagrams: &[Vec<u8>]) -> usize {
    datagrams.iter().map(Vec::len).sum()
}

/// Lets the server's timers run for so long, and returns what it sent to `to` meanwhile.
fn wait(world: &mut World, seconds: u64, to: Address) -> Vec<Vec<u8>> {
    let end = world.now + Duration::from_secs(seconds);
    while let Some(next) = world.server.endpoint.deadline().filter(|next| *next <= end) {
        world.now = next.max(world.now);
        world.server.expire(world.now);
    }
    world.now = end;
    sent_to(world, to)
}

fn moved(world: &World) -> usize {
    world
        .server
        .seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Other(text) if text.starts_with("Moved")))
        .count()
}

fn requests(world: &World) -> usize {
    world.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count()
}

fn in_both(test: impl Fn(Versions)) {
    [Versions::ONLY_1_2, Versions::ONLY_1_3].into_iter().for_each(test);
}

/// RFC 9853 section 5.1.
#[test]
fn a_new_binding_is_proven_in_one_round_trip() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        let datagram = put(&mut world, session, b"1");
        world.device.at = ELSEWHERE;
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE), "not before it is proven");
        let sent = sent_to(&mut world, ELSEWHERE);
        assert_eq!(sent.len(), 2, "a challenge, and the answer, which is short enough");
        for datagram in &sent {
            world.device.take(world.now, SERVER, datagram);
        }
        world.settle();
        assert_eq!(world.server.endpoint.path(on_server), Some(ELSEWHERE));
        assert_eq!((moved(&world), requests(&world)), (1, 1));
        assert!(matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]));
        let counters = world.server.endpoint.counters();
        assert_eq!((counters.sessions_moved, counters.path_validations_succeeded), (1, 1));
        assert_eq!((counters.path_challenges_sent, counters.path_answers_invalid), (1, 0));
        assert_eq!(world.device.endpoint.counters().path_challenges_answered, 1);
        assert!(wait(&mut world, 60, ELSEWHERE).is_empty(), "nothing is left to do");
    });
}

/// RFC 9853 section 8.1.2, case 1.
#[test]
fn an_old_path_that_is_dead_gives_way_to_the_new_one() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Automatic);
        let datagram = put(&mut world, session, b"1");
        world.device.at = ELSEWHERE;
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert!(
            sent_to(&mut world, ELSEWHERE).is_empty(),
            "the device was heard a moment ago: its old path is asked"
        );
        assert_eq!(sent_to(&mut world, DEVICE).len(), 2, "challenge and answer, which nobody gets");
        for _ in 0..20 {
            world.tick();
            world.settle();
        }
        assert_eq!(world.server.endpoint.path(on_server), Some(ELSEWHERE));
        assert_eq!(requests(&world), 1, "the repetition was recognised");
        assert!(matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]));
        assert_eq!(world.server.endpoint.counters().path_challenges_sent, 4, "three times there, once here");
    });
}

#[test]
fn a_device_that_was_silent_for_long_is_asked_on_its_new_path() {
    in_both(|versions| {
        let (mut world, session, _) = world(versions, Procedure::Automatic);
        world.pass(Procedure::RECENT + Duration::from_secs(1));
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert!(sent_to(&mut world, DEVICE).is_empty());
        assert_eq!(sent_to(&mut world, ELSEWHERE).len(), 2);
    });
}

/// RFC 9853 section 8.1.1.
#[test]
fn a_victim_gets_at_most_three_times_what_came_in_its_name() {
    in_both(|versions| {
        for procedure in [Procedure::Basic, Procedure::Enhanced, Procedure::Automatic] {
            let (mut world, session, on_server) = world(versions, procedure);
            world.server.answer = Some(std::vec![7; 900]);
            let datagram = put(&mut world, session, b"1");
            // The copy is there before the original, which is a repetition then.
            world.server.take(world.now, VICTIM, &datagram);
            world.server.take(world.now, DEVICE, &datagram);
            let mut to_victim = bytes(&sent_to(&mut world, VICTIM));
            if procedure != Procedure::Basic {
                assert_eq!(to_victim, 0, "the device is asked, and answers");
                world.settle();
                assert_eq!(world.server.endpoint.counters().paths_kept, 1);
            }
            to_victim += bytes(&wait(&mut world, 10, VICTIM));
            assert!(to_victim <= 3 * datagram.len(), "{to_victim} bytes for {}", datagram.len());
            assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
            let held_back = world.server.endpoint.counters().amplification_limited;
            assert_eq!(held_back, u64::from(procedure == Procedure::Basic));
            assert_eq!(moved(&world), 0);
            // And the device has its answer in the end.
            for _ in 0..8 {
                world.tick();
                world.settle();
            }
            assert!(matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]));
            assert_eq!(requests(&world), 1);
        }
    });
}

#[test]
fn many_copies_buy_a_victim_nothing_more() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        world.server.answer = Some(std::vec![7; 900]);
        let (mut came, mut sent) = (0, 0);
        for _ in 0..20 {
            let datagram = put(&mut world, session, b"1");
            came += datagram.len();
            world.server.take(world.now, VICTIM, &datagram);
            sent += bytes(&wait(&mut world, 5, VICTIM));
            assert!(sent <= 3 * came, "{sent} bytes for {came}");
            world.server.out.sent.clear();
            // The device gives up each time: nothing reaches it.
            world.device.endpoint = restart_requests(&mut world);
        }
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        assert_eq!(world.server.endpoint.counters().path_validations_failed, 20);
    });

    /// The same endpoint without what it waits for.
    fn restart_requests(world: &mut World) -> Endpoint<Device> {
        let fresh =
            Endpoint::new(world.now, Config::default(), RustCrypto, TestRng(3), crate::Parts::default());
        let mut endpoint = core::mem::replace(&mut world.device.endpoint, fresh);
        let slots: Vec<u32> = (0..4).collect();
        for slot in slots {
            let _cancelled = endpoint.remove_exchange(slot);
        }
        endpoint
    }
}

/// RFC 9853 section 8.1.2: whoever forwards the challenge to the device, but not the device's answer, fails: the
/// answer comes over the path of the device.
#[test]
fn an_answer_over_the_wrong_path_proves_nothing() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, VICTIM, &datagram);
        for forwarded in sent_to(&mut world, VICTIM) {
            world.device.take(world.now, SERVER, &forwarded);
        }
        world.settle();
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 1);
        assert_eq!(moved(&world), 0);
    });
}

/// RFC 9853 section 8.1.2, case 3: whoever races copies of all that the device sends wins with the basic procedure if
/// he forwards everything, and loses with the enhanced one as soon as the device's own answer is there first.
#[test]
fn a_racing_forwarder_does_not_get_between_the_two() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Enhanced);
        for number in 0..10 {
            let datagram = put(&mut world, session, &[number]);
            world.server.take(world.now, VICTIM, &datagram);
            world.server.take(world.now, DEVICE, &datagram);
            assert!(sent_to(&mut world, VICTIM).is_empty(), "nothing goes through the forwarder");
            world.settle();
            assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        }
        assert_eq!(requests(&world), 10);
        assert_eq!(world.server.endpoint.counters().paths_kept, 10);
        assert_eq!(world.device.seen.len(), 10);
    });
}

/// RFC 9853 section 8.1.2: a newer record over the old path says where the peer is.
#[test]
fn a_peer_that_goes_on_over_its_old_path_has_not_moved() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        let copied = put(&mut world, session, b"1");
        world.server.take(world.now, VICTIM, &copied);
        let challenges = sent_to(&mut world, VICTIM);
        // The device repeats its request, in a new record.
        world.pass(Duration::from_millis(3_100));
        world.server.out.sent.clear();
        let _ = sent_to(&mut world, VICTIM);
        world.server.take(world.now, VICTIM, &copied);
        world.settle();
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        assert!(challenges.len() <= 2);
        assert_eq!(moved(&world), 0);
    });
}

#[test]
fn old_and_made_up_answers_are_counted_and_nothing_else() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        let answer = |world: &mut World, kind, cookie| {
            let message = PathMessage { kind, cookie };
            world.device.endpoint.send_path_message(session, SERVER, message, &mut world.device.out);
            world.device.out.sent.pop_front().unwrap().1
        };
        // To no challenge at all.
        for kind in [PathMessageKind::Response, PathMessageKind::Drop] {
            let datagram = answer(&mut world, kind, [1; 8]);
            world.server.take(world.now, DEVICE, &datagram);
        }
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 2);

        // With another cookie, from the right path.
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        let challenge = sent_to(&mut world, ELSEWHERE).remove(0);
        let wrong = answer(&mut world, PathMessageKind::Response, [1; 8]);
        world.server.take(world.now, ELSEWHERE, &wrong);
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 3);
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));

        // The right one, too late: T is over, and the next check has other cookies.
        world.device.take(world.now, SERVER, &challenge);
        let (_, late) = world.device.out.sent.pop_front().unwrap();
        let _ = wait(&mut world, 5, ELSEWHERE);
        assert_eq!(world.server.endpoint.counters().path_validations_failed, 1);
        world.server.take(world.now, ELSEWHERE, &late);
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 4);
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        assert_eq!(world.server.endpoint.counters().sessions_moved, 0);

        // Twice the same datagram is a replay, not a second answer.
        world.server.take(world.now, ELSEWHERE, &late);
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 4);
    });
}

#[test]
fn forged_path_messages_are_discarded() {
    let (mut world, _, on_server) = world(Versions::ONLY_1_2, Procedure::Basic);
    let forged = [&b"\x1b\xfe\xfd\0\x01\0\0\0\0\0\x63\0\x1a"[..], &[0; 26]].concat();
    world.server.take(world.now, VICTIM, &forged);
    world.server.take(world.now, DEVICE, &forged);
    world.device.take(world.now, SERVER, &forged);
    assert!(world.server.out.sent.is_empty() && world.device.out.sent.is_empty());
    assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
    assert_eq!(world.device.endpoint.counters().path_challenges_answered, 0);
}

/// RFC 9853 section 5.4: exactly one answer each, to where the challenge came from.
#[test]
fn a_flood_of_challenges_gets_one_answer_each_and_no_more_bytes() {
    in_both(|versions| {
        let (mut world, session, _) = world(versions, Procedure::Basic);
        let (mut came, mut sent) = (0, 0);
        for number in 0..200_u8 {
            let message = PathMessage { kind: PathMessageKind::Challenge, cookie: [number; 8] };
            world.device.endpoint.send_path_message(session, SERVER, message, &mut world.device.out);
            let (_, datagram) = world.device.out.sent.pop_front().unwrap();
            came += datagram.len();
            world.server.take(world.now, DEVICE, &datagram);
            world.server.take(world.now, DEVICE, &datagram);
            let answers = sent_to(&mut world, DEVICE);
            assert_eq!(answers.len(), 1);
            sent += bytes(&answers);
        }
        assert!(sent <= came);
        assert_eq!(world.server.endpoint.counters().path_challenges_answered, 200);
    });
}

/// RFC 9853 section 8.1.2, case 2: a host that has left a network says so on the old path.
#[test]
fn a_peer_that_left_its_old_path_says_so() {
    in_both(|versions| {
        // Found by its own Connection ID, the device hears on both its networks.
        let (mut world, session, on_server) = World::connected_with(versions, |config| {
            config.path_validation.procedure = Procedure::Enhanced;
            if !config.accept {
                config.cid = CidLayout::new(1, 0, 0, 2).unwrap();
            }
        });
        // The server as seen from the device's other network.
        const OTHER_WAY: Address = Address(11);
        assert!(world.device.endpoint.migrate(session, OTHER_WAY));
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        let old = sent_to(&mut world, DEVICE);
        assert!(sent_to(&mut world, ELSEWHERE).is_empty());
        for challenge in &old {
            world.device.take(world.now, SERVER, challenge);
        }
        // path_drop goes back over the old network; whatever else over the new one.
        for _ in 0..4 {
            for (way, datagram) in world.device.out.sent.drain(..).collect::<Vec<_>>() {
                let from = if way == SERVER { DEVICE } else { ELSEWHERE };
                world.server.take(world.now, from, &datagram);
            }
            for (to, datagram) in world.server.out.sent.drain(..).collect::<Vec<_>>() {
                world.device.take(world.now, if to == DEVICE { SERVER } else { OTHER_WAY }, &datagram);
            }
        }
        assert_eq!(world.server.endpoint.path(on_server), Some(ELSEWHERE));
        assert_eq!(moved(&world), 1);
        assert_eq!(world.server.endpoint.counters().path_challenges_sent, 2, "no time-out was needed");
        assert_eq!(world.server.endpoint.counters().path_answers_invalid, 0);
    });
}

/// RFC 9146 section 6 for a peer that knows no return routability check.
#[test]
fn a_peer_without_the_check_moves_at_once_and_gets_little_until_it_answers() {
    in_both(|versions| {
        let (mut world, session, on_server) = World::connected_with(versions, |config| {
            config.path_validation.offer = config.accept;
        });
        world.server.answer = Some(std::vec![7; 900]);
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert_eq!(world.server.endpoint.path(on_server), Some(ELSEWHERE));
        assert_eq!(world.server.endpoint.counters().amplification_limited, 1);
        let sent = sent_to(&mut world, ELSEWHERE);
        assert!(bytes(&sent) <= 3 * datagram.len());
        assert_eq!(sent.len(), 1, "a ping, but not the long answer");

        // Whoever only copies records gets no further.
        let mut came = datagram.len();
        let mut total = bytes(&sent) + bytes(&wait(&mut world, 5, ELSEWHERE));
        world.device.expire(world.now);
        let (_, again) = world.device.out.sent.pop_front().unwrap();
        came += again.len();
        world.server.take(world.now, ELSEWHERE, &again);
        total += bytes(&wait(&mut world, 5, ELSEWHERE));
        assert!(total <= 3 * came, "{total} bytes for {came}");

        // The device itself answers the ping, and then its repeated request is answered.
        world.device.at = ELSEWHERE;
        for ping in &sent {
            world.device.take(world.now, SERVER, ping);
        }
        for _ in 0..4 {
            world.settle();
            world.tick();
        }
        assert_eq!(moved(&world), 1);
        assert!(
            matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]),
            "{:?}",
            world.device.seen
        );
        assert_eq!(requests(&world), 1);
        assert_eq!(world.server.seen.len(), 2, "nobody is told of the ping: {:?}", world.server.seen);
    });
}

/// What was sent to the old path says nothing about the new one, whenever it is acknowledged.
#[test]
fn an_acknowledgement_of_something_older_proves_nothing() {
    in_both(|versions| {
        let (mut world, session, on_server) = World::connected_with(versions, |config| {
            config.path_validation.offer = config.accept;
        });
        let _ping = world.server.endpoint.ping(world.now, on_server, &mut world.server.out).unwrap();
        let ping = sent_to(&mut world, DEVICE).remove(0);
        world.device.take(world.now, SERVER, &ping);
        let (_, pong) = world.device.out.sent.pop_front().unwrap();
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        world.server.take(world.now, ELSEWHERE, &pong);
        let counters = world.server.endpoint.counters();
        assert_eq!((counters.path_validations_started, counters.path_validations_succeeded), (1, 0));
        // What came after the move does.
        for datagram in sent_to(&mut world, ELSEWHERE) {
            world.device.take(world.now, SERVER, &datagram);
        }
        world.device.at = ELSEWHERE;
        world.settle();
        assert_eq!(world.server.endpoint.counters().path_validations_succeeded, 1);
    });
}

#[test]
fn without_memory_for_it_nobody_moves() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        world.server.endpoint.validations = crate::memory::PagedPool::with_limit(0);
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert!(sent_to(&mut world, ELSEWHERE).is_empty());
        assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
        assert_eq!(world.server.endpoint.counters().path_validations_refused, 1);
    });
}

#[test]
fn a_session_that_ends_takes_its_validation_along() {
    in_both(|versions| {
        let (mut world, session, on_server) = world(versions, Procedure::Basic);
        let datagram = put(&mut world, session, b"1");
        world.server.take(world.now, ELSEWHERE, &datagram);
        assert_eq!(world.server.endpoint.validations.len(), 1);
        assert!(world.server.endpoint.close(on_server, &mut world.server.out));
        assert_eq!(world.server.endpoint.validations.len(), 0);
        let _ = wait(&mut world, 10, ELSEWHERE);
    });
}
