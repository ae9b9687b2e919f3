//! What takes millions of records to reach, and memory.

extern crate std;

use std::vec::Vec;

use sedge_crypto::{RustCrypto, Secret};

use super::limits::{Forgeries, RECORDS, RECORDS_UNTIL_UPDATE};
use super::*;

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
