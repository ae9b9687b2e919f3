//! Against the connection that "The Illustrated DTLS 1.3 Connection" takes apart (<https://dtls.xargs.org>, commit
//! 7ceb867): X25519, TLS_AES_128_GCM_SHA256, published keys. Digests of the transcript were computed from the messages
//! it shows.

extern crate std;

use std::vec::Vec;

use sedge_crypto::{Aead, RustCrypto};

use super::super::ack::{self, RecordNumber};
use super::super::protection::{OpenedRecord, RecordKeys};
use super::super::transcript::Transcript;
use super::*;
use crate::handshake::message::MessageType;
use crate::record::ContentType;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn secret(text: &str) -> Secret<32> {
    Secret::new(hex(text).try_into().unwrap())
}

const CLIENT_HELLO: &str = "
    fefde0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0000000613011302130301000061003300260024001d0020
    358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254002b000302fefc000d0020001e06030503040302030806080b08
    05080a080408090601050104010301020100160000000a00040002001d";
const SERVER_HELLO: &str = "
    fefd707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f00130100002e00330024001d00209fd7ad6dcff4298dd3f9
    6d5b1b2af910a0535b1488d7f8fabb349a982880b615002b0002fefc";
const SHARED: &str = "df4a291baa1eb7cfa6934b29b474baad2697e29f1f920dcc77c8a0a088447624";
const UP_TO_CERTIFICATE_VERIFY: &str = "4192c6d177f66f8ecf392831546238a0a64cbce228762e336b6aa7886c32684a";
const UP_TO_SERVER_FINISHED: &str = "77ff5eee528abc269960b0ea316eb8578dc8325d86ec1336ffe4b2941e26d82b";
/// Of the server: EncryptedExtensions (epoch 2, number 0) and Finished (number 3); ACK, data and alert (epoch 3).
const ENCRYPTED_EXTENSIONS: &str = "
    2e79fa002fee9dcff3f8679a4859fe68377fb34ada85df879c673e501d7a4e8f1950e0fcf67fe442e7d7d2b8a3d5fa59574ffd00";
const SERVER_FINISHED: &str = "
    2e0bb8003da44135732a099823b8a5f61a2b35ce921a89abb152f876cd26797dc3ed73d917b299c16928b9cf9e58d1cd58686b8b90ce9fe6454e
    0cef9efc40f2397a";
const CLIENT_FINISHED: &str = "
    2ec248003d8a2cd52d5000f8786afb47cdf0b8f2b81342b00c43dce64b1d0194d2e201f681750978528bbe26af79612401c007a2c5f75f7cffb7
    465bc01d23d8511f";
const SERVER_ACK: &str = "2f31500023ea80ab8e08c93895418d243571ea6de7d863ee84230bb6043cb384df94b6da285a3bc4";
const CLIENT_DATA: &str = "2f683f00157d72278b6c649f1e7b56b3cad411faf7bd518bfb15";
const SERVER_DATA: &str = "2fa2580015f5bd33f27b72780e351fa00703fb9f658c689f95ae";
const SERVER_ALERT: &str = "2f690c0013dd8cd07daa964fd1ab508825378fc96fa8b1e8";

fn handshake_secret() -> (HandshakeSecret, Digest) {
    let mut transcript = Transcript::new(&RustCrypto);
    transcript.add(MessageType::CLIENT_HELLO, &hex(CLIENT_HELLO));
    transcript.add(MessageType::SERVER_HELLO, &hex(SERVER_HELLO));
    let early = EarlySecret::new(&RustCrypto, None);
    (early.into_handshake(&RustCrypto, Some(&secret(SHARED))), transcript.hash())
}

fn opened(keys: &RecordKeys, record: &str, expected: u64) -> (ContentType, Vec<u8>, u64) {
    let mut record = hex(record);
    let OpenedRecord { content_type, plaintext, sequence } =
        keys.open(&RustCrypto, Aead::Aes128Gcm, expected, &mut record, 0).unwrap();
    (content_type, plaintext.to_vec(), sequence)
}

#[test]
fn traffic_secrets_are_those_of_the_key_log() {
    let (handshake, hellos) = handshake_secret();
    let epoch_2 = handshake.traffic(&RustCrypto, &hellos);
    assert_eq!(epoch_2.client.0, secret("33e472fb8d821b0193314626bebee307ccbd1aeb3d3a17ba468888ffc5246da1"));
    assert_eq!(epoch_2.server.0, secret("8ad7990b9d249bcbaa0805d8d3f3ad2259e75f3a42c5d84db3ea3c6ee57b3d38"));
    let server_finished = hex(UP_TO_SERVER_FINISHED).try_into().unwrap();
    let epoch_3 = handshake.into_master(&RustCrypto).traffic(&RustCrypto, &server_finished);
    assert_eq!(epoch_3.client.0, secret("a9185352f61134f1d24eaa4a930fff2edca40ce8c06420848deb27699e9baf2c"));
    assert_eq!(epoch_3.server.0, secret("4ab12ae4022fc013eca21abb071e13aa24a150e3876c660fe0ed10a8eebd8f17"));
}

#[test]
fn records_of_both_epochs_open_and_finished_is_right() {
    let (handshake, hellos) = handshake_secret();
    let epoch_2 = handshake.traffic(&RustCrypto, &hellos);
    let server_keys = epoch_2.server.keys(&RustCrypto);
    let (content_type, extensions, sequence) = opened(&server_keys, ENCRYPTED_EXTENSIONS, 0);
    assert_eq!((content_type, sequence), (ContentType::HANDSHAKE, 0));
    assert_eq!(extensions, hex("0800001200010000000000120010000a000c000a0017001d00180019 0100"));

    let (_, finished, sequence) = opened(&server_keys, SERVER_FINISHED, 1);
    let expected = epoch_2.server.finished(&RustCrypto, &hex(UP_TO_CERTIFICATE_VERIFY).try_into().unwrap());
    assert_eq!((&finished[12..], sequence), (&expected[..], 3));

    let (_, finished, _) = opened(&epoch_2.client.keys(&RustCrypto), CLIENT_FINISHED, 0);
    let up_to_server_finished = hex(UP_TO_SERVER_FINISHED).try_into().unwrap();
    let expected = epoch_2.client.finished(&RustCrypto, &up_to_server_finished);
    assert_eq!(finished[12..], expected);

    let epoch_3 = handshake.into_master(&RustCrypto).traffic(&RustCrypto, &up_to_server_finished);
    let (client_keys, server_keys) = (epoch_3.client.keys(&RustCrypto), epoch_3.server.keys(&RustCrypto));
    let (content_type, body, _) = opened(&server_keys, SERVER_ACK, 0);
    assert_eq!(content_type, ContentType::ACK);
    let numbers: Vec<_> = ack::parse(&body).unwrap().collect();
    assert_eq!(numbers, [RecordNumber { epoch: 2, sequence: 0 }]);
    assert_eq!(opened(&client_keys, CLIENT_DATA, 0), (ContentType::APPLICATION_DATA, b"ping".to_vec(), 0));
    assert_eq!(opened(&server_keys, SERVER_DATA, 1), (ContentType::APPLICATION_DATA, b"pong".to_vec(), 1));
    assert_eq!(opened(&server_keys, SERVER_ALERT, 2), (ContentType::ALERT, [1, 0].to_vec(), 2));
}

/// A record is sealed to the very bytes that the connection shows, but for the longer header that it uses.
#[test]
fn sealing_gives_the_bytes_shown() {
    use super::super::record::Heading;
    let keys = TrafficSecret(secret("a9185352f61134f1d24eaa4a930fff2edca40ce8c06420848deb27699e9baf2c"))
        .keys(&RustCrypto);
    // Number 300 needs the long form, as that connection uses it for every number.
    let heading = Heading { epoch: 3, sequence: 300, cid: b"", with_length: true };
    let mut buf = [0; 64];
    buf[5..9].copy_from_slice(b"ping");
    let len = keys
        .seal(&RustCrypto, Aead::Aes128Gcm, &heading, ContentType::APPLICATION_DATA, &mut buf, 4)
        .unwrap();
    assert_eq!(len, hex(CLIENT_DATA).len());
    assert_eq!((buf[0], &buf[3..5]), (0x2f, &[0, 0x15][..]));
    let opened = keys.open(&RustCrypto, Aead::Aes128Gcm, 290, &mut buf[..len], 0).unwrap();
    assert_eq!((opened.sequence, &*opened.plaintext), (300, &b"ping"[..]));
}

#[test]
fn a_binder_depends_on_everything_it_is_made_of() {
    let binder = |psk: &[u8], origin, hello: u8| {
        EarlySecret::new(&RustCrypto, Some(psk)).binder(&RustCrypto, origin, &[hello; 32])
    };
    let all = [
        binder(b"sixteen secrets!", PskOrigin::External, 1),
        binder(b"sixteen secrets?", PskOrigin::External, 1),
        binder(b"sixteen secrets!", PskOrigin::Resumption, 1),
        binder(b"sixteen secrets!", PskOrigin::External, 2),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one));
    }
}
