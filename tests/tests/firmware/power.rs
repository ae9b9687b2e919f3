//! Power that fails whenever it hurts.

use std::collections::HashSet;

use sedge_client::ContentFormat;
use sedge_client::protected::{Forgetful, Group, Received};
use sedge_cose::Encrypt0;

use crate::board::Board;
use crate::site::Site;
use crate::{SOON, on_each_board};

on_each_board!(no_nonce_is_used_twice_wherever_the_power_fails);

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

/// That of the message at the beginning of the memory. No shorter and no longer part of it is a message.
fn partial_iv(memory: &mut [u8]) -> Option<Vec<u8>> {
    (1..=memory.len()).find_map(|len| {
        let message = Encrypt0::parse(&mut memory[..len]).ok()?;
        message.headers().partial_iv().map(<[u8]>::to_vec)
    })
}
