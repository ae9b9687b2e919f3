//! The relay between real sockets on the loopback interface.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use sedge_sim::relay::{Options, Relay};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    socket
}

fn relay(server: &UdpSocket, up: &str, down: &str) -> Relay {
    let options =
        Options { up: up.parse().expect("impairments"), down: down.parse().expect("impairments"), seed: 1 };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Relay::start(any, server.local_addr().expect("an address"), options).expect("a relay")
}

#[test]
fn datagrams_go_both_ways_and_clients_are_kept_apart() {
    let (server, clients) = (socket(), [socket(), socket()]);
    let relay = relay(&server, "delay=5ms", "delay=5ms");
    let mut sources = HashSet::new();
    for (number, client) in clients.iter().enumerate() {
        client.send_to(&[number as u8], relay.address()).expect("sent");
        let mut buffer = [0; 16];
        let (length, source) = server.recv_from(&mut buffer).expect("passed on");
        assert_eq!(buffer[..length], [number as u8]);
        sources.insert(source);
        server.send_to(&[100 + number as u8], source).expect("answered");
    }
    assert_eq!(sources.len(), 2, "each client has a source port of its own");
    for (number, client) in clients.iter().enumerate() {
        let mut buffer = [0; 16];
        let (length, source) = client.recv_from(&mut buffer).expect("passed back");
        assert_eq!((&buffer[..length], source), (&[100 + number as u8][..], relay.address()));
    }
    let report = relay.report().expect("running");
    assert_eq!((report.clients, report.up.delivered, report.down.delivered), (2, 2, 2));
}

#[test]
fn rebinding_changes_the_source_port_and_cuts_off_the_old_one() {
    let (server, client) = (socket(), socket());
    let relay = relay(&server, "", "");
    let mut buffer = [0; 16];
    client.send_to(b"a", relay.address()).expect("sent");
    let (_, before) = server.recv_from(&mut buffer).expect("passed on");
    assert_eq!(relay.rebind().expect("rebound"), 1);
    assert_eq!(relay.rebind_client(server.local_addr().expect("an address")).expect("none"), 0);
    client.send_to(b"b", relay.address()).expect("sent");
    let (_, after) = server.recv_from(&mut buffer).expect("passed on");
    assert_ne!(before, after);

    server.send_to(b"old", before).expect("sent");
    server.send_to(b"new", after).expect("sent");
    let (length, _) = client.recv_from(&mut buffer).expect("passed back");
    assert_eq!(&buffer[..length], b"new");
}

#[test]
fn what_strangers_send_to_a_source_port_is_not_passed_on() {
    let (server, client, stranger) = (socket(), socket(), socket());
    let relay = relay(&server, "", "");
    let mut buffer = [0; 16];
    client.send_to(b"a", relay.address()).expect("sent");
    let (_, source) = server.recv_from(&mut buffer).expect("passed on");
    let port = SocketAddr::from(([127, 0, 0, 1], source.port()));
    stranger.send_to(b"junk", port).expect("sent");
    server.send_to(b"real", source).expect("sent");
    let (length, _) = client.recv_from(&mut buffer).expect("passed back");
    assert_eq!(&buffer[..length], b"real");
}

#[test]
fn losses_are_those_of_the_seed() {
    let (server, client) = (socket(), socket());
    let relay = relay(&server, "loss=50%", "");
    let mut link = sedge_sim::link::Link::with_random(
        "loss=50%".parse().expect("impairments"),
        sedge_sim::Random::for_part(1, 0),
    );
    let expected: Vec<u8> = (0..40)
        .filter(|number| link.offer(sedge_time::Instant::EPOCH, vec![*number]) != sedge_sim::link::Fate::Lost)
        .collect();
    for number in 0..40 {
        client.send_to(&[number], relay.address()).expect("sent");
    }
    let mut buffer = [0; 16];
    for number in expected {
        let (length, _) = server.recv_from(&mut buffer).expect("passed on");
        assert_eq!(buffer[..length], [number]);
    }
}
