//! What a publication costs the battery of an nRF52840: the formula, its terms, and the page's section.

use std::fmt::Write as _;

use sedge_sim::energy::{Battery, Processor, Profile};
use sedge_sim::mac::{CCA_TIME, Mac, TURNAROUND, UNIT_BACKOFF};
use sedge_sim::network::{Event, Network, NodeId, PacketId, udp_packet};
use sedge_sim::phy::airtime;
use sedge_sim::theory::access::star;
use sedge_time::{Duration, Instant};

use super::count::Publication;

/// Bytes of an acknowledgement, and of a request for what waits at the parent, from frame control to check sequence.
const ACKNOWLEDGEMENT: usize = 5;
const DATA_REQUEST: usize = 12;
/// The mean number of back-off periods before a first attempt: 0 to 7.
const BACKOFFS: f64 = 3.5;

/// A publication of a device that sleeps: it sends its request, sleeps, asks its parent, and takes the acknowledgement.
#[derive(Debug)]
pub(super) struct Line {
    what: &'static str,
    /// Bytes of the frames with the request, and with its acknowledgement.
    frames: [Vec<usize>; 2],
    pub(super) energy: Terms,
}

/// Microseconds in each state, and how often the device wakes up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Terms {
    pub(super) computing: f64,
    pub(super) transmit: f64,
    pub(super) receive: f64,
    pub(super) turnaround: f64,
    pub(super) wakes: f64,
}

impl Line {
    pub(super) fn of(publication: &Publication) -> Self {
        let frames = [(1, 0), (0, 1)].map(|(from, to)| {
            let bytes = publication.bytes[usize::from(from == 0)];
            frames(NodeId(from), NodeId(to), bytes)
        });
        let mut energy = Terms::default();
        energy.compute(publication.instructions);
        frames[0].iter().for_each(|&frame| energy.send(frame));
        for &frame in &frames[1] {
            energy.send(DATA_REQUEST);
            energy.receive(frame);
        }
        Self { what: publication.what, frames, energy }
    }
}

impl Terms {
    fn compute(&mut self, instructions: u64) {
        let (chip, radio) = (Processor::cortex_m4(), Profile::nrf52840());
        self.computing += chip.time(instructions as f64, radio.cpu_mhz.value).as_micros() as f64;
    }

    /// A frame that is acknowledged at once, nobody else being on the channel.
    pub(super) fn send(&mut self, frame: usize) {
        let ready = Mac::default().ready;
        self.wakes += 1.0;
        self.turnaround += us(TURNAROUND) + us(ready);
        self.transmit += us(airtime(frame));
        self.receive += us(CCA_TIME) + us(TURNAROUND) - us(ready) + us(airtime(ACKNOWLEDGEMENT));
    }

    /// A frame that the parent sends after its own back-off, and that is acknowledged.
    pub(super) fn receive(&mut self, frame: usize) {
        let ready = Mac::default().ready;
        self.receive += BACKOFFS * us(UNIT_BACKOFF) + us(CCA_TIME) + us(TURNAROUND) + us(airtime(frame));
        self.turnaround += us(TURNAROUND) + us(ready);
        self.transmit += us(airtime(ACKNOWLEDGEMENT));
    }

    /// Microcoulombs: of computing, of waking up, and of the radio.
    pub(super) fn charge_uc(&self, radio: &Profile) -> [f64; 3] {
        let charge = |us: f64, ma: f64| us * ma / 1_000.0;
        [
            charge(self.computing, radio.cpu_ma.value),
            self.wakes * (charge(radio.wake_cpu_us.value, radio.cpu_ma.value) + radio.wake_uc.value),
            charge(self.transmit, radio.transmit_ma(0.0))
                + charge(self.receive, radio.receive_ma.value)
                + charge(self.turnaround, radio.turnaround_ma.value),
        ]
    }
}

fn us(time: Duration) -> f64 {
    time.as_micros() as f64
}

/// The frames in which a UDP payload crosses one hop, as the simulator's 6LoWPAN makes them.
fn frames(from: NodeId, to: NodeId, payload: usize) -> Vec<usize> {
    let mut network = Network::new(star(2, Mac::default()), 1).expect("two nodes");
    let [source, target] = [from, to].map(|node| (network.address(node), 5_684));
    let packet = PacketId(1);
    network.send(Instant::EPOCH, from, packet, udp_packet(source, target, &vec![0; payload]));
    let mut frames = Vec::new();
    while let Some(now) = network.deadline().filter(|now| now.as_micros() < 1_000_000) {
        network.advance(now, &mut |trace| {
            if let Event::Sent { acknowledgement: false, id, bytes, .. } = &trace.event
                && *id == Some(packet)
            {
                frames.push(bytes.len());
            }
        });
    }
    frames
}

/// The page's section.
pub(super) fn section(lines: &[Line]) -> String {
    let radio = Profile::nrf52840();
    let chip = Processor::cortex_m4();
    let mut text = HEAD.to_owned();
    for Line { what, frames, energy } in lines {
        let on_air = |frames: &[usize]| frames.iter().map(|bytes| bytes + 6).sum::<usize>();
        let [computing, waking, radio_uc] = energy.charge_uc(&radio);
        let all = computing + waking + radio_uc;
        // Every minute one, asleep in between.
        let mean_ua = radio.sleep_ua.value + all / 60.0;
        let hours_a_year = 8_766.0;
        let cell = Battery::CR2032;
        let used = mean_ua / 1_000.0 * hours_a_year + cell.capacity_mah * cell.self_discharge;
        let years = cell.capacity_mah * cell.usable / used;
        let _ = writeln!(
            text,
            "| {what} | {} + {} | {:.2} | {:.2} | {:.2} | {computing:.1} | {waking:.1} | {radio_uc:.1} | \
             **{:.0}** | {years:.1} |",
            on_air(&frames[0]),
            on_air(&frames[1]),
            energy.computing / 1_000.0,
            energy.transmit / 1_000.0,
            energy.receive / 1_000.0,
            all * radio.volts.value,
        );
    }
    let _ = writeln!(text, "\nWhere the figures are from:\n");
    let figures = [
        ("cycles an instruction", &chip.cycles),
        ("clock, MHz", &radio.cpu_mhz),
        ("I_cpu, mA", &radio.cpu_ma),
        ("I_rx, mA", &radio.receive_ma),
        ("I_turn, mA", &radio.turnaround_ma),
        ("asleep, uA", &radio.sleep_ua),
        ("t_wake, us", &radio.wake_cpu_us),
        ("q_wake, uC", &radio.wake_uc),
        ("supply, V", &radio.volts),
    ];
    let _ = writeln!(text, "| figure | value | source |\n|---|--:|---|");
    for (name, figure) in figures {
        let _ = writeln!(text, "| {name} | {} | {} |", figure.value, figure.source);
    }
    if let Some(sending) = radio.transmit.iter().find(|sending| sending.dbm == 0.0) {
        let _ = writeln!(text, "| I_tx at 0 dBm, mA | {} | {} |", sending.ma, sending.source);
    }
    text
}

const HEAD: &str = "## Energy of a publication

Of an nRF52840 on IEEE 802.15.4 that sleeps, one hop from its parent, on a free channel, without link-layer security. It wakes up,
seals its reading, sends it and sleeps; then it asks its parent for what has come, and takes the acknowledgement:

```
Q = I_cpu * instructions * cycles / clock                                   computing
  + wakes * (t_wake * I_cpu + q_wake)                                       waking up: once for each frame of its own
  + I_tx * 32 us * (bytes on air of all that it sends)                      radio
  + I_rx * (t_cca + t_ack for each frame that it sends, t_wait + 32 us * bytes for each that it gets)
  + I_turn * (192 us + 40 us for each frame)
E = Q * supply
```

with t_cca = 128 us, t_ack = 192 us - 40 us + 352 us, and t_wait = 3.5 * 320 us + 128 us + 192 us, the parent's mean back-off,
assessment and turnaround. Bytes on air are those of the frame (6LoWPAN and all) and the six before it; the question to the
parent (18 B) and acknowledgements (11 B each) come on top. A test publishes the same in the simulator and compares.

| publication | on air, B | computing, ms | sending, ms | receiving, ms | computing, uC | waking up, uC | radio, uC | **energy, uJ** | years of a CR2032, one a minute |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

#[cfg(test)]
mod tests;
