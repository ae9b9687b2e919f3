//! What takes millions of records to reach, and memory.

extern crate std;

use std::vec::Vec;

use sedge_crypto::{RustCrypto, Secret};

use super::limits::{Forgeries, RECORDS, RECORDS_UNTIL_UPDATE};
use super::*;
use crate::handshake::message::{Fragment, MessageType};
use crate::wire::{Reader, Writer};

fn session(role: Role, aead: Aead) -> Session13 {
    let direction = |byte| Direction::new(&RustCrypto, TrafficSecret(Secret::new([byte; 32])));
    let (read, write) = match role {
        Role::Client => (direction(1), direction(2)),
        Role::Server => (direction(2), direction(1)),
    };
    Session13::new(Parameters13 {
        role,
        aead,
        read,
        write,
        extra: Extra::Nothing,
        cids: Cids::new(b"", b"").unwrap(),
        read_limit: 1 << 14,
        write_limit: 1 << 14,
        next_message: 1,
        next_received: 1,
        return_routability: false,
    })
}

fn seal(session: &mut Session13) -> Result<Vec<u8>, SealError> {
    let mut buf = [7; 64];
    let len = session.seal(&RustCrypto, ContentType::APPLICATION_DATA, &mut buf, 20, false)?;
    Ok(buf[..len].to_vec())
}

/// Lets both sides say what they have to say.
fn settle(client: &mut Session13, server: &mut Session13) {
    let mut buf = [0; 256];
    for _ in 0..8 {
        while let Some(len) = client.poll_transmit(&RustCrypto, &mut buf) {
            let _ = server.open(&RustCrypto, &mut buf[..len]).unwrap();
        }
        while let Some(len) = server.poll_transmit(&RustCrypto, &mut buf) {
            let _ = client.open(&RustCrypto, &mut buf[..len]).unwrap();
        }
    }
}

/// The client's last flight comes again, and the client has begun a KeyUpdate meanwhile, which was lost. The ACK of the
/// flight is sent once, whoever asks for it, and nothing else is acknowledged.
#[test]
fn only_what_has_come_is_acknowledged() {
    let (mut client, mut server) =
        (session(Role::Client, Aead::Aes128Ccm8), session(Role::Server, Aead::Aes128Ccm8));
    let handshake = || TrafficSecret(Secret::new([9; 32]));
    server.extra = Extra::Handshake(handshake());
    let mut earlier = session(Role::Client, Aead::Aes128Ccm8);
    (earlier.write, earlier.write_epoch) = (Direction::new(&RustCrypto, handshake()), 2);
    let mut buf = [0; 64];
    client.update_keys(false);
    let _lost = client.poll_transmit(&RustCrypto, &mut buf).unwrap();
    for _ in 0..3 {
        let len = earlier.seal(&RustCrypto, ContentType::HANDSHAKE, &mut buf, 20, false).unwrap();
        let opened = server.open(&RustCrypto, &mut buf[..len]).unwrap();
        assert!(matches!(opened.content, Content::FinishedAgain));
        let len = server.poll_transmit(&RustCrypto, &mut buf).unwrap();
        let _ = client.open(&RustCrypto, &mut buf[..len]).unwrap();
        if let Some(len) = server.write_ack(&RustCrypto, &mut buf) {
            let _ = client.open(&RustCrypto, &mut buf[..len]).unwrap();
        }
        assert!((client.write_epoch, client.is_outstanding()) == (3, true), "nobody has its KeyUpdate");
    }
    client.retransmit();
    settle(&mut client, &mut server);
    assert_eq!(client.write_epoch, 4);
}

#[test]
fn keys_are_replaced_before_they_protect_too_many_records() {
    let (mut client, mut server) =
        (session(Role::Client, Aead::Aes128Ccm8), session(Role::Server, Aead::Aes128Ccm8));
    client.next_sequence = RECORDS_UNTIL_UPDATE - 1;
    server.highest = RECORDS_UNTIL_UPDATE - 2;
    server.seen = [1, 0];
    assert!(!client.pending());
    let mut record = seal(&mut client).unwrap();
    assert!(client.pending());
    let _ = server.open(&RustCrypto, &mut record).unwrap();
    settle(&mut client, &mut server);
    assert_eq!((client.write_epoch, client.next_sequence), (4, 0));
    let mut record = seal(&mut client).unwrap();
    let _ = server.open(&RustCrypto, &mut record).unwrap();
    assert_eq!(server.read_epoch, 4);

    // Without an answer it ends at the limit.
    client.next_sequence = RECORDS - 1;
    assert!(seal(&mut client).is_ok());
    assert_eq!(seal(&mut client), Err(SealError::SequenceExhausted));
}

#[test]
fn forgeries_are_counted_and_answered_with_new_keys() {
    for aead in [Aead::Aes128Ccm8, Aead::Aes128Ccm] {
        let (mut client, mut server) = (session(Role::Client, aead), session(Role::Server, aead));
        let Forgeries { until_update, until_over } = Forgeries::of(aead);
        let forged = |client: &mut Session13| {
            let mut record = seal(client).unwrap();
            *record.last_mut().unwrap() ^= 1;
            record
        };
        server.failed = until_update - 2;
        assert!(server.open(&RustCrypto, &mut forged(&mut client)).is_err());
        assert!(!server.pending());
        assert!(server.open(&RustCrypto, &mut forged(&mut client)).is_err());
        assert!(server.pending(), "the peer is asked for new keys");
        settle(&mut client, &mut server);
        let mut record = seal(&mut client).unwrap();
        let _ = server.open(&RustCrypto, &mut record).unwrap();
        assert_eq!((server.read_epoch, server.failed), (4, 0), "new keys, and none failed with them");

        server.failed = until_over - 1;
        let mut good = seal(&mut client).unwrap();
        assert_eq!(server.open(&RustCrypto, &mut forged(&mut client)).map(|_| ()), Err(Discard::BadTag));
        assert_eq!(server.open(&RustCrypto, &mut good).map(|_| ()), Err(Discard::Closed), "it is over");
    }
}

/// RFC 9147 section 4.5.3 and appendix B.
#[test]
fn limits_are_those_of_the_rfc() {
    assert_eq!(Forgeries::of(Aead::Aes128Ccm8).until_update, 128);
    assert!(Forgeries::of(Aead::Aes128Ccm).until_over < 1 << 24);
    assert_eq!(RECORDS, 1 << 23);
}

#[test]
fn it_is_small() {
    assert!(size_of::<Session13>() <= 256, "{}", size_of::<Session13>());
    assert!(size_of::<crate::session::Session>() <= 256);
}

/// The message of this number, cut into fragments of so many bytes, each in a record of its own.
fn in_fragments(
    sender: &mut Session13,
    message_type: MessageType,
    message_seq: u16,
    body: &[u8],
    size: usize,
) -> Vec<Vec<u8>> {
    let cut = |(index, part): (usize, &[u8])| {
        let mut buf = [0; 512];
        let mut out = Writer::new(&mut buf[sender.headroom()..]);
        let (length, offset) = (body.len(), index * size);
        Fragment { message_type, length, message_seq, offset, body: part }.write(&mut out);
        let len = out.finish().unwrap();
        let len = sender.seal(&RustCrypto, ContentType::HANDSHAKE, &mut buf, len, false).unwrap();
        buf[..len].to_vec()
    };
    body.chunks(size).enumerate().map(cut).collect()
}

/// Whether a session takes a KeyUpdate as the message of this number: whatever came before is done with.
#[track_caller]
fn takes_new_keys(sender: &mut Session13, receiver: &mut Session13, message_seq: u16) {
    let [mut update] =
        in_fragments(sender, MessageType::KEY_UPDATE, message_seq, &[0], 1).try_into().unwrap();
    let _ = receiver.open(&RustCrypto, &mut update).unwrap();
    assert!(receiver.has(flag::NEXT_EPOCH_READ));
}

/// RFC 9147 section 5.5: however a peer cuts its messages, and in whatever order the pieces come, if they come again until
/// they are acknowledged, the message is taken and the next one can be.
#[test]
fn new_connection_ids_in_fragments_are_taken() {
    let new = b"another name of twenty";
    for length in [1, 8, 20] {
        let body = [&[0, length as u8 + 1, length as u8], &new[..length], &[0]].concat();
        for size in 1..body.len() {
            for backwards in [false, true] {
                let mut client = session(Role::Client, Aead::Aes128Ccm8);
                let mut server = session(Role::Server, Aead::Aes128Ccm8);
                server.cids = Cids::new(b"", b"old").unwrap();
                let mut left = body.len().div_ceil(size);
                while left > 0 {
                    let mut records =
                        in_fragments(&mut client, MessageType::NEW_CONNECTION_ID, 1, &body, size);
                    if backwards {
                        records.reverse();
                    }
                    let before = left;
                    left = records
                        .into_iter()
                        .filter_map(|mut record| server.open(&RustCrypto, &mut record).err())
                        .map(|discard| assert_eq!(discard, Discard::HandshakeEarly))
                        .count();
                    assert!(left < before || left == 0, "it gets on");
                    // In the middle of it, the session sleeps.
                    let mut bytes = [0; Session13::EXPORTED_LEN];
                    server.write(&mut Writer::new(&mut bytes));
                    server = Session13::parse(&mut Reader::new(&bytes)).unwrap();
                }
                assert_eq!(server.cids.peer(), &new[..length], "{size}");
                assert_eq!(server.next_received, 2);
                takes_new_keys(&mut client, &mut server, 2);
            }
        }
    }
}

#[test]
fn empty_fragments_of_the_shortest_messages_are_taken() {
    let (mut client, mut server) =
        (session(Role::Client, Aead::Aes128Ccm8), session(Role::Server, Aead::Aes128Ccm8));
    let mut buf = [0; 64];
    let mut out = Writer::new(&mut buf[client.headroom()..]);
    let message_type = MessageType::KEY_UPDATE;
    Fragment { message_type, length: 1, message_seq: 1, offset: 0, body: &[] }.write(&mut out);
    let len = out.finish().unwrap();
    let len = client.seal(&RustCrypto, ContentType::HANDSHAKE, &mut buf, len, false).unwrap();
    let _ = server.open(&RustCrypto, &mut buf[..len]).unwrap();
    assert!(server.pending() && !server.has(flag::NEXT_EPOCH_READ));
    takes_new_keys(&mut client, &mut server, 1);
}

/// A ticket in fragments is passed over, acknowledged and counted; the next message is taken.
#[test]
fn a_ticket_in_fragments_is_passed_over() {
    let (mut client, mut server) =
        (session(Role::Client, Aead::Aes128Ccm8), session(Role::Server, Aead::Aes128Ccm8));
    let records = in_fragments(&mut server, MessageType::NEW_SESSION_TICKET, 1, &[7; 300], 100);
    let mut discards = Vec::new();
    for mut record in records {
        discards.extend(client.open(&RustCrypto, &mut record).err());
        assert!(client.pending());
        while client.poll_transmit(&RustCrypto, &mut [0; 64]).is_some() {}
    }
    assert_eq!(discards, [Discard::HandshakeTooLong]);
    takes_new_keys(&mut server, &mut client, 2);
    // Of a server nobody has tickets to offer.
    let [mut record, _] =
        in_fragments(&mut client, MessageType::NEW_SESSION_TICKET, 1, &[7; 20], 10).try_into().unwrap();
    assert_eq!(server.open(&RustCrypto, &mut record).map(|_| ()), Err(Discard::UnexpectedHandshake));
}
