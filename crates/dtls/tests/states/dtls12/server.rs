//! A server of DTLS 1.2.

use sedge_dtls::ClientCertificate;

use crate::language::{learn, prefixes};
use crate::scripts::dtls12::server::{ALPHABET, Client, Letter, Letter::*};
use crate::scripts::dtls12::{ECDHE_ECDSA, ECDHE_PSK, PSK};

/// A server that is asked for this suite takes these words and no other.
fn accepts_only(suite: u16, certificate: ClientCertificate, words: &[&[Letter]]) {
    accepts_only_and_hears(suite, certificate, words, &[]);
}

/// The same for a server that hears others out before it refuses them.
fn accepts_only_and_hears(
    suite: u16,
    certificate: ClientCertificate,
    words: &[&[Letter]],
    refused: &[&[Letter]],
) {
    let heard: Vec<Vec<Letter>> = words.iter().chain(refused).map(|word| word.to_vec()).collect();
    let words: Vec<Vec<Letter>> = words.iter().map(|word| word.to_vec()).collect();
    let longest = words.iter().map(Vec::len).max().unwrap() + 2;
    let mut language = learn(|| Client::new(suite, certificate), ALPHABET, |word| word.len() < longest);
    // A network may double any datagram, and ChangeCipherSpec has no number that would tell: twice is once.
    let once = |word: &Vec<Letter>| !word.windows(2).any(|pair| pair == [ChangeCipherSpec; 2]);
    language.prefixes.retain(once);
    language.words.retain(once);
    assert_eq!(language.words, words.iter().cloned().collect());
    assert_eq!(language.prefixes, prefixes(&heard));
}

#[test]
fn a_server_with_pre_shared_keys_takes_the_one_word_there_is() {
    accepts_only(PSK, ClientCertificate::Required, &[&[KeyExchange, ChangeCipherSpec, Finished]]);
}

#[test]
fn a_server_that_agrees_on_a_key_under_a_pre_shared_one() {
    accepts_only(ECDHE_PSK, ClientCertificate::Required, &[&[KeyExchange, ChangeCipherSpec, Finished]]);
}

#[test]
fn a_server_that_asks_for_no_certificate_takes_none() {
    let word: &[Letter] = &[KeyExchange, ChangeCipherSpec, Finished];
    accepts_only(ECDHE_ECDSA, ClientCertificate::NotAsked, &[word]);
}

#[test]
fn a_server_that_requires_a_certificate_takes_no_shortcut() {
    let word: &[Letter] = &[Certificate, KeyExchange, CertificateVerify, ChangeCipherSpec, Finished];
    // Who shows none is told so under the new keys, once its Finished has shown that nobody stands between.
    let refused: &[Letter] = &[EmptyCertificate, KeyExchange, ChangeCipherSpec, Finished];
    accepts_only_and_hears(ECDHE_ECDSA, ClientCertificate::Required, &[word], &[refused]);
}

#[test]
fn a_server_to_which_a_certificate_is_optional_takes_all_of_it_or_nothing() {
    let with: &[Letter] = &[Certificate, KeyExchange, CertificateVerify, ChangeCipherSpec, Finished];
    let without: &[Letter] = &[EmptyCertificate, KeyExchange, ChangeCipherSpec, Finished];
    accepts_only(ECDHE_ECDSA, ClientCertificate::Optional, &[with, without]);
}
