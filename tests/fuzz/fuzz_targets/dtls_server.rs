//! A server's handshake with an honest client on a network that inserts, spoils, repeats, loses and reorders:
//! without spoilt bytes it still succeeds; with them nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::{Pair, Steps};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut pair = Pair::new(steps.byte());
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..24 {
        while let Some(datagram) = pair.client_sends() {
            kept.push(datagram);
        }
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
        if let Some(mut reply) = pair.server_takes(&mut datagram) {
            pair.client_takes(&mut reply);
        }
        if action & 0x80 != 0 {
            for mut datagram in pair.server_flight() {
                pair.client_takes(&mut datagram);
            }
        }
        if action & 0x40 != 0 {
            pair.wait();
        }
    }
    if let (Some(client), Some(server)) = (&pair.client_session, &pair.server_session) {
        assert_eq!(client.own_cid(), server.peer_cid());
        assert_eq!(client.peer_cid(), server.own_cid());
    }
});
