//! A device that sleeps, and asks its parent for messages every second.

use sedge_crypto::Secret;
use sedge_time::{Duration, Instant};

use super::Point;
use super::access::star;
use crate::mac::{LinkSecurity, Mac, SecurityLevel};
use crate::network::{Event, Network, NodeId, Role, TraceOptions};

/// Charge of one poll of an nRF52840 at 0 dBm and 3.0 V above its sleep, in microcoulombs, as Nordic measured it.
pub const CHARGE_A_POLL_UC: f64 = 18.14;

/// Charge of one minute of polling every second, in microcoulombs: `60 * 18.14 + 60 s * 2.90 uA`.
pub const CHARGE_A_MINUTE_UC: f64 = 1_261.6;

/// Measures [`CHARGE_A_POLL_UC`] and [`CHARGE_A_MINUTE_UC`] over so many minutes.
///
/// What the model adds up for one poll: 1.9 ms of the processor at 3.3 mA (fitted), the start of the crystal,
/// 128 us of assessment and about 0.5 ms of waiting for the acknowledgement at 6.53 mA, 896 us of sending 28 bytes at
/// 6.40 mA, 232 us of turning around. It sleeps while it backs off.
pub fn polling(minutes: u64, seed: u64) -> [Point; 2] {
    let key = Secret::new(*b"a network's key.");
    let security = Some(LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 });
    let mut config = star(2, Mac { security, ..Mac::default() });
    config.nodes[1].role = Role::Sleepy { poll: Duration::from_secs(1) };
    config.trace = TraceOptions { packets: false, frames: true, radio: false };
    let mut network = Network::new(config, seed).expect("two nodes");
    let end = Instant::EPOCH + Duration::from_secs(60 * minutes);
    let mut polls = 0;
    while let Some(now) = network.deadline().filter(|&now| now < end) {
        network.advance(now, &mut |trace| {
            let first = matches!(trace.event, Event::Sent { attempt: 0, acknowledgement: false, .. });
            polls += u64::from(first && trace.node == NodeId(1));
        });
    }
    let energy = network.energy(NodeId(1), end);
    let seconds = 60.0 * minutes as f64;
    let asleep = network.energy(NodeId(1), end).sleep_uc / energy.sleep.as_micros() as f64 * 1e6;
    let poll = (energy.charge_uc() - asleep * seconds) / polls as f64;
    let minute = energy.charge_uc() / minutes as f64;
    let point = |simulated, analytic| Point { x: 1.0, simulated, error: 0.0, analytic };
    [point(poll, CHARGE_A_POLL_UC), point(minute, CHARGE_A_MINUTE_UC)]
}
