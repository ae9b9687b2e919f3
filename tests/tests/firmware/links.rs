//! Links that lose, reorder and repeat, and a NAT that forgets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use sedge_sim::relay::{Options, Relay};

use crate::board::Board;
use crate::site::{Site, large_value, pause};
use crate::{SOON, on_each_board};

on_each_board!(
    a_fifth_of_all_datagrams_is_lost,
    a_fifth_is_lost_of_dtls_1_3,
    a_nat_forgets_its_binding,
    a_nat_forgets_its_binding_of_dtls_1_3,
    fetches_64_kb_of_which_a_fifth_is_lost,
    fetches_64_kb_of_which_a_fifth_is_lost_of_dtls_1_3,
);

/// A relay in front of the broker.
pub(crate) fn relay(site: &Site, impairments: &str) -> Relay {
    let bad = impairments.parse::<sedge_sim::link::Impairments>().unwrap_or_else(|error| panic!("{error}"));
    let options = Options { up: bad.clone(), down: bad, seed: 1 };
    Relay::start(SocketAddr::from(([127, 0, 0, 1], 0)), site.address(), options).expect("a relay")
}

fn a_fifth_of_all_datagrams_is_lost(board: Board) {
    a_fifth_is_lost("loss", board, "");
}

fn a_fifth_is_lost_of_dtls_1_3(board: Board) {
    a_fifth_is_lost("loss, DTLS 1.3", board, "dtls=1.3");
}

fn a_fifth_is_lost(test: &str, board: Board, setting: &str) {
    const VALUES: u32 = 10;
    let Some(mut site) = Site::new(test, board, |_| {}) else { return };
    site.publish("t/temp", b"start");
    let (mut watcher, runtime) = site.watcher();
    // Delays that differ by more than what lies between two datagrams put them out of order.
    let relay = relay(&site, "loss=20%, duplicate=10%, delay=1ms..40ms");
    let guest =
        site.guest_at(relay.address().port(), &format!("{setting} connect 60 burst t/temp {VALUES} close"));
    let seen = runtime.block_on(async {
        let _subscription = watcher.subscribe("t/temp").await.expect("subscribed");
        let (mut seen, mut buffer) = (Vec::new(), [0; 64]);
        let last = (VALUES - 1).to_string();
        while seen.last() != Some(&last) {
            let next = tokio::time::timeout(Duration::from_secs(100), watcher.next(&mut buffer)).await;
            let value = next.expect("in time").unwrap_or_else(|error| panic!("{error}"));
            seen.push(String::from_utf8_lossy(value.payload).into_owned());
        }
        seen.retain(|value| value != "start");
        seen
    });
    let capture = guest.finish(SOON + SOON);
    let distinct: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), VALUES as usize, "{seen:?}");
    assert!(seen.len() == distinct.len() || capture.handshakes() > 1, "some came twice: {seen:?}");
    let report = relay.report().expect("it runs");
    assert!(report.up.lost + report.down.lost > 0, "{report:?}");
    assert!(report.up.duplicated + report.down.duplicated > 0, "{report:?}");
}

fn a_nat_forgets_its_binding(board: Board) {
    a_binding_is_forgotten("rebinding", board, "");
}

fn a_nat_forgets_its_binding_of_dtls_1_3(board: Board) {
    a_binding_is_forgotten("rebinding, DTLS 1.3", board, "dtls=1.3");
}

/// The device is silent while its translation goes. Its Connection ID takes it on from another port.
fn a_binding_is_forgotten(test: &str, board: Board, setting: &str) {
    let Some(mut site) = Site::new(test, board, |_| {}) else { return };
    site.publish("t/order", b"wait");
    let relay = relay(&site, "");
    let steps =
        format!("{setting} connect 30 await t/order go sleep 3 burst t/temp 3 await t/order on close");
    let mut guest = site.guest_at(relay.address().port(), &steps);
    guest.expect("await: subscribed");
    site.publish("t/order", b"go");
    guest.expect("await: done");
    // What is still on its way is to arrive first.
    pause(300);
    assert_eq!(relay.rebind().expect("it runs"), 1);
    guest.expect("burst: done");
    site.publish("t/order", b"on");
    guest.expect("value: on");
    let capture = guest.finish(SOON);
    assert_eq!(capture.handshakes(), 1);
    assert_eq!(site.read("t/temp"), "2");
    assert_eq!(site.counter("endpoint.sessions_moved"), 1);
}

fn fetches_64_kb_of_which_a_fifth_is_lost(board: Board) {
    fetches_64_kb("lossy download", board, "");
}

fn fetches_64_kb_of_which_a_fifth_is_lost_of_dtls_1_3(board: Board) {
    fetches_64_kb("lossy download, DTLS 1.3", board, "dtls=1.3");
}

/// Block by block; what is lost is asked for again, and what comes twice or out of order does no harm.
fn fetches_64_kb(test: &str, board: Board, setting: &str) {
    let Some(mut site) = Site::new(test, board, |_| {}) else { return };
    let (large, told) = large_value();
    site.publish("t/large", &large);
    let relay = relay(&site, "loss=20%, duplicate=5%, delay=1ms..10ms");
    // Of more than a hundred blocks every third has to be asked for again, and one or two seven times.
    let steps = format!("{setting} ack=200 repeat=12 connect 60 fetch t/large close");
    let mut guest = site.guest_at(relay.address().port(), &steps);
    guest.expect("connect: done");
    assert_eq!(guest.expect_within("fetch: ", 5 * SOON), told);
    let _capture = guest.finish(SOON);
    let report = relay.report().expect("it runs");
    assert!(report.up.lost > 10 && report.down.lost > 10, "{report:?}");
}
