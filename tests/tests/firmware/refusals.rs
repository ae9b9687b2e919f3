//! What a device is told when it is not served, and what it makes of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use sedge_tests::need;

use crate::board::Board;
use crate::guest::Orders;
use crate::site::{Key, Site};
use crate::{SOON, on_each_board};

on_each_board!(a_wrong_key_is_named_and_not_tried_all_the_time, a_full_disk_and_a_long_value_are_named);

fn a_wrong_key_is_named_and_not_tried_all_the_time(board: Board) {
    let Some(site) = Site::new("wrong key", board, |_| {}) else { return };
    let key = Key { name: site.device.name.clone(), bytes: vec![0; 16] };
    let port = site.address().port();
    let orders = Orders { port, key: &key, steps: "attempts=1 connect 25", forwarded: &[] };
    let ended = site.guest_with(&orders).end(SOON + SOON);
    let told = "connect: no connection: the server does not accept this identity and key";
    let attempts = ended.said.matches(told).count();
    assert!((2..=4).contains(&attempts), "{attempts} attempts in 25 s: {}", ended.said);
    assert!(ended.said.contains("connect: given up"), "{}", ended.said);
    // Each attempt begins with a ClientHello without a cookie; the waits between them grow.
    let mut first = None;
    let hellos: Vec<f64> = ended
        .capture
        .sent()
        .filter(|packet| packet.has("1") && *first.get_or_insert(packet.len) == packet.len)
        .map(|packet| packet.time)
        .collect();
    let waits: Vec<f64> =
        hellos.windows(2).map(|pair| pair[1] - pair[0]).filter(|wait| *wait > 2.0).collect();
    // Not each longer than the one before: how long an attempt takes varies with the machine.
    assert!(waits.last() > waits.first(), "{hellos:?}");
    assert!(ended.capture.sent().count() <= 8 * (attempts + 1), "a storm: {:?}", ended.capture.packets);
}

fn a_full_disk_and_a_long_value_are_named(board: Board) {
    let Some(mut site) = Site::new("full store", board, |config| {
        config.topics.durable = true;
        config.limits.body_bytes = 1_024;
    }) else {
        return;
    };
    // A disk of the broker's own, small enough to be filled.
    site.stop_broker();
    let Some(disk) = need::or_say_why("firmware::full store", Disk::mount(&site.data())) else { return };
    site.start_broker();
    // Its file has a few free pages when the disk is full, so some values more are kept.
    let steps = "connect 30 publish t/temp 1 large t/large 3000 sleep 4 publish t/temp 2 sleep 1 publish t/temp 2 sleep 1 \
                 publish t/temp 2 sleep 1 publish t/temp 2 sleep 1 publish t/temp 2 sleep 10 publish t/temp 3 close";
    let mut guest = site.guest(steps);
    guest.expect("publish: done");
    guest.expect("large: the server answered 4.13");
    disk.fill();
    guest.expect("publish: the server answered 5.03");
    disk.make_room();
    let _capture = guest.finish(SOON);
    assert_eq!(site.read("t/temp"), "3");
    site.stop_broker();
}

/// A file system in memory over a folder; gone when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// What is in the folder stays in it.
    fn mount(folder: &Path) -> Result<Self, String> {
        need::root()?;
        let (kept, disk) = (folder.with_extension("kept"), Self(folder.to_owned()));
        std::fs::rename(folder, &kept)
            .and_then(|()| std::fs::create_dir(folder))
            .map_err(|error| error.to_string())?;
        call("mount", &["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"], folder)?;
        call("cp", &["-a", "-T", &kept.display().to_string()], folder)?;
        Ok(disk)
    }

    fn fill(&self) {
        // Until nothing more fits.
        let filled = std::fs::File::create(self.0.join("filler")).and_then(|mut file| {
            std::io::copy(&mut std::io::Read::take(std::io::repeat(1), 1 << 30), &mut file)
        });
        assert!(filled.is_err(), "it had room for a gigabyte");
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a broker of a test that has failed may still have files open.
        let _gone = call("umount", &["-l"], &self.0);
    }
}

fn call(program: &str, words: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program).args(words).arg(folder).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
