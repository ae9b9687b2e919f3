//! Counters that go round.

use crate::board::Board;
use crate::links::relay;
use crate::site::Site;
use crate::{SOON, on_each_board};

on_each_board!(a_counter_of_32_bits_goes_round, a_counter_of_64_bits_goes_round);

fn a_counter_of_32_bits_goes_round(board: Board) {
    goes_round("32 bits", board, 1 << 32);
}

fn a_counter_of_64_bits_goes_round(board: Board) {
    goes_round("64 bits", board, 0);
}

/// The counter goes round three seconds after the start, amid retransmissions, and nobody notices.
fn goes_round(test: &str, board: Board, end: u64) {
    let Some(mut site) = Site::new(test, board, |_| {}) else { return };
    site.publish("t/order", b"wait");
    let relay = relay(&site, "loss=20%");
    let start = end.wrapping_sub(3_000_000);
    let steps =
        format!("clock={start} connect 60 burst t/temp 4 sleep 2 burst t/temp 2 await t/order go close");
    let mut guest = site.guest_at(relay.address().port(), &steps);
    guest.expect("connect: done");
    guest.expect("burst: done");
    guest.expect("sleep: done");
    guest.expect("burst: done");
    guest.expect("await: subscribed");
    site.publish("t/order", b"go");
    guest.expect("value: go");
    let said = guest.said();
    let capture = guest.finish(SOON);
    assert!(!said.contains("no connection"), "{said}");
    assert_eq!(site.read("t/temp"), "1");
    let last = capture.packets.last().expect("packets").time;
    assert!(last > 3.5, "it was over after {last} s, before the counter went round");
}
