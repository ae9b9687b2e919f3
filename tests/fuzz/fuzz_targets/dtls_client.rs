//! A client's handshake with an honest server on a network that inserts and spoils: nothing panics, and nobody
//! who lacks the key can complete it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::{Pair, Steps};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut pair = Pair::new(steps.byte());
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let alone = steps.byte() & 1 == 1;
    for _ in 0..24 {
        while let Some(mut datagram) = pair.client_sends() {
            if !alone && let Some(reply) = pair.server_takes(&mut datagram) {
                kept.push(reply);
            }
        }
        kept.extend(pair.server_flight());
        if !steps.more() {
            break;
        }
        let action = steps.byte();
        let mut datagram = match action & 3 {
            0 | 1 if !kept.is_empty() => kept[usize::from(action >> 2) % kept.len()].clone(),
            2 if !kept.is_empty() => {
                let mut spoilt = kept[usize::from(action >> 2) % kept.len()].clone();
                let at = usize::from(steps.number()) % spoilt.len();
                spoilt[at] ^= steps.byte();
                spoilt.truncate(spoilt.len() - usize::from(steps.byte()) % spoilt.len());
                spoilt
            }
            _ => steps.bytes().to_vec(),
        };
        pair.client_takes(&mut datagram);
        if action & 0x40 != 0 {
            pair.wait();
        }
    }
    assert!(!alone || pair.client_session.is_none(), "nobody with the key has answered");
});
