//! A broker that is killed, and cannot say goodbye.

use std::net::UdpSocket;

use crate::board::Board;
use crate::site::Site;
use crate::{SOON, on_each_board};

on_each_board!(a_killed_broker_loses_nothing, a_killed_broker_loses_nothing_in_dtls_1_3);

const VALUES: usize = 100;

fn a_killed_broker_loses_nothing(board: Board) {
    is_killed("killed broker", board, "");
}

fn a_killed_broker_loses_nothing_in_dtls_1_3(board: Board) {
    is_killed("killed broker, DTLS 1.3", board, "dtls=1.3");
}

/// Twice, while the device publishes: once another broker is there at once, which knows nothing of the session; and once
/// nobody answers until the device has noticed, and dials. It comes back by itself both times, and all that it was told is
/// kept is there.
fn is_killed(test: &str, board: Board, setting: &str) {
    let Some(mut site) = Site::new(test, board, |config| config.topics.durable = true) else { return };
    let mortal = site.hand_over();
    // Its messages are given up after some seconds, so that it notices soon.
    let steps = format!("{setting} ack=150 connect 30 keep t/kept {VALUES} close");
    let mut guest = site.guest(&steps);
    guest.expect("keep: the broker has 2");
    drop(mortal);
    let mortal = site.hand_over();
    guest.expect_within("keep: the broker has 6", 2 * SOON);
    drop(mortal);
    hears_a_client_hello(&UdpSocket::bind(site.address()).expect("its port is free"));
    let mortal = site.hand_over();
    guest.expect_within(&format!("keep: the broker has {}", VALUES - 1), 3 * SOON);
    let capture = guest.finish(SOON);
    assert!(capture.handshakes() >= 3, "{} handshakes", capture.handshakes());
    drop(mortal);
    site.start_broker();
    for number in 0..VALUES {
        assert_eq!(site.read(&format!("t/kept/{number}")), number.to_string());
    }
}

/// Waits until a device dials whoever sits there.
fn hears_a_client_hello(silent: &UdpSocket) {
    silent.set_read_timeout(Some(2 * SOON)).expect("set");
    let mut datagram = [0; 2_048];
    loop {
        let len = silent.recv(&mut datagram).expect("the device dials");
        // A handshake record, and its message.
        if let (Some(22), Some(1)) = (datagram[..len].first(), datagram[..len].get(13)) {
            return;
        }
    }
}
