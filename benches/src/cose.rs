//! Reading COSE_Encrypt0 and deciding who sent it, beside coset.

use std::hint::black_box;

use coset::{CborSerializable, CoseEncrypt0};
use sedge_bench_allocations::count;
use sedge_cose::{Algorithm, Encrypt0, Envelope, Header, SymmetricKey};
use sedge_crypto::{Crypto, HostCrypto};

use crate::Settings;
use crate::cpu::{Samples, cpu_seconds};
use crate::report::{Better, Goal, Other, Report, Row};

const PART: &str = "cose";
const PEER: &str = "coset";

const KEY: [u8; 16] = [7; 16];
const NONCE: [u8; 13] = [1; 13];
/// What a thermometer publishes.
const TEXT: &[u8] = b"\x81\xa3\x21\x71urn:dev:mac:0024:\x00\x61t\x02\xf9\x4d\x60";

/// A value as the members of a group see it: Gid, Partial IV, an 8-byte tag.
fn message(key: &SymmetricKey<'_>) -> Result<Vec<u8>, sedge_cose::Error> {
    let unprotected = Header { kid: Some(&[1, 2]), partial_iv: Some(&[5, 6]), ..Header::default() };
    let envelope = Envelope { unprotected, ..Envelope::default() };
    let mut buffer = [0; 128];
    Encrypt0::seal(&HostCrypto, key, &NONCE, &envelope, TEXT, &mut buffer).map(|message| message.to_vec())
}

/// What a reader looks at before it has the key.
fn parse_sedge(message: &mut [u8]) -> usize {
    let Ok(message) = Encrypt0::parse(message) else { return 0 };
    let headers = message.headers();
    headers.kid().map_or(0, <[u8]>::len) + headers.partial_iv().map_or(0, <[u8]>::len)
}

fn parse_coset(message: &[u8]) -> usize {
    let Ok(message) = CoseEncrypt0::from_slice(message) else { return 0 };
    black_box(&message.ciphertext);
    message.unprotected.key_id.len() + message.unprotected.partial_iv.len()
}

fn open_sedge(key: &SymmetricKey<'_>, message: &mut [u8]) -> usize {
    let Ok(message) = Encrypt0::parse(message) else { return 0 };
    message.open(&HostCrypto, key, &NONCE, b"").map_or(0, |text| black_box(text).len())
}

/// The cipher is the same, so that what differs is COSE.
fn open_coset(key: &SymmetricKey<'_>, message: &[u8]) -> usize {
    let Ok(message) = CoseEncrypt0::from_slice(message) else { return 0 };
    let Some(aead) = key.algorithm().aead() else { return 0 };
    let opened = message.decrypt_ciphertext(
        b"",
        || (),
        |ciphertext, aad| {
            let (text, tag) = ciphertext.split_at_checked(ciphertext.len().saturating_sub(8)).ok_or(())?;
            let mut text = text.to_vec();
            HostCrypto.open(aead, key.expose(), &NONCE, aad, &mut text, tag).map_err(drop)?;
            Ok(text)
        },
    );
    opened.map_or(0, |text| black_box(text).len())
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let key = SymmetricKey::new(Algorithm::AES_CCM_16_64_128, &KEY).map_err(|error| error.to_string())?;
    let message = message(&key).map_err(|error| error.to_string())?;
    // Both must read the same, or the comparison is of nothing.
    if parse_sedge(&mut message.clone()) != 4 || parse_coset(&message) != 4 {
        return Err("the two read different headers".into());
    }
    if open_sedge(&key, &mut message.clone()) != TEXT.len() || open_coset(&key, &message) != TEXT.len() {
        return Err("the two read different values".into());
    }
    // Opening in place spoils the message, so each turn begins with a copy; coset's makes the same copy.
    let (mut ours, mut theirs) = ([0; 128], [0; 128]);
    let (ours, theirs) = (&mut ours[..message.len()], &mut theirs[..message.len()]);
    let mut parsed = message.clone();
    case(
        settings,
        report,
        ("read the header of a COSE_Encrypt0 of 53 B", Some(Goal::Ratio(5.0))),
        || parse_sedge(black_box(&mut parsed)),
        || parse_coset(black_box(&message)),
    );
    case(
        settings,
        report,
        ("read and decrypt it", None),
        || {
            ours.copy_from_slice(black_box(&message));
            open_sedge(&key, ours)
        },
        || {
            theirs.copy_from_slice(black_box(&message));
            open_coset(&key, theirs)
        },
    );
    Ok(())
}

/// Time and allocations per message.
fn case(
    settings: &Settings,
    report: &mut Report,
    (what, goal): (&str, Option<Goal>),
    mut sedge: impl FnMut() -> usize,
    mut coset: impl FnMut() -> usize,
) {
    let rounds = if settings.quick { 5_000 } else { 50_000 };
    let (mut our_time, mut their_time) = (Samples::default(), Samples::default());
    // Once to warm up, and then the repetitions that count.
    for repetition in 0..=settings.repetitions(15) {
        let (ours, theirs) = (nanoseconds(&mut sedge, rounds * 5), nanoseconds(&mut coset, rounds));
        if repetition > 0 {
            our_time.push(ours);
            their_time.push(theirs);
        }
    }
    let (ours, theirs) = (count(sedge).1, count(coset).1);
    let mut row = Row::compare(PART, what, "ns", Better::Lower, &our_time, (PEER, &their_time));
    if let Some(goal) = goal {
        row = row.goal(goal);
    }
    report.rows.push(row);
    let what = format!("{what}, allocations");
    let mut row = Row::figure(PART, what, "", Better::Lower, ours.count as f64).goal(Goal::AtMost(0.0));
    row.other = Some(Other { name: PEER.into(), value: theirs.count as f64 });
    report.rows.push(row);
}

fn nanoseconds(work: &mut impl FnMut() -> usize, rounds: u32) -> f64 {
    let seconds = cpu_seconds(|| {
        for _ in 0..rounds {
            black_box(work());
        }
    });
    seconds * 1e9 / f64::from(rounds)
}
