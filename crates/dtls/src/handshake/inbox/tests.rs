//! Messages in pieces, in disorder and from strangers.

extern crate std;
use super::*;
use std::vec::Vec;

fn fragment(body: &[u8], offset: usize, end: usize) -> Fragment<'_> {
    let message_type = MessageType::CLIENT_KEY_EXCHANGE;
    Fragment { message_type, length: body.len(), message_seq: 2, offset, body: &body[offset..end] }
}

#[test]
fn fragments_in_any_order_overlapping_and_twice_make_the_message() {
    let body: Vec<u8> = (0..100).collect();
    let cuts = [(60, 100), (0, 30), (20, 50), (0, 30), (50, 60)];
    let mut inbox = Inbox::<[u8; 100]>::new();
    for (index, (from, to)) in cuts.into_iter().enumerate() {
        let message = inbox.accept(fragment(&body, from, to)).unwrap();
        assert_eq!(message.map(|message| message.body), (index == 4).then_some(&body[..]));
    }
}

#[test]
fn every_split_in_two_works_both_ways_round() {
    let body: Vec<u8> = (0..64).collect();
    for cut in 1..64 {
        for swap in [false, true] {
            let mut parts = [fragment(&body, 0, cut), fragment(&body, cut, 64)];
            if swap {
                parts.reverse();
            }
            let mut inbox = Inbox::<[u8; 64]>::new();
            assert!(inbox.accept(parts[0]).unwrap().is_none());
            assert_eq!(inbox.accept(parts[1]).unwrap().unwrap().body, body);
        }
    }
}

#[test]
fn messages_ahead_of_their_turn_wait_where_there_is_room() {
    fn whole(message_seq: u16, body: &[u8]) -> Fragment<'_> {
        let message_type = MessageType::CERTIFICATE;
        Fragment { message_type, length: body.len(), message_seq, offset: 0, body }
    }
    let mut inbox = Inbox::<[u8; 100]>::new();
    for message_seq in [4, 3, 4, 5, 6] {
        inbox.put_early(&whole(message_seq, &[message_seq as u8; 20]));
    }
    for message_seq in [3, 4, 5] {
        assert_eq!(inbox.due(message_seq).unwrap().body, [message_seq as u8; 20]);
    }
    assert!(inbox.due(6).is_none(), "three of 32 bytes fit into 100");
    // What is put together takes their place.
    let body = [7; 50];
    assert!(inbox.accept(fragment(&body, 0, 20)).unwrap().is_none());
    assert!(inbox.due(3).is_none());
    assert_eq!(inbox.accept(fragment(&body, 20, 50)).unwrap().unwrap().body, body);
}

/// RFC 9147 section 7: what the peer is told of is here to stay, and what could stand in the way of a message before it
/// is not.
#[test]
fn only_what_can_wait_beside_all_before_it_is_settled() {
    fn of(message_seq: u16, body: &[u8], range: Range<usize>) -> Fragment<'_> {
        let message_type = MessageType::CERTIFICATE;
        let (length, offset) = (body.len(), range.start);
        Fragment { message_type, length, message_seq, offset, body: &body[range] }
    }
    let (first, second) = ([1; 60], [2; 20]);
    let mut inbox = Inbox::<[u8; 128]>::new();
    assert_eq!(inbox.store(&of(2, &second, 0..20), 1), Early::Loose, "nothing is known of the first");
    let mut inbox = Inbox::<[u8; 128]>::new();
    assert!(inbox.accept(of(1, &first, 0..30)).unwrap().is_none());
    assert_eq!(inbox.store(&of(2, &second, 0..20), 1), Early::Settled);
    assert_eq!(inbox.store(&of(2, &second, 0..20), 1), Early::Settled, "the same again");
    assert_eq!(inbox.store(&of(4, &second, 0..20), 1), Early::Loose, "nothing is known of the third");
    assert_eq!(inbox.store(&of(3, &second, 0..20), 1), Early::Dropped, "no room");
    assert_eq!(inbox.accept(of(1, &first, 30..60)).unwrap().unwrap().body, first);
    inbox.clear();
    assert_eq!(inbox.due(2).unwrap().body, second);
    inbox.forget_early(2);
    assert!(inbox.due(2).is_none());
    // A long message takes the room of what is loose.
    let third = [3; 128];
    assert!(inbox.due(4).is_some());
    assert!(inbox.accept(of(3, &third, 0..64)).unwrap().is_none());
    assert!(inbox.due(4).is_none());
    assert_eq!(inbox.accept(of(3, &third, 64..128)).unwrap().unwrap().body, third);
}

#[test]
fn fragments_that_came_early_are_put_together_when_their_turn_comes() {
    let body: Vec<u8> = (0..100).collect();
    let cuts = [(60, 100), (0, 30), (20, 50), (50, 60)];
    for last in 0..4 {
        let mut inbox = Inbox::<[u8; 512]>::new();
        for (from, to) in cuts.into_iter().enumerate().filter(|(at, _)| *at != last).map(|(_, cut)| cut) {
            assert_ne!(inbox.store(&fragment(&body, from, to), 1), Early::Dropped);
        }
        assert!(inbox.due(2).is_none(), "{last}");
        let (from, to) = cuts[last];
        let whole = inbox.accept(fragment(&body, from, to)).unwrap();
        assert_eq!(whole.unwrap().body, body);
        assert!(inbox.find(2).is_none());
    }
}

#[test]
fn sealed_records_wait_for_their_keys() {
    let mut whole = [0; 64];
    let mut out = Writer::new(&mut whole);
    Fragment { length: 3, ..fragment(&[7; 3], 0, 3) }.write(&mut out);
    let len = out.finish().unwrap();
    let mut inbox = Inbox::<[u8; 256]>::new();
    let record = |tag: u8| [&[tag; 5], &whole[..len], &[tag; 9]].concat();
    let tags = [1, 2, 3];
    for tag in tags {
        inbox.put_sealed(&record(tag));
    }
    assert!(inbox.due(2).is_none());
    // The second one is forged, the third one nonsense.
    inbox.unseal(|record| match record[0] {
        1 => Some(5..record.len() - 9),
        3 => Some(4..record.len() - 9),
        _ => None,
    });
    assert_eq!(inbox.early as usize, len);
    assert_eq!(inbox.due(2).unwrap().body, [7; 3]);
}

#[test]
fn a_contradicting_fragment_does_not_block_the_message() {
    let (genuine, junk) = ([7u8; 40], [9u8; 44]);
    let mut inbox = Inbox::<[u8; 64]>::new();
    assert!(inbox.accept(fragment(&junk, 0, 20)).unwrap().is_none());
    assert!(inbox.accept(fragment(&genuine, 0, 20)).unwrap().is_none());
    assert_eq!(inbox.accept(fragment(&genuine, 20, 40)).unwrap().unwrap().body, genuine);
}

#[test]
fn a_message_longer_than_the_buffer_is_refused_at_its_first_fragment() {
    let body = [0u8; 65];
    let mut inbox = Inbox::<[u8; 64]>::new();
    assert_eq!(inbox.accept(fragment(&body, 0, 10)).unwrap_err(), Discard::HandshakeTooLong);
    assert!(inbox.accept(fragment(&body, 0, 65)).unwrap().is_some(), "whole, it needs no buffer");
}
