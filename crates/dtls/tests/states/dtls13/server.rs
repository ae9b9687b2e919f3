//! A server of DTLS 1.3.

use sedge_dtls::ClientCertificate;

use crate::language::{learn, prefixes};
use crate::scripts::dtls13::server::{ALPHABET, Client, Exchange, Letter, Letter::*};

/// A server that is asked for keys in this way takes these words and no other.
fn accepts_only(exchange: Exchange, certificate: ClientCertificate, words: &[&[Letter]]) {
    let words: Vec<Vec<Letter>> = words.iter().map(|word| word.to_vec()).collect();
    let longest = words.iter().map(Vec::len).max().unwrap() + 2;
    let language = learn(|| Client::new(exchange, certificate), ALPHABET, |word| word.len() < longest);
    assert_eq!(language.words, words.iter().cloned().collect());
    assert_eq!(language.prefixes, prefixes(&words));
}

#[test]
fn a_server_with_pre_shared_keys_takes_finished_and_nothing_else() {
    accepts_only(Exchange::Psk, ClientCertificate::Required, &[&[Finished]]);
    accepts_only(Exchange::PskShare, ClientCertificate::Required, &[&[Finished]]);
}

#[test]
fn a_server_that_asks_for_no_certificate_takes_none() {
    accepts_only(Exchange::Share, ClientCertificate::NotAsked, &[&[Finished]]);
}

#[test]
fn a_server_that_requires_a_certificate_takes_no_shortcut() {
    accepts_only(
        Exchange::Share,
        ClientCertificate::Required,
        &[&[Certificate, CertificateVerify, Finished]],
    );
}

#[test]
fn a_server_to_which_a_certificate_is_optional_takes_all_of_it_or_nothing() {
    let with: &[Letter] = &[Certificate, CertificateVerify, Finished];
    accepts_only(Exchange::Share, ClientCertificate::Optional, &[with, &[EmptyCertificate, Finished]]);
}
