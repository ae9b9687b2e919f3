//! A client of DTLS 1.3.

use sedge_crypto::NamedGroup;

use crate::language::{learn, prefixes};
use crate::scripts::dtls13::client::{ALPHABET, Letter, Letter::*, Server};
use crate::scripts::party::{CLIENT_KEY, Party, SERVER_KEY};

/// A client with these credentials takes these words, with and without a retry in front, and no other.
fn accepts_only(party: impl Fn() -> Party, groups: &[NamedGroup], words: &[&[Letter]]) {
    let mut expected: Vec<Vec<Letter>> = words.iter().map(|word| word.to_vec()).collect();
    expected.extend(words.iter().map(|word| [&[Retry], *word].concat()));
    let longest = expected.iter().map(Vec::len).max().unwrap() + 1;
    let is_hello = |letter: &&Letter| matches!(letter, HelloPsk | HelloPskShare | HelloShare);
    let hellos = |word: &[Letter]| word.iter().filter(is_hello).count();
    let worth = |word: &[Letter]| word.len() < if hellos(word) > 1 { 3 } else { longest };
    let mut language = learn(|| Server::new(party(), groups), ALPHABET, worth);
    // Until the server has proved who it is, another ServerHello may be the genuine one: it may be believed instead of
    // the first, whose server then cannot finish.
    assert!(language.words.iter().all(|word| hellos(word) == 1));
    language.prefixes.retain(|word| hellos(word) <= 1);
    assert_eq!(language.words, expected.iter().cloned().collect());
    // A message out of turn under the handshake's keys is a refusal, to be confirmed by time: nothing follows it.
    let expected = prefixes(&expected);
    for prefix in &language.prefixes {
        let parent = &prefix[..prefix.len() - 1];
        assert!(
            parent.is_empty() || expected.contains(parent),
            "{prefix:?} is a step on a way that leads nowhere"
        );
    }
    assert!(language.prefixes.is_superset(&expected));
}

const GROUPS: &[NamedGroup] = &[NamedGroup::Secp256r1];
const WITH_PSK: &[&[Letter]] = &[&[HelloPskShare, EncryptedExtensions, Finished, Ack]];

const WITH_CERTIFICATE: &[&[Letter]] = &[
    &[HelloShare, EncryptedExtensions, Certificate, CertificateVerify, Finished, Ack],
    &[HelloShare, EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished, Ack],
];

#[test]
fn a_client_with_a_pre_shared_key_and_no_groups() {
    let word: &[Letter] = &[HelloPsk, EncryptedExtensions, Finished, Ack];
    accepts_only(|| Party::new(true, None, None), &[], &[word]);
}

#[test]
fn a_client_with_a_pre_shared_key() {
    accepts_only(|| Party::new(true, None, None), GROUPS, WITH_PSK);
}

#[test]
fn a_client_that_pins_the_servers_key() {
    accepts_only(|| Party::new(false, Some(CLIENT_KEY), Some(SERVER_KEY)), GROUPS, WITH_CERTIFICATE);
}

#[test]
fn a_client_that_pins_the_servers_key_and_stays_anonymous() {
    accepts_only(|| Party::new(false, None, Some(SERVER_KEY)), GROUPS, WITH_CERTIFICATE);
}

#[test]
fn a_client_with_both() {
    let both = [WITH_PSK, WITH_CERTIFICATE].concat();
    accepts_only(|| Party::new(true, Some(CLIENT_KEY), Some(SERVER_KEY)), GROUPS, &both);
}
