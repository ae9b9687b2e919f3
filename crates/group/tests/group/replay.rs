//! What came before.

use sedge_group::{Cipher, OpenError};

use crate::{key, listener, open, publisher, seal, sender};

#[test]
fn the_retained_value_may_be_read_again_and_nothing_else() {
    let (mut one, mut other) = (publisher(key(Cipher::default(), 0), 0), listener(key(Cipher::default(), 0)));
    let messages: Vec<_> = (0..3u8).map(|number| seal(&mut one, &[number])).collect();
    for message in &messages {
        assert!(!open(&mut other, message).unwrap().repeated);
        assert!(open(&mut other, message).unwrap().repeated);
    }
    assert_eq!(open(&mut other, &messages[0]), Err(OpenError::Replayed));
    assert_eq!(open(&mut other, &messages[1]), Err(OpenError::Replayed));
    assert!(open(&mut other, &messages[2]).unwrap().repeated, "a refused one changes nothing");
}

/// What one publisher has sent last is old when another has sent something since.
#[test]
fn the_last_value_is_the_topics_not_the_publishers() {
    let shared = key(Cipher::default(), 0);
    let (mut one, mut two) = (publisher(shared.clone(), 1), publisher(shared.clone(), 2));
    let mut other = listener(shared);
    let (from_one, from_two) = (seal(&mut one, b"1"), seal(&mut two, b"2"));
    assert_eq!(open(&mut other, &from_one).unwrap().sender, sender(1));
    assert_eq!(open(&mut other, &from_two).unwrap().sender, sender(2));
    assert_eq!(open(&mut other, &from_one), Err(OpenError::Replayed));
}

#[test]
fn order_within_the_window_does_not_matter_and_beyond_it_does() {
    let (mut one, mut other) = (publisher(key(Cipher::default(), 0), 0), listener(key(Cipher::default(), 0)));
    let messages: Vec<_> = (0..40u8).map(|number| seal(&mut one, &[number])).collect();
    assert!(open(&mut other, &messages[39]).is_ok());
    assert!(open(&mut other, &messages[8]).is_ok());
    assert_eq!(open(&mut other, &messages[7]), Err(OpenError::Replayed));
    assert_eq!(open(&mut other, &messages[39]), Err(OpenError::Replayed));
}

#[test]
fn a_fifth_publisher_pushes_nobody_out() {
    let shared = key(Cipher::default(), 0);
    let mut other = listener(shared.clone());
    let messages: Vec<_> = (0..5).map(|number| seal(&mut publisher(shared.clone(), number), b"x")).collect();
    for message in &messages[..4] {
        assert!(open(&mut other, message).is_ok());
    }
    assert_eq!(open(&mut other, &messages[4]), Err(OpenError::TooManyPublishers));
    assert_eq!(open(&mut other, &messages[0]), Err(OpenError::Replayed));
}
