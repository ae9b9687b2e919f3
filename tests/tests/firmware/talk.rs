//! What a device does on a good day.

use crate::board::Board;
use crate::site::{Site, large_value};
use crate::{SOON, on_each_board};

on_each_board!(
    publishes_subscribes_and_fetches_64_kb,
    sleeps_and_goes_on,
    finds_a_broker_that_comes_back,
    finds_a_broker_that_comes_back_in_dtls_1_3,
);

fn publishes_subscribes_and_fetches_64_kb(board: Board) {
    let Some(mut site) = Site::new("talk", board, |_| {}) else { return };
    let (large, told) = large_value();
    site.publish("t/large", &large);
    site.publish("t/order", b"wait");
    let mut guest = site.guest("connect 30 publish t/temp 21.5 await t/order go fetch t/large count close");
    guest.expect("connect: done");
    guest.expect("publish: done");
    guest.expect("await: subscribed");
    assert_eq!(site.read("t/temp"), "21.5");
    site.publish("t/order", b"go");
    guest.expect("value: go");
    assert_eq!(guest.expect("fetch: "), told);
    guest.expect("count: 0 at the gate, 0 by the client");
    let capture = guest.finish(SOON);
    // tshark, which has the key, sees what was said: the device's PUT (3), GETs (1) and the broker's answers (2.04 or 2.01,
    // 2.05).
    let codes =
        |sent| capture.packets.iter().filter(move |packet| packet.sent == sent).map(|packet| &packet.code);
    assert_eq!(codes(true).filter(|code| *code == "3").count(), 1);
    assert!(
        codes(true).filter(|code| *code == "1").count() > 65_536 / 512,
        "{:?}",
        codes(true).collect::<Vec<_>>()
    );
    assert!(codes(false).filter(|code| *code == "69").count() > 65_536 / 512);
    assert_eq!(capture.handshakes(), 1);
}

/// The session outlives the silence: nothing is sent meanwhile, and no handshake after it.
fn sleeps_and_goes_on(board: Board) {
    let Some(mut site) = Site::new("sleep", board, |_| {}) else { return };
    let guest = site.guest("connect 30 publish t/temp 1 sleep 5 publish t/temp 2 close");
    let capture = guest.finish(SOON);
    assert_eq!(site.read("t/temp"), "2");
    assert_eq!(capture.handshakes(), 1);
    let times: Vec<f64> = capture.packets.iter().map(|packet| packet.time).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(longest > 4.5, "the longest silence took {longest} s: {times:?}");
}

fn finds_a_broker_that_comes_back(board: Board) {
    comes_back("restart", board, "");
}

fn finds_a_broker_that_comes_back_in_dtls_1_3(board: Board) {
    comes_back("restart, DTLS 1.3", board, "dtls=1.3");
}

/// It is told goodbye, comes back after a while, and its subscription with it.
fn comes_back(test: &str, board: Board, setting: &str) {
    let Some(mut site) = Site::new(test, board, |_| {}) else { return };
    site.publish("t/order", b"wait");
    let steps = format!("{setting} connect 30 publish t/temp 1 await t/order go publish t/temp 2 close");
    let mut guest = site.guest(&steps);
    guest.expect("await: subscribed");
    site.stop_broker();
    guest.expect("await: no connection: ");
    site.start_broker();
    site.publish("t/order", b"go");
    guest.expect("value: go");
    let capture = guest.finish(SOON);
    assert_eq!(site.read("t/temp"), "2");
    assert_eq!(capture.handshakes(), 2);
}
