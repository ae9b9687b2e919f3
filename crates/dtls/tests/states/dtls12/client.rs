//! A client of DTLS 1.2.

use crate::language::{learn, prefixes};
use crate::scripts::dtls12::client::{ALPHABET, Letter, Letter::*, Server};
use crate::scripts::party::{CLIENT_KEY, Party, SERVER_KEY};

/// A client with these credentials takes these words, with and without a cookie in front, and no other.
fn accepts_only(party: impl Fn() -> Party, words: &[&[Letter]]) {
    let mut expected: Vec<Vec<Letter>> = words.iter().map(|word| word.to_vec()).collect();
    expected.extend(words.iter().map(|word| [&[HelloVerifyRequest], *word].concat()));
    let longest = expected.iter().map(Vec::len).max().unwrap() + 1;
    let is_hello = |letter: &&Letter| matches!(letter, HelloPsk | HelloEcdhePsk | HelloEcdsa);
    let hellos = |word: &[Letter]| word.iter().filter(is_hello).count();
    let worth = |word: &[Letter]| word.len() < if hellos(word) > 1 { 3 } else { longest };
    let mut language = learn(|| Server::new(party()), ALPHABET, worth);
    // A network may double any datagram, and ChangeCipherSpec has no number that would tell: twice is once. And
    // until the server has proved who it is, another ServerHello may be the genuine one: it is believed instead of
    // the first, whose server then cannot finish.
    assert!(language.words.iter().all(|word| hellos(word) == 1));
    let plain =
        |word: &Vec<Letter>| hellos(word) <= 1 && !word.windows(2).any(|pair| pair == [ChangeCipherSpec; 2]);
    language.prefixes.retain(plain);
    language.words.retain(plain);
    assert_eq!(language.words, expected.iter().cloned().collect());
    assert_eq!(language.prefixes, prefixes(&expected));
}

const WITH_PSK: &[&[Letter]] = &[
    &[HelloPsk, HelloDone, ChangeCipherSpec, Finished],
    &[HelloPsk, Hint, HelloDone, ChangeCipherSpec, Finished],
    &[HelloEcdhePsk, Share, HelloDone, ChangeCipherSpec, Finished],
];

const WITH_CERTIFICATE: &[&[Letter]] = &[
    &[HelloEcdsa, Certificate, SignedShare, HelloDone, ChangeCipherSpec, Finished],
    &[HelloEcdsa, Certificate, SignedShare, CertificateRequest, HelloDone, ChangeCipherSpec, Finished],
];

#[test]
fn a_client_with_a_pre_shared_key() {
    accepts_only(|| Party::new(true, None, None), WITH_PSK);
}

#[test]
fn a_client_that_pins_the_servers_key() {
    accepts_only(|| Party::new(false, Some(CLIENT_KEY), Some(SERVER_KEY)), WITH_CERTIFICATE);
}

#[test]
fn a_client_that_pins_the_servers_key_and_stays_anonymous() {
    accepts_only(|| Party::new(false, None, Some(SERVER_KEY)), WITH_CERTIFICATE);
}

#[test]
fn a_client_with_both() {
    let both = [WITH_PSK, WITH_CERTIFICATE].concat();
    accepts_only(|| Party::new(true, Some(CLIENT_KEY), Some(SERVER_KEY)), &both);
}
