//! The key schedule, the record layer and the transcript against a handshake between other implementations.

extern crate std;

use std::string::String;
use std::vec::Vec;

use sedge_crypto::{Crypto, RustCrypto};

use super::*;
use crate::cid::ConnectionId;
use crate::dtls12::transcript::Transcript;
use crate::handshake::hello::{ClientHello, ServerHello};
use crate::handshake::message::{Fragment, Message, MessageType};
use crate::psk::Psk;
use crate::record::{ContentType, Record};
use crate::session::{Content, LastFlight, Parameters, Role, Session12};
use crate::suite::CipherSuite;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap())
        .collect()
}

/// The known answer for P_SHA256 from the TLS working group's mailing list (archive/web/tls/current/msg03416).
#[test]
fn prf_known_answer() {
    let keyed = RustCrypto.hmac_sha256(&hex("9bbe436ba940f017b17652849a71db35"));
    let mut out = [0; 100];
    prf(&keyed, b"test label", &[&hex("a0ba9f936cda311827a6f796ffd5198c")], &mut out);
    let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
                    0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
                    87347b66";
    assert_eq!(out.to_vec(), hex(expected));
    // Seeds in parts are one seed.
    let mut parts = [0; 100];
    prf(&keyed, b"test ", &[b"label", &hex("a0ba9f936cda3118"), &hex("27a6f796ffd5198c")], &mut parts);
    assert_eq!(out, parts);
}

#[test]
fn a_handshake_of_openssl_byte_by_byte() {
    let trace = include_str!("../../../tests/vectors/openssl-psk-ccm8.txt");
    let field = |name: &str| {
        trace.lines().filter_map(|line| line.strip_prefix(name)).map(hex).collect::<Vec<Vec<u8>>>()
    };
    let psk = Psk::new(&field("psk ")[0]).unwrap();
    let (to_server, to_client) = (field("> "), field("< "));

    // All messages from the hello with the cookie on, each in one fragment.
    let mut transcript = Transcript::<RustCrypto>::new(&RustCrypto);
    let mut hellos = Vec::new();
    for datagram in [&to_server[1], &to_client[1], &to_server[2]] {
        let mut rest = &datagram[..];
        while let Some((record, tail)) = Record::parse_first(rest, 0) {
            rest = tail;
            if record.header.content_type == ContentType::HANDSHAKE && record.header.epoch == 0 {
                let (fragment, _) = Fragment::parse(record.fragment).unwrap();
                let Fragment { message_type, message_seq, body, .. } = fragment;
                transcript.add(&Message { message_type, message_seq, body });
                hellos.push(body.to_vec());
            }
        }
    }
    assert_eq!(hellos.len(), 4, "ClientHello, ServerHello, ServerHelloDone, ClientKeyExchange");
    let server_hello = ServerHello::parse(&hellos[1]).unwrap();
    assert_eq!(server_hello.suite, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8);
    assert!(server_hello.extensions.extended_master_secret);
    let randoms =
        Randoms { client: ClientHello::parse(&hellos[0]).unwrap().random, server: server_hello.random };

    let session_hash = transcript.hash();
    let master =
        MasterSecret::new(&RustCrypto, &Premaster::psk(&psk), &randoms, Binding::SessionHash(&session_hash));
    assert_eq!(master.secret().expose()[..], field("master ")[0]);

    let session = |role: Role| {
        let keys = master.record_keys(&randoms);
        let (read, write) = match role {
            Role::Client => (keys.server_write, keys.client_write),
            Role::Server => (keys.client_write, keys.server_write),
        };
        Session12::new(Parameters {
            role,
            suite: server_hello.suite,
            aead: server_hello.suite.aead().unwrap(),
            read,
            write,
            own_cid: ConnectionId::EMPTY,
            peer_cid: ConnectionId::EMPTY,
            read_limit: 1 << 14,
            write_limit: 1 << 14,
            next_sequence: 0,
        })
    };
    let (mut client, mut server) = (session(Role::Client), session(Role::Server));

    // The client's Finished is the last record of its flight: the same bytes, sealed and opened.
    let verify_data = master.client_verify_data(&session_hash);
    let finished = Message { message_type: MessageType::FINISHED, message_seq: 3, body: &verify_data };
    let message = [&finished.header()[..], &verify_data].concat();
    let mut expected = to_server[2][to_server[2].len() - 53..].to_vec();
    assert_eq!(seal(&mut client, ContentType::HANDSHAKE, &message), expected);
    assert_eq!(
        server.unprotect(&RustCrypto, &mut expected).map(|opened| opened.plaintext.to_vec()),
        Ok(message)
    );

    // The server's whole last flight, as a session makes it from what it keeps.
    transcript.add(&finished);
    let verify_data = master.server_verify_data(&transcript.hash());
    server.set_last_flight(LastFlight { verify_data, message_seq: 3, sequence: 3, ticket: None });
    let mut flight = [0; 67];
    assert_eq!(server.last_flight(&RustCrypto, &mut flight), Some(67));
    assert_eq!(flight[..], to_client[2]);
    assert!(client.unprotect(&RustCrypto, &mut flight[14..]).is_ok());

    // One record of data each way.
    assert_data(&mut client, &mut server, &to_server[3]);
    assert_data(&mut server, &mut client, &to_client[3]);
}

/// The receiver opens the record, and the sender seals the same.
fn assert_data(from: &mut Session12, to: &mut Session12, datagram: &[u8]) {
    let mut record = datagram.to_vec();
    let Content::ApplicationData(data) = to.open(&RustCrypto, &mut record).unwrap().content else { panic!() };
    assert_eq!(seal(from, ContentType::APPLICATION_DATA, data), datagram);
}

fn seal(session: &mut Session12, content_type: ContentType, plaintext: &[u8]) -> Vec<u8> {
    let mut record = std::vec![0; plaintext.len() + session.overhead()];
    let at = session.headroom();
    record[at..at + plaintext.len()].copy_from_slice(plaintext);
    assert_eq!(session.seal(&RustCrypto, content_type, &mut record, plaintext.len()), Ok(record.len()));
    record
}
