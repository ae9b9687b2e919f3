//! Which version is spoken, and who may have a say in that.

use sedge_dtls::*;

use crate::handshake::mutual;
use crate::world::*;

const VERSIONS: [Versions; 3] = [Versions::ONLY_1_2, Versions::ONLY_1_3, Versions::ALL];

fn ways() -> Vec<Setup> {
    let kind = CertificateType::RawPublicKey;
    vec![Setup::psk(), Setup::psk_dhe(), mutual(kind, kind), mutual(kind, CertificateType::X509)]
}

fn both(way: Setup) -> Setup {
    Setup { client_versions: Versions::ALL, server_versions: Versions::ALL, ..way }
}

#[test]
fn the_newest_common_version_is_spoken() {
    for way in ways() {
        for client in VERSIONS {
            for server in VERSIONS {
                let mut world =
                    World::new(Setup { client_versions: client, server_versions: server, ..way.clone() });
                world.run();
                let common = (client.dtls_1_2 && server.dtls_1_2, client.dtls_1_3 && server.dtls_1_3);
                if common == (false, false) {
                    let alert = Failure::Refused(AlertDescription::PROTOCOL_VERSION);
                    assert_eq!(world.client.failure(), Some(alert));
                    continue;
                }
                world.assert_established();
                assert_eq!(world.client.session().is_dtls_1_3(), common.1, "{client:?} {server:?}");
                assert_eq!(world.server.session().is_dtls_1_3(), common.1);
                world.exchange_data();
            }
        }
    }
}

#[test]
fn a_client_of_both_versions_survives_loss_with_either_server() {
    for way in ways() {
        for server_versions in VERSIONS {
            let setup = Setup { server_versions, ..both(way.clone()) };
            let count = World::established(setup.clone()).trace.len();
            for lost in 0..count {
                let mut world = World::new(setup.clone());
                world.fate = Box::new(move |index, _, _| if index == lost { vec![] } else { vec![LATENCY] });
                world.run();
                world.assert_established();
                world.fate = Box::new(undisturbed);
                world.exchange_data();
            }
        }
    }
}

/// A HelloVerifyRequest, as anybody can make one.
fn hello_verify_request(cookie: &[u8]) -> Vec<u8> {
    let body = [&[0xfe, 0xff, cookie.len() as u8], cookie].concat();
    plaintext(22, &message(3, 0, &body))
}

fn message(kind: u8, seq: u8, body: &[u8]) -> Vec<u8> {
    let length = [0, 0, body.len() as u8];
    [&[kind], &length[..], &[0, seq], &[0; 3], &length[..], body].concat()
}

fn plaintext(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, content.len() as u8][..], content].concat()
}

/// A ServerHello of DTLS 1.2 that nobody asked for.
fn server_hello_1_2(random: u8, end: &[u8; 8]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([random; 24]);
    body.extend(end);
    body.extend([0, 0xc0, 0xa8, 0]);
    plaintext(22, &message(2, 1, &body))
}

/// Somebody who sees none of what is sent, and answers faster.
#[test]
fn a_forged_older_answer_delays_and_does_not_downgrade() {
    let forgeries = [
        hello_verify_request(b"a cookie"),
        server_hello_1_2(7, &[7; 8]),
        server_hello_1_2(7, b"DOWNGRD\x01"),
    ];
    for way in ways() {
        for forgery in &forgeries {
            for at in 0..6 {
                let mut world = World::new(both(way.clone()));
                for _ in 0..at {
                    world.transmit();
                    world.step();
                }
                world.transmit();
                world.deliver(Direction::ToClient, forgery.clone());
                world.run();
                world.assert_established();
                assert!(world.client.session().is_dtls_1_3());
                world.exchange_data();
            }
        }
    }
}

/// A man in the middle takes DTLS 1.3 out of the hello: the server's random tells the client.
#[test]
fn a_stripped_version_is_noticed() {
    for way in ways() {
        let mut world = World::new(both(way));
        world.meddle = Some(Box::new(|direction, datagram| {
            let at = datagram.windows(7).position(|bytes| bytes[..4] == [0, 43, 0, 5]);
            if direction == Direction::ToServer
                && is_client_hello(datagram)
                && let Some(at) = at
            {
                datagram[at + 5..at + 7].copy_from_slice(&[0xfe, 0xfd]);
            }
        }));
        world.run();
        let alert = Failure::Aborted(AlertDescription::ILLEGAL_PARAMETER);
        assert_eq!(world.client.failure(), Some(alert), "{:?}", world.discards);
        assert!(!world.server.is_established());
    }
}
