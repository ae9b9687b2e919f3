//! Handshakes of both versions with a peer that knows the keys: its messages come in any order, changed in any way, and
//! yet with a transcript, a Finished and records that fit what it sent. So what is changed gets past the signatures and
//! the tags, to the state machine and the parsers behind them.
//!
//! First byte: who is tested; then a letter and its edits at a time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_crypto::NamedGroup;
use sedge_dtls::ClientCertificate;
use sedge_fuzz::Steps;
use sedge_fuzz::scripts::party::{CLIENT_KEY, Party, SERVER_KEY};
use sedge_fuzz::scripts::{Outcome, Script, dtls12, dtls13};

const GROUPS: &[NamedGroup] = &[NamedGroup::Secp256r1];

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let who = steps.byte();
    let certificate = [ClientCertificate::NotAsked, ClientCertificate::Optional, ClientCertificate::Required]
        [usize::from(who >> 4) % 3];
    let key = Party::new(false, Some(CLIENT_KEY), Some(SERVER_KEY));
    let psk = Party::new(true, None, None);
    match who & 15 {
        0 => server12(dtls12::PSK, certificate, &mut steps),
        1 => server12(dtls12::ECDHE_PSK, certificate, &mut steps),
        2 => server12(dtls12::ECDHE_ECDSA, certificate, &mut steps),
        3 => client12(psk, &mut steps),
        4 => client12(key, &mut steps),
        5 => server13(dtls13::server::Exchange::Psk, certificate, &mut steps),
        6 => server13(dtls13::server::Exchange::PskShare, certificate, &mut steps),
        7 => server13(dtls13::server::Exchange::Share, certificate, &mut steps),
        8 => client13(psk, &mut steps),
        9 => client13(key, &mut steps),
        _ => {}
    }
});

fn server12(suite: u16, certificate: ClientCertificate, steps: &mut Steps<'_>) {
    use dtls12::server::{ALPHABET, Client, Letter};
    let proofs = [Letter::Finished, Letter::CertificateVerify];
    play(Client::new(suite, certificate), ALPHABET, &proofs, steps);
}

fn client12(party: Party, steps: &mut Steps<'_>) {
    use dtls12::client::{ALPHABET, Letter, Server};
    play(Server::new(party), ALPHABET, &[Letter::Finished, Letter::SignedShare], steps);
}

fn server13(exchange: dtls13::server::Exchange, certificate: ClientCertificate, steps: &mut Steps<'_>) {
    use dtls13::server::{ALPHABET, Client, Letter};
    let proofs = [Letter::Finished, Letter::CertificateVerify];
    play(Client::new(exchange, certificate), ALPHABET, &proofs, steps);
}

fn client13(party: Party, steps: &mut Steps<'_>) {
    use dtls13::client::{ALPHABET, Letter, Server};
    let proofs = [Letter::Finished, Letter::CertificateVerify];
    play(Server::new(party, GROUPS), ALPHABET, &proofs, steps);
}

/// Sends letter after letter. A word in which each proof that was sent was changed must not complete the handshake.
fn play<S: Script>(mut script: S, alphabet: &[S::Letter], proofs: &[S::Letter], steps: &mut Steps<'_>) {
    let mut genuine = proofs.iter().map(|_| false).collect::<Vec<_>>();
    let mut spoilt = genuine.clone();
    for _ in 0..16 {
        if !steps.more() {
            return;
        }
        let choice = steps.byte();
        let letter = alphabet[usize::from(choice & 31) % alphabet.len()];
        let edits = choice >> 5;
        let mut changed = false;
        let outcome = script.send_edited(letter, &mut |body| {
            let before = body.clone();
            (0..edits).for_each(|_| edit(body, steps));
            changed = *body != before;
        });
        if let Some(proof) = proofs.iter().position(|proof| *proof == letter) {
            genuine[proof] |= !changed;
            spoilt[proof] |= changed;
        }
        match outcome {
            Outcome::Complete => {
                let without_proof = genuine.iter().zip(&spoilt).any(|(genuine, spoilt)| *spoilt && !genuine);
                assert!(!without_proof, "a changed proof was believed");
                return;
            }
            Outcome::Failed(_) => return,
            Outcome::Continue | Outcome::Dropped(_) => {}
        }
    }
}

/// Changes a byte, cuts the end off, or puts bytes in.
fn edit(body: &mut Vec<u8>, steps: &mut Steps<'_>) {
    let kind = steps.byte();
    let at = usize::from(steps.number()) % (body.len() + 1);
    match kind % 4 {
        0 | 1 => {
            if let Some(byte) = body.get_mut(at) {
                *byte = steps.byte();
            }
        }
        2 => body.truncate(at),
        _ => {
            let length = usize::from(steps.byte()).min(64);
            let bytes: Vec<u8> = (0..length).map(|_| steps.byte()).collect();
            drop(body.splice(at..at, bytes));
        }
    }
}
