//! A relay that cuts, repeats and reorders: handshakes of every kind complete all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sedge_dtls::Versions;
use sedge_sim::Random;
use sedge_tests::gate::Gate;

use crate::records::record;
use crate::site::{Site, WAYS};

/// What the relay does with a message's fragments.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Forwards,
    Backwards,
    /// Shuffled, and every one twice.
    ShuffledTwice,
    /// Each overlaps the next by half.
    Overlapping,
}

/// Cuts every handshake message that travels in the clear into pieces of this length. What stands behind it in the
/// datagram follows.
fn cut(datagram: &[u8], piece: usize, order: Pieces, random: &mut Random, number: &mut u64) -> Vec<Vec<u8>> {
    let (mut all, mut rest) = (Vec::new(), datagram);
    // Only what has a header of DTLS 1.2 and no Connection ID, and no ClientHello: a server cannot put together what
    // it keeps nothing of.
    while rest.len() > 13 + 12 && rest[0] == 22 && rest[3..5] == [0, 0] && rest[13] != 1 {
        let length = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        let (first, after) = rest.split_at(length.min(rest.len()));
        let mut messages = &first[13..];
        while messages.len() >= 12 {
            let at = |at: usize| {
                u32::from_be_bytes([0, messages[at], messages[at + 1], messages[at + 2]]) as usize
            };
            let (offset, length) = (at(6), at(9));
            let (message, behind) = messages.split_at(12 + length);
            let (header, body) = message.split_at(12);
            let mut pieces: Vec<Vec<u8>> = Vec::new();
            let mut start = 0;
            while start < body.len() || pieces.is_empty() {
                let end = match order {
                    Pieces::Overlapping => (start + piece + piece.div_ceil(2)).min(body.len()),
                    _ => (start + piece).min(body.len()),
                };
                let mut part = header.to_vec();
                part[6..9].copy_from_slice(&u32::try_from(offset + start).expect("short").to_be_bytes()[1..]);
                part[9..12].copy_from_slice(&u32::try_from(end - start).expect("short").to_be_bytes()[1..]);
                part.extend(&body[start..end]);
                pieces.push(part);
                start += piece;
            }
            match order {
                Pieces::Forwards | Pieces::Overlapping => {}
                Pieces::Backwards => pieces.reverse(),
                Pieces::ShuffledTwice => {
                    pieces.extend(pieces.clone());
                    for at in (1..pieces.len()).rev() {
                        pieces.swap(at, random.bits() as usize % (at + 1));
                    }
                }
            }
            for piece in pieces {
                *number += 1;
                all.push(record(22, 0, *number, &piece));
            }
            messages = behind;
        }
        rest = after;
    }
    if !rest.is_empty() {
        all.push(rest.to_vec());
    }
    all
}

#[test]
fn flights_in_pieces_are_put_together() {
    let mut site = Site::new();
    for way in WAYS {
        // Four shuffled pieces of a hundred are more places than are kept apart; what is missing comes again.
        for (piece, order) in [
            (1, Pieces::Forwards),
            (13, Pieces::Backwards),
            (40, Pieces::Overlapping),
            (100, Pieces::ShuffledTwice),
        ] {
            let mut random = Random::new(piece as u64);
            let mut number = 1_000;
            let gate = Gate::new(site.scene.broker.secure(), move |_, _, datagram| {
                cut(&datagram, piece, order, &mut random, &mut number)
            });
            let mut party = site.party(way);
            // So that the client's flight has no Connection ID in its last record and can be told apart.
            party.cid = None;
            let connected = party.connect(gate.address());
            let mut device =
                connected.unwrap_or_else(|failure| panic!("{way:?} {piece} {order:?}: {failure}")).device();
            site.scene.still_works(&mut device);
        }
    }
}

/// What is encrypted cannot be cut by a relay: here both sides send small datagrams, which come doubled and in another
/// order.
#[test]
fn small_datagrams_come_in_any_order() {
    let mut site = Site::with(|config, _, _| config.limits.datagram_bytes = 576);
    for way in WAYS {
        let done = Arc::new(AtomicBool::new(false));
        let gate = Gate::new(site.scene.broker.secure(), {
            let (mut held, done): ([Option<Vec<u8>>; 2], _) = ([None, None], done.clone());
            move |direction, number, datagram| {
                // Every second datagram waits for the one behind it, and the first of a flight comes twice.
                let held = &mut held[usize::from(direction == sedge_tests::gate::Way::Up)];
                match held.take() {
                    None if done.load(Ordering::Relaxed) => vec![datagram],
                    Some(before) => vec![datagram, before],
                    None if number % 3 == 2 => {
                        *held = Some(datagram);
                        vec![]
                    }
                    None => vec![datagram.clone(), datagram],
                }
            }
        });
        let mut party = site.party(way);
        // A hello has to fit into one datagram.
        party.transport.mtu = if way.versions == Versions::ONLY_1_3 { 300 } else { 200 };
        let connected = party.connect(gate.address());
        done.store(true, Ordering::Relaxed);
        let mut device = connected.unwrap_or_else(|failure| panic!("{way:?}: {failure}")).device();
        assert_eq!(device.publish("t/own", "1"), sedge_coap::Code::CHANGED, "{way:?}");
        site.scene.bystander_works();
    }
}
