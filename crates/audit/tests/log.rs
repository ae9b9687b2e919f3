//! A log over its life: written, rotated, cut by crashes, changed by somebody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should stop there")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sedge_audit::{Event, Kind, Log, Reader, Record, Recorder, Settings, VerifyError, verify, verify_with};
use tempfile::TempDir;

const SMALL: Settings = Settings { file_bytes: 250, file_age: Duration::from_secs(3600), files: 64 };

fn event(number: u64) -> Event {
    Event::new(Kind::Refusal).about("boiler-7").with("topic", format_args!("site/{number}"))
}

/// A log of so many records.
fn written(settings: Settings, records: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), settings, 0).unwrap();
    (0..records).for_each(|number| log.append(number, &event(number)).unwrap());
    log.sync().unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn records(folder: &Path) -> Vec<Record> {
    let mut reader = Reader::new(folder);
    let mut all = Vec::new();
    loop {
        match reader.next_batch().unwrap() {
            batch if batch.is_empty() => return all,
            batch => all.extend(batch),
        }
    }
}

fn topic(record: &Record) -> Option<&str> {
    record.details.get("topic").map(String::as_str)
}

#[test]
fn what_is_written_is_read_and_fits_across_files() {
    let folder = written(SMALL, 20);
    assert!(files(folder.path()).len() > 3);
    let verified = verify(folder.path()).unwrap();
    assert_eq!(
        (verified.records, verified.first, verified.files as usize),
        (20, 1, files(folder.path()).len())
    );
    let all = records(folder.path());
    assert_eq!(all.len(), 20);
    for (at, record) in (0..).zip(&all) {
        assert_eq!((record.number, record.time, topic(record)), (at + 1, at, Some(&*format!("site/{at}"))));
        assert_eq!((record.kind.as_str(), record.subject.as_deref()), ("refusal", Some("boiler-7")));
    }
    // Another day's writer goes on, and the head of before is still there.
    let mut log = Log::open(folder.path(), SMALL, 0).unwrap();
    assert_eq!(log.head(), &verified.head);
    log.append(20, &event(20)).unwrap();
    let mut found = false;
    let later = verify_with(folder.path(), |_, hash| found |= *hash == verified.head).unwrap();
    assert!(found && later.records == 21);
}

/// Whatever byte of whatever file is changed, in whatever bit: it does not fit any more.
#[test]
fn any_byte_that_is_changed_is_noticed() {
    let folder = written(SMALL, 6);
    let files = files(folder.path());
    assert!(files.len() > 1);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&file, &changed).unwrap();
            match verify(folder.path()) {
                Err(VerifyError::Broken(broken)) => assert!((1..=7).contains(&broken.record), "{broken}"),
                other => panic!("byte {at} of {}: {other:?}", file.display()),
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    verify(folder.path()).unwrap();
}

/// Nor can a record, or a file, be taken out, put in again, or be put in another's place.
#[test]
fn what_is_taken_out_or_repeated_is_noticed() {
    let folder = written(Settings::default(), 4);
    let file = files(folder.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    let mut ends = vec![80];
    while let Some(&at) = ends.last().filter(|at| **at < bytes.len()) {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        ends.push(at + 4 + length + 32);
    }
    let record = |number: usize| &bytes[ends[number]..ends[number + 1]];
    let orders: [&[usize]; 5] = [&[0, 2, 3], &[1, 2, 3], &[0, 1, 1, 2, 3], &[1, 0, 2, 3], &[0, 1, 2, 3, 3]];
    for order in orders {
        let mut changed = bytes[..80].to_vec();
        order.iter().for_each(|number| changed.extend(record(*number)));
        fs::write(&file, changed).unwrap();
        assert!(matches!(verify(folder.path()), Err(VerifyError::Broken(_))), "{order:?}");
    }

    let folder = written(SMALL, 20);
    let files = files(folder.path());
    fs::remove_file(&files[1]).unwrap();
    let Err(VerifyError::Broken(broken)) = verify(folder.path()) else { panic!() };
    assert_eq!(broken.file, files[2]);
}

/// A crash can leave any part of the last record, of its bytes or of zeros in their place: all before it stays, and the
/// cut is recorded.
#[test]
fn a_crash_within_a_record_costs_that_record_alone() {
    let folder = written(Settings::default(), 3);
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let before = {
        let folder = written(Settings::default(), 2);
        fs::read(&files(folder.path())[0]).unwrap().len()
    };
    for cut in before + 1..whole.len() {
        for zeros in [0, whole.len() - cut] {
            let mut torn = whole[..cut].to_vec();
            torn.extend(vec![0; zeros]);
            fs::write(&file, &torn).unwrap();
            assert!(matches!(verify(folder.path()), Err(VerifyError::Broken(broken)) if broken.record == 3));
            let mut log = Log::open(folder.path(), Settings::default(), 9).unwrap();
            log.append(10, &event(10)).unwrap();
            let verified = verify(folder.path()).unwrap();
            let all = records(folder.path());
            assert_eq!((verified.records, all.len()), (4, 4), "{cut} of {}", whole.len());
            assert_eq!((topic(&all[1]), topic(&all[3])), (Some("site/1"), Some("site/10")));
            assert_eq!(
                (all[2].kind.as_str(), all[2].details["bytes"].as_str()),
                ("log", &*(torn.len() - before).to_string())
            );
        }
    }
}

/// A crash while a file is begun leaves nothing to repair.
#[test]
fn a_crash_between_two_files_costs_nothing() {
    let folder = written(SMALL, 20);
    let last = files(folder.path()).pop().unwrap();
    let next = folder.path().join(format!("{:020}.audit", 21));
    for length in [0, 1, 79] {
        fs::write(&next, &fs::read(&last).unwrap()[..length]).unwrap();
        let _log = Log::open(folder.path(), SMALL, 0).unwrap();
        assert!(!next.exists());
        assert_eq!(verify(folder.path()).unwrap().records, 20);
    }
}

/// What somebody has changed is left as it is, the broker goes on, and the log says so for ever.
#[test]
fn a_change_before_the_end_is_kept_and_told() {
    let folder = written(Settings::default(), 5);
    let file = files(folder.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|window| window == b"site/1").unwrap();
    bytes[at] = b'S';
    fs::write(&file, &bytes).unwrap();
    let mut log = Log::open(folder.path(), Settings::default(), 9).unwrap();
    log.append(10, &event(10)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let Err(VerifyError::Broken(broken)) = verify(folder.path()) else { panic!() };
    assert_eq!((broken.record, &broken.file), (2, &file));
    assert!(broken.to_string().contains("does not fit what stands before it"), "{broken}");
    assert!(
        records(folder.path())
            .iter()
            .any(|record| record.details.get("what").is_some_and(|what| what.contains("changed")))
    );
}

#[test]
fn files_follow_each_other_by_size_and_age_and_old_ones_go() {
    let keep = Settings { files: 2, ..SMALL };
    let folder = written(keep, 50);
    assert_eq!(files(folder.path()).len(), 3);
    let verified = verify(folder.path()).unwrap();
    assert!(verified.first > 1);
    let all = records(folder.path());
    assert_eq!(all[0].number, verified.first);
    assert!(all.iter().any(|record| record.details.get("what").is_some_and(|what| what.contains("removed"))));

    let folder = written(Settings { file_age: Duration::from_millis(10), ..Settings::default() }, 25);
    assert_eq!(files(folder.path()).len(), 3);
    assert_eq!(verify(folder.path()).unwrap().records, 25);
}

/// A queue that is full makes nobody wait; what was lost is counted and recorded.
#[test]
fn what_a_full_queue_loses_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(Log::open(folder.path(), Settings::default(), 0).unwrap(), 4, |error| {
        panic!("{error}")
    })
    .unwrap();
    for number in 0..20_000 {
        recorder.record(event(number));
    }
    recorder.flush();
    recorder.record(event(0));
    recorder.flush();
    let [recorded, lost, failed] = recorder.counters();
    assert!(lost > 0 && failed == 0);
    drop(recorder);
    let all = records(folder.path());
    assert_eq!(all.len() as u64, recorded);
    let told: u64 = all.iter().filter_map(|record| record.details.get("lost")?.parse::<u64>().ok()).sum();
    assert_eq!(told, lost);
    let refusals = all.iter().filter(|record| record.kind == "refusal").count() as u64;
    assert_eq!(refusals + lost, 20_001);
    verify(folder.path()).unwrap();
}

#[test]
fn a_reader_follows_the_writer_into_the_next_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), SMALL, 0).unwrap();
    let mut reader = Reader::new(folder.path());
    for number in 0..20 {
        assert!(reader.next_batch().unwrap().is_empty());
        log.append(number, &event(number)).unwrap();
        let batch = reader.next_batch().unwrap();
        assert_eq!(batch.iter().map(|record| record.number).collect::<Vec<_>>(), [number + 1]);
    }
}

/// Texts that strangers choose cannot make a record as long as they like.
#[test]
fn texts_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), Settings::default(), 0).unwrap();
    let long = "ü".repeat(100_000);
    log.append(0, &Event::new(Kind::SignInFailure).about(&long).with("identity", &long)).unwrap();
    verify(folder.path()).unwrap();
    assert!(records(folder.path())[0].subject.as_ref().unwrap().len() < 1100);
}
