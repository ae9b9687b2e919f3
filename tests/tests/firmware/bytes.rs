//! A device's handshake on the wire, byte by byte.

use std::path::Path;

use crate::board::Board;
use crate::site::Site;
use crate::{SOON, on_each_board};

on_each_board!(
    a_handshake_has_the_bytes_that_it_should,
    a_handshake_of_dtls_1_3_has_the_bytes_that_it_should
);

/// The headers of a record and of a handshake message.
const RECORD: usize = 13;
const HEADERS: usize = RECORD + 12;
/// Version and random; an extension's type and length.
const VERSION_RANDOM: usize = 2 + 32;
const EXTENSION: usize = 4;
/// The broker's cookies, and the Connection IDs that it gives to whom it serves with one shard.
const COOKIE: usize = 8;
const COOKIE_1_3: usize = 44;
const CID: usize = 3;
/// Epoch and sequence number once more, and the tag of CCM_8.
const SEALED: usize = 8 + 8;
const CHANGE_CIPHER_SPEC: usize = RECORD + 1;
const FINISHED: usize = 12 + 12;

/// The flights of a handshake of DTLS 1.2 with a pre-shared key (RFC 4279), Connection IDs (RFC 9146), extended master
/// secret (RFC 7627) and return routability (RFC 9853), the device's own Connection ID being empty.
fn flights(identity: usize) -> [usize; 6] {
    let (session_id, compression) = (1, 2);
    // Two suites, and the one that says that renegotiation would be secure.
    let suites = 2 + 3 * 2;
    let (extended_master_secret, return_routability, own_cid) = (EXTENSION, EXTENSION, EXTENSION + 1);
    let hello = VERSION_RANDOM
        + (session_id + 1 + suites + compression)
        + (2 + extended_master_secret + own_cid + return_routability);
    let renegotiation_info = EXTENSION + 1;
    let server_hello = VERSION_RANDOM
        + (session_id + 2 + 1)
        + (2 + extended_master_secret + renegotiation_info + (EXTENSION + 1 + CID) + return_routability);
    let inner_type = 1;
    [
        HEADERS + hello,
        HEADERS + 2 + 1 + COOKIE,
        HEADERS + hello + COOKIE,
        (HEADERS + server_hello) + HEADERS,
        (HEADERS + 2 + identity) + CHANGE_CIPHER_SPEC + (RECORD + CID + SEALED + FINISHED + inner_type),
        CHANGE_CIPHER_SPEC + (RECORD + SEALED + FINISHED),
    ]
}

fn a_handshake_has_the_bytes_that_it_should(board: Board) {
    let Some(site) = Site::new("bytes", board, |_| {}) else { return };
    let capture = site.guest("connect 30 publish t/temp 21.5 close").finish(SOON);
    let flights = flights(site.device.name.len());
    let lengths: Vec<usize> = capture.packets.iter().map(|packet| packet.len).collect();
    assert_eq!(lengths[..flights.len()], flights, "{:?}", capture.packets);

    // docs/FOOTPRINT.md counts a device of the same name, with one suite instead of two in both hellos, a Connection ID of
    // one byte instead of three in the ServerHello and in the record of Finished, and no return routability in any hello.
    let more = 2 * 2 + 2 * (CID - 1) + 3 * EXTENSION;
    assert_eq!(flights.iter().sum::<usize>(), published() + more);
}

fn a_handshake_of_dtls_1_3_has_the_bytes_that_it_should(board: Board) {
    let Some(site) = Site::new("bytes of DTLS 1.3", board, |_| {}) else { return };
    let capture = site.guest("dtls=1.3 connect 30 publish t/temp 21.5 close").finish(SOON);
    // docs/HANDSHAKES.md has one suite instead of three, an identity of one byte, a Connection ID of one byte on each side,
    // no return routability, and no cookie.
    let [client_hello, server_flight, finished] = published_flights();
    let first = client_hello + 2 * 2 + (site.device.name.len() - 1) + EXTENSION - 1;
    let cookie = EXTENSION + 2 + COOKIE_1_3;
    let retry = HEADERS + VERSION_RANDOM + (1 + 2 + 1) + 2 + (EXTENSION + 2) + cookie;
    let flights =
        [first, retry, first + cookie, server_flight + (CID - 1) + EXTENSION - 1, finished + (CID - 1)];
    let lengths: Vec<usize> = capture.packets.iter().map(|packet| packet.len).collect();
    assert_eq!(lengths[..flights.len()], flights, "{:?}", capture.packets);
}

/// What docs/HANDSHAKES.md says of the three flights with a pre-shared key.
fn published_flights() -> [usize; 3] {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/HANDSHAKES.md");
    let page = std::fs::read_to_string(file).expect("docs/HANDSHAKES.md");
    let (_, section) = page.split_once("## PSK\n").expect("it has the section");
    let (flights, _) = section.split_once('=').expect("a sum");
    let flights: Vec<usize> = flights.split('+').filter_map(|flight| flight.trim().parse().ok()).collect();
    flights.try_into().expect("three flights")
}

/// What docs/FOOTPRINT.md says of a handshake with a pre-shared key.
fn published() -> usize {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FOOTPRINT.md");
    let page = std::fs::read_to_string(file).expect("docs/FOOTPRINT.md");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = page.lines().map(cells);
    let column = rows.find_map(|row| row.iter().position(|cell| cell == "handshake on the wire, B"));
    let row = rows.find(|row| row.get(1).is_some_and(|what| what == "PSK, DTLS 1.2"));
    let cell = row.and_then(|row| row.get(column?).cloned());
    cell.and_then(|cell| cell.parse().ok()).expect("the table has it")
}
