//! Power that fails whenever it hurts.

use std::collections::HashSet;

use sedge_client::ContentFormat;
use sedge_client::protected::{Forgetful, Group, Received};
use sedge_cose::Encrypt0;

use crate::board::Board;
use crate::capture::{Nonces, Packet};
use crate::site::Site;
use crate::{SOON, on_each_board};

on_each_board!(no_nonce_is_used_twice_wherever_the_power_fails, a_session_goes_on_wherever_the_power_fails);

const TOPIC: &str = "t/secret";
const PAGES: usize = 4;
const PAGE: usize = 4_096;

/// A device starts again and again on the same flash. In two of three runs the power fails: while a page is erased, and
/// while it is written. Its pages are used in turn, so that each of them is hit both ways. A member of the group opens
/// every value: one whose nonce had been used would be refused as a repetition.
fn no_nonce_is_used_twice_wherever_the_power_fails(board: Board) {
    let keys = tempfile::tempdir().expect("a folder");
    let Some(site) = Site::new("power", board, |config| Site::with_groups(config, keys.path())) else {
        return;
    };
    let flash = keys.path().join("flash");
    std::fs::write(&flash, vec![0xff; PAGES * PAGE]).expect("written");
    let (mut watcher, runtime) = site.watcher();
    let group =
        Group::<Forgetful, 64, 8, 255>::new(TOPIC, Forgetful).and_then(|group| group.named("operator"));
    let (mut groups, mut scratch) = ([group.expect("short names")], vec![0; 1_024]);

    let mut nonces = HashSet::new();
    site.protect(TOPIC);
    runtime.block_on(async {
        let _subscription =
            watcher.protected(&mut groups, &mut scratch).subscribe(TOPIC).await.expect("subscribed");
    });
    for run in 0..3 * PAGES {
        let power = match run % 3 {
            0 => String::new(),
            fails => format!(" power={}", fails - 1),
        };
        let steps = format!("flash={}{power} connect 30 protect {TOPIC} 3 close", flash.display());
        let ended = site.guest(&steps).end(SOON);
        if !power.is_empty() {
            assert!(ended.said.contains("the power has failed"), "{}", ended.said);
            assert!(
                !ended.said.contains("protect: 0"),
                "a value before its number was noted: {}",
                ended.said
            );
            continue;
        }
        assert!(ended.said.contains("protect: 2") && ended.said.contains("all steps done"), "{}", ended.said);
        // Everything that has been published by now.
        runtime.block_on(async {
            let mut buffer = [0; 256];
            let mut last = false;
            while !last {
                let mut protected = watcher.protected(&mut groups, &mut scratch);
                let next = tokio::time::timeout(SOON, protected.next(&mut buffer)).await.expect("in time");
                let (sender, generation) = match next.unwrap_or_else(|error| panic!("{error}")) {
                    Received::Value(value) => {
                        assert_eq!(value.content_format, Some(ContentFormat::TEXT));
                        last = value.payload == b"2";
                        (value.sender, value.generation)
                    }
                    other => panic!("{other:?}"),
                };
                let number = partial_iv(&mut scratch).expect("a message with a Partial IV");
                assert!(nonces.insert((generation, sender, number)), "a nonce was used twice");
            }
        });
    }
    // A member that begins to observe before there is a value may miss all of the first run but its last.
    assert!(nonces.len() > 3 * (PAGES - 1), "only {} values were opened", nonces.len());
}

/// A device saves its session every few records. The power fails in the first, second, third and so on operation of its
/// flash, two of which are a write; the next run notes what the last one may have used, and goes on with what was saved,
/// without a handshake, and with numbers that were never used.
fn a_session_goes_on_wherever_the_power_fails(board: Board) {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut site) = Site::new("saved session", board, |_| {}) else { return };
    let flash = folder.path().join("flash");
    std::fs::write(&flash, vec![0xff; PAGES * PAGE]).expect("written");
    let settings = format!("session={} reserve=1", flash.display());
    let mut nonces = Nonces::default();
    let begun = site.guest(&format!("{settings} connect 30 burst t/temp 60 publish t/temp begun")).end(SOON);
    assert!(begun.said.contains("saved") && begun.said.contains("all steps done"), "{}", begun.said);
    assert_eq!(begun.capture.handshakes(), 1);
    nonces.check(&begun.capture);
    let mut went_on = 0;
    for run in 0..3 * PAGES {
        let steps = format!("{settings} power={} restore connect 30 burst t/temp 60", run % 6);
        let ended = site.guest(&steps).end(SOON);
        assert!(ended.said.contains("the power has failed"), "run {run}: {}", ended.said);
        assert!(!ended.said.contains("restore: there is none"), "run {run}: {}", ended.said);
        went_on += usize::from(ended.said.contains("restore: the session goes on"));
        assert_eq!(ended.capture.handshakes(), 0, "run {run}");
        nonces.check(&ended.capture);
    }
    // In the others it failed before, while what was lost the time before was noted.
    assert!(went_on >= 2 * PAGES, "{went_on}");
    let ended =
        site.guest(&format!("{settings} restore connect 30 burst t/temp 60 publish t/temp done")).end(SOON);
    assert!(ended.said.contains("all steps done"), "{}", ended.said);
    assert_eq!(ended.capture.handshakes(), 0);
    nonces.check(&ended.capture);
    let sealed = |packet: &&Packet| packet.records.iter().any(|(epoch, _)| *epoch == 1);
    assert!(ended.capture.sent().filter(sealed).count() > 60, "the numbers were not seen");
    assert_eq!(site.read("t/temp"), "done");
}

/// That of the message at the beginning of the memory. No shorter and no longer part of it is a message.
fn partial_iv(memory: &mut [u8]) -> Option<Vec<u8>> {
    (1..=memory.len()).find_map(|len| {
        let message = Encrypt0::parse(&mut memory[..len]).ok()?;
        message.headers().partial_iv().map(<[u8]>::to_vec)
    })
}
