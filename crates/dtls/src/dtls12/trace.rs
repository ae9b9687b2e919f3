//! A handshake between other implementations, with certificates on both sides and a ticket, message by message.

extern crate std;

use std::string::String;
use std::vec::Vec;

use sedge_crypto::{Aead, Crypto, RustCrypto, Secret};
use sedge_x509::Certificate;

use super::key_exchange::{ClientKeyExchange, ServerKeyExchange};
use super::schedule::{MasterSecret, Randoms};
use super::ticket::NewSessionTicket;
use super::transcript::Transcript;
use super::{certificate, key_exchange};
use crate::cid::ConnectionId;
use crate::credentials::CertificateType;
use crate::handshake::hello::{ClientHello, ServerHello};
use crate::handshake::message::{Fragment, Message, MessageType};
use crate::record::{ContentType, Record};
use crate::session::{Content, Parameters, Role, Session12};
use crate::suite::{CipherSuite, KeyExchange};

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap()).collect()
}

/// A message with its number.
type Whole = (MessageType, u16, Vec<u8>);

/// The messages in the clear and the sealed records of some datagrams, in order.
fn split(datagrams: &[Vec<u8>]) -> (Vec<Whole>, Vec<Vec<u8>>) {
    let (mut messages, mut sealed) = (Vec::new(), Vec::new());
    for datagram in datagrams {
        let mut rest = &datagram[..];
        while let Some((record, tail)) = Record::parse_first(rest, 0) {
            let bytes = &rest[..rest.len() - tail.len()];
            rest = tail;
            match (record.header.epoch, record.header.content_type) {
                (0, ContentType::HANDSHAKE) => {
                    let (fragment, _) = Fragment::parse(record.fragment).unwrap();
                    assert!(fragment.is_whole());
                    messages.push((fragment.message_type, fragment.message_seq, fragment.body.to_vec()));
                }
                (0, _) => {}
                _ => sealed.push(bytes.to_vec()),
            }
        }
    }
    (messages, sealed)
}

#[test]
fn a_mutual_handshake_of_openssl_message_by_message() {
    let trace = include_str!("../../tests/vectors/openssl-ecdhe-ecdsa-ccm8-mutual.txt");
    let lines = |prefix: &str| {
        trace.lines().filter_map(|line| line.strip_prefix(prefix)).map(hex).collect::<Vec<Vec<u8>>>()
    };
    let (to_server, to_client) = (lines("> "), lines("< "));
    // From the hello with the cookie on.
    let (client, client_sealed) = split(&to_server[1..]);
    let (server, server_sealed) = split(&to_client[1..]);

    let kinds = |messages: &[Whole]| messages.iter().map(|it| it.0.0).collect::<Vec<_>>();
    assert_eq!(
        kinds(&client),
        [1, 11, 16, 15],
        "ClientHello, Certificate, ClientKeyExchange, CertificateVerify"
    );
    assert_eq!(kinds(&server), [2, 11, 12, 13, 14, 4], "up to ServerHelloDone, and NewSessionTicket");
    let mut transcript = Transcript::<RustCrypto>::new(&RustCrypto);
    let say = |transcript: &mut Transcript<RustCrypto>, message: &Whole| {
        let &(message_type, message_seq, ref body) = message;
        transcript.add(&Message { message_type, message_seq, body });
    };

    // The hellos.
    let client_hello = ClientHello::parse(&client[0].2).unwrap();
    let server_hello = ServerHello::parse(&server[0].2).unwrap();
    assert_eq!(server_hello.suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8);
    assert!(server_hello.extensions.extended_master_secret);
    assert_eq!(client_hello.extensions.signature_algorithms, Some(&[4, 3][..]));
    let randoms = Randoms { client: client_hello.random, server: server_hello.random };

    // The server's certificate, and its share signed with the key in it.
    let shown =
        |body| certificate::parse(CertificateType::X509, body).unwrap().unwrap().entries().next().unwrap();
    let server_key = *Certificate::parse(shown(&server[1].2)).unwrap().public_key();
    let kind = KeyExchange::EcdheEcdsa;
    let exchange = ServerKeyExchange::parse(kind, &server[2].2).unwrap();
    let share = exchange.share.unwrap();
    assert_eq!(share.group, 23);
    let digest = share.digest(&RustCrypto, &randoms);
    let signature = exchange.signature.unwrap().signature().unwrap();
    assert_eq!(RustCrypto.verify(&server_key, &digest, &signature), Ok(()));
    assert_eq!(certificate::parse_request(&server[3].2), Some(true));
    assert_eq!(key_exchange::ECDSA_SECP256R1_SHA256, 0x0403);

    // The client's certificate, and everything so far signed with the key in it.
    say(&mut transcript, &client[0]);
    server[..5].iter().for_each(|message| say(&mut transcript, message));
    client[1..3].iter().for_each(|message| say(&mut transcript, message));
    assert_eq!(ClientKeyExchange::parse(kind, &client[2].2).unwrap().point.len(), 65);
    let client_key = *Certificate::parse(shown(&client[1].2)).unwrap().public_key();
    let signature = certificate::parse_verify(&client[3].2).unwrap().unwrap();
    assert_eq!(RustCrypto.verify(&client_key, &transcript.hash(), &signature), Ok(()));
    say(&mut transcript, &client[3]);

    // Both Finished, the ticket between them, and a record of data each way.
    let master = Secret::new(lines("master ")[0].clone().try_into().unwrap());
    let master = MasterSecret::<RustCrypto>::from_secret(&RustCrypto, master);
    let keys = master.record_keys(&randoms);
    let session = |role, read, write| {
        Session12::new(Parameters {
            role,
            suite: server_hello.suite,
            aead: Aead::Aes128Ccm8,
            read,
            write,
            own_cid: ConnectionId::EMPTY,
            peer_cid: ConnectionId::EMPTY,
            read_limit: 1 << 14,
            write_limit: 1 << 14,
            next_sequence: 0,
        })
    };
    let mut at_server = session(Role::Server, keys.client_write.clone(), keys.server_write.clone());
    let mut at_client = session(Role::Client, keys.server_write, keys.client_write);
    let finished = |session: &mut Session12, record: &[u8]| {
        let mut record = record.to_vec();
        let opened = session.unprotect(&RustCrypto, &mut record).unwrap();
        let (fragment, _) = Fragment::parse(opened.plaintext).unwrap();
        (fragment.message_type, fragment.message_seq, fragment.body.to_vec())
    };
    let from_client = finished(&mut at_server, &client_sealed[0]);
    assert_eq!(from_client.2, master.client_verify_data(&transcript.hash()));
    say(&mut transcript, &from_client);
    let ticket = NewSessionTicket::parse(&server[5].2).unwrap();
    assert_eq!((ticket.lifetime_hint, ticket.ticket.is_empty()), (7_200, false));
    say(&mut transcript, &server[5]);
    let from_server = finished(&mut at_client, &server_sealed[0]);
    assert_eq!(from_server.2, master.server_verify_data(&transcript.hash()));
    for (session, record) in [(&mut at_server, &client_sealed[1]), (&mut at_client, &server_sealed[1])] {
        let mut record = record.clone();
        let opened = session.open(&RustCrypto, &mut record).unwrap().content;
        assert!(matches!(opened, Content::ApplicationData(_)));
    }
}
