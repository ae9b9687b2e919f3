//! New keys.

use sedge_group::{Cipher, Gid, Installed, OpenError};

use crate::{CRYPTO, key, listener, open, publisher, seal};

fn generation(number: u64) -> sedge_group::GroupKey {
    key(Cipher::default(), number)
}

#[test]
fn a_new_key_begins_at_zero_and_the_old_one_still_opens() {
    let (mut one, mut other) = (publisher(generation(0), 0), listener(generation(0)));
    let retained = seal(&mut one, b"retained");
    assert_eq!(one.rekey(&CRYPTO, &generation(1)), Ok(true));
    assert_eq!(one.rekey(&CRYPTO, &generation(1)), Ok(false));
    assert_eq!(one.rekey(&CRYPTO, &generation(0)), Ok(false), "never back");
    let new = seal(&mut one, b"new");
    assert_eq!(open(&mut other, &new), Err(OpenError::UnknownKey(Gid::from_number(0x1201))));
    assert_eq!(other.install(generation(1)), Installed::New);
    assert_eq!(open(&mut other, &retained).unwrap().generation, 0);
    let seen = open(&mut other, &new).unwrap();
    assert_eq!((seen.generation, &seen.payload[..]), (1, &b"new"[..]));
    assert_eq!(other.install(generation(1)), Installed::Known);
    assert_eq!(open(&mut other, &retained), Err(OpenError::Replayed));
}

/// Somebody who woke up may take in the key of the retained value; somebody who is being fed old values may not.
#[test]
fn old_keys_come_back_only_before_newer_values() {
    let mut publishers: Vec<_> = (0..5).map(|number| publisher(generation(number), 0)).collect();
    let messages: Vec<_> = publishers.iter_mut().map(|one| seal(one, b"x")).collect();
    let mut awake = listener(generation(4));
    assert_eq!(awake.install(generation(2)), Installed::New);
    assert!(open(&mut awake, &messages[2]).is_ok());
    assert!(open(&mut awake, &messages[4]).is_ok());
    for number in [0, 1, 3] {
        assert_eq!(awake.install(generation(number)), Installed::Superseded);
    }
    assert!(awake.holds(&Gid::from_number(0x1204)));
}

/// Somebody who is no member any more still has the old key.
#[test]
fn old_keys_go_when_they_are_retired_but_not_before_newer_values() {
    let mut old = publisher(generation(0), 0);
    let (first, second, third) = (seal(&mut old, b"1"), seal(&mut old, b"2"), seal(&mut old, b"3"));
    let mut other = listener(generation(0));
    assert!(open(&mut other, &first).is_ok());
    assert_eq!(other.install(generation(1)), Installed::New);
    other.retire();
    assert!(open(&mut other, &second).is_ok(), "nothing newer has come");
    let mut new = publisher(generation(1), 0);
    assert!(open(&mut other, &seal(&mut new, b"new")).is_ok());
    other.retire();
    assert_eq!(open(&mut other, &third), Err(OpenError::UnknownKey(Gid::from_number(0x1200))));
    assert_eq!(other.install(generation(0)), Installed::Superseded);
    assert!(open(&mut other, &seal(&mut new, b"newer")).is_ok());
}

/// A key that makes room takes nothing along of what is known about repetitions.
#[test]
fn a_key_that_comes_back_does_not_bring_back_its_values() {
    let mut old = publisher(generation(1), 0);
    let (first, second) = (seal(&mut old, b"1"), seal(&mut old, b"2"));
    let mut other = listener(generation(1));
    assert!(open(&mut other, &first).is_ok() && open(&mut other, &second).is_ok());
    for number in [2, 3, 4] {
        assert_eq!(other.install(generation(number)), Installed::New);
    }
    assert_eq!(open(&mut other, &second), Err(OpenError::UnknownKey(Gid::from_number(0x1201))));
    assert_eq!(other.install(generation(1)), Installed::New);
    assert!(open(&mut other, &second).unwrap().repeated);
    assert_eq!(open(&mut other, &first), Err(OpenError::Replayed));
}

#[test]
fn a_removed_member_reads_nothing_new_and_a_new_one_nothing_old() {
    let (mut before, mut after) = (publisher(generation(0), 0), publisher(generation(1), 0));
    let (old, new) = (seal(&mut before, b"old"), seal(&mut after, b"new"));
    let (mut removed, mut joined) = (listener(generation(0)), listener(generation(1)));
    assert_eq!(open(&mut removed, &new), Err(OpenError::UnknownKey(Gid::from_number(0x1201))));
    assert_eq!(open(&mut joined, &old), Err(OpenError::UnknownKey(Gid::from_number(0x1200))));
}
