use super::super::{Loss, Propagation, airtime, per};
use super::*;

/// A receiver at 0 and transmitters at these distances, without shadowing.
fn air(distances: &[f64]) -> Air {
    let positions: Vec<[f64; 3]> =
        std::iter::once(0.0).chain(distances.iter().copied()).map(|x| [x, 0.0, 0.0]).collect();
    let nodes = vec![NodeConfig::default(); positions.len()];
    let propagation = Propagation { shadowing_db: 0.0, ..Propagation::default() };
    let mut air = Air::new(Phy { propagation, ..Phy::default() }, Streams::new(11), &nodes, &positions);
    air.set_mode(NodeId(0), Mode::Listen);
    air
}

fn frame(air: &mut Air, from: usize, bytes: usize) -> Transmission {
    Transmission {
        frame: air.number_frame(),
        wanted: Wanted::Everyone,
        acknowledgement: false,
        id: None,
        bytes: vec![0; bytes].into(),
        row: from,
    }
}

const START: Instant = Instant::EPOCH;

/// The distance at which a signal of 0 dBm is this many decibels above a floor of -100.4 dBm.
fn distance(ratio_db: f64) -> f64 {
    10_f64.powf((100.4 - ratio_db - 40.0) / 35.0)
}

fn lost(count: u32, mut round: impl FnMut() -> Outcome) -> f64 {
    f64::from((0..count).map(|_| u32::from(round() != Outcome::Ok)).sum::<u32>()) / f64::from(count)
}

/// `PER = 1 - (1 - BER)^(8n)` for frames of n = 60 bytes at constant ratios of signal to noise.
#[test]
fn noise_loses_as_many_frames_as_the_formula_says() {
    for ratio_db in [-1.13, -0.14, 0.83] {
        let mut air = air(&[distance(ratio_db)]);
        let rate = lost(20_000, || {
            let sent = frame(&mut air, 1, 60);
            let slot = air.begin(START, sent, Cut::default());
            let mut received = Vec::new();
            air.end(START + airtime(60), slot, &mut received);
            received[0].outcome
        });
        let exact = per(10_f64.powf(ratio_db / 10.0), 60);
        let error = (exact * (1.0 - exact) / 20_000.0).sqrt();
        assert!((rate - exact).abs() < 3.0 * error + 0.003, "{ratio_db} dB: {rate}, not {exact}");
    }
}

/// A frame half of whose bits meet an interferer of equal power: each half survives by its own ratio.
#[test]
fn segments_count_by_their_own_interference() {
    // 3 dB above the interferer, far above the noise.
    let [near, far] = [10.0, 10.0 * 10_f64.powf(0.7 / 35.0)];
    let mut air = air(&[near, far]);
    let rate = lost(20_000, || {
        let sent = frame(&mut air, 1, 100);
        let slot = air.begin(START, sent, Cut::default());
        let half = START + airtime(50);
        let noise = frame(&mut air, 2, 100);
        let other = air.begin(half, noise, Cut::default());
        let mut received = Vec::new();
        air.end(START + airtime(100), slot, &mut received);
        air.end(half + airtime(100), other, &mut Vec::new());
        assert_ne!(received[0].outcome, Outcome::Noise);
        received[0].outcome
    });
    let exact = per(10_f64.powf(0.07), 50);
    let error = (exact * (1.0 - exact) / 20_000.0).sqrt();
    assert!((rate - exact).abs() < 3.0 * error + 0.002, "{rate}, not {exact}");
}

/// Three interferers that are 6 dB weaker each add up: the frame is lost although it is stronger than any.
#[test]
fn capture_follows_the_sum_of_interference() {
    let interferers = |count: usize| {
        let weaker = 10.0 * 10_f64.powf(4.0 / 35.0);
        let mut distances = vec![10.0];
        distances.extend(std::iter::repeat_n(weaker, count));
        let mut air = air(&distances);
        let sent = frame(&mut air, 1, 100);
        let slot = air.begin(START, sent, Cut::default());
        for other in 0..count {
            let noise = frame(&mut air, 2 + other, 100);
            air.begin(START + Duration::from_micros(400), noise, Cut::default());
        }
        let mut received = Vec::new();
        air.end(START + airtime(100), slot, &mut received);
        received[0].outcome
    };
    assert_eq!(interferers(1), Outcome::Ok);
    assert_eq!(interferers(4), Outcome::Collision);
}

#[test]
fn a_stronger_preamble_takes_the_receiver_and_a_stronger_frame_does_not() {
    let begun = |after: u64| {
        let mut air = air(&[20.0, 10.0]);
        let (weak, strong) = (frame(&mut air, 1, 100), frame(&mut air, 2, 20));
        let strong_frame = strong.frame;
        air.begin(START, weak, Cut::default());
        let slot = air.begin(START + Duration::from_micros(after), strong, Cut::default());
        let mut received = Vec::new();
        air.end(START + airtime(40), slot, &mut received);
        (received.len(), strong_frame)
    };
    assert_eq!(begun(100).0, 1);
    assert_eq!(begun(400).0, 0, "the receiver stays with the frame it locked on");
}

#[test]
fn power_comes_and_goes_without_a_trace() {
    let mut air = air(&[10.0, 12.0, 15.0]);
    let quiet = air.energy_dbm(START, NodeId(0));
    let numbers: Vec<u64> = (1..=3)
        .map(|from| {
            let sent = frame(&mut air, from, 20);
            air.begin(START, sent, Cut::default())
        })
        .collect();
    assert!(air.energy_dbm(START, NodeId(0)) > -76.0);
    for number in [numbers[1], numbers[2], numbers[0]] {
        air.end(START + airtime(20), number, &mut Vec::new());
    }
    assert_eq!(air.energy_dbm(START, NodeId(0)), quiet);
    assert!(air.is_quiet());
}

#[test]
fn a_disc_ends_at_its_range() {
    let propagation =
        Propagation { loss: Loss::Disc { range_m: 10.0 }, shadowing_db: 0.0, asymmetry_db: 0.0 };
    let nodes = vec![NodeConfig::default(); 3];
    let positions = [[0.0; 3], [10.0, 0.0, 0.0], [20.5, 0.0, 0.0]];
    let air = Air::new(Phy { propagation, ..Phy::default() }, Streams::new(1), &nodes, &positions);
    let links: Vec<(u16, u16)> = air.links().iter().map(|link| (link.from.0, link.to.0)).collect();
    assert_eq!(links, [(0, 1), (1, 0)]);
}

/// Receivers that are asked about after everything that happens, and receivers that are asked when it matters, come to
/// the same: in a field so dense that frames overlap all the time, with interference and a cut.
#[test]
fn it_does_not_matter_when_a_receiver_is_asked() {
    const NODES: usize = 40;
    let mut random = Random::new(5);
    let positions: Vec<[f64; 3]> =
        (0..NODES).map(|_| [random.unit() * 150.0, random.unit() * 150.0, 0.0]).collect();
    let nodes = vec![NodeConfig::default(); NODES];
    let mut airs = [(); 2].map(|()| {
        let mut air = Air::new(Phy::default(), Streams::new(11), &nodes, &positions);
        let on = Duration::from_millis(1);
        let interferer = Interferer { position: [75.0; 3], power_dbm: -20.0, on, off: on };
        let _source = air.add_source(&positions, interferer);
        for node in 0..NODES as u16 {
            air.set_mode(NodeId(node), Mode::Listen);
        }
        air
    });
    let mut now = START;
    let mut sending: Vec<(Instant, u64, u16)> = Vec::new();
    let (mut received, mut locked) = ([Vec::new(), Vec::new()], [0, 0]);
    for round in 0..4_000_u64 {
        now += Duration::from_micros((random.unit() * 600.0) as u64);
        let (node, other) = ((random.unit() * NODES as f64) as u16, (random.unit() * NODES as f64) as u16);
        let [what, bytes] = [random.unit(), 5.0 + random.unit() * 120.0];
        // What is over ends; the others begin, turn on and off, and are disturbed.
        let over = sending.extract_if(.., |(until, ..)| *until <= now).collect::<Vec<_>>();
        let busy = sending.iter().any(|(.., sender)| *sender == node);
        for (air, received) in airs.iter_mut().zip(&mut received) {
            for &(until, number, sender) in &over {
                air.end(until, number, received);
                air.set_mode(NodeId(sender), Mode::Listen);
            }
            if !busy && (0.3..0.35).contains(&what) {
                air.toggle(now, 0);
            } else if !busy {
                let mode = if (0.1..0.3).contains(&what) { Mode::Listen } else { Mode::Deaf };
                air.set_mode(NodeId(node), mode);
            }
        }
        if what >= 0.35 && !busy {
            let wanted = if what < 0.4 { Wanted::Everyone } else { Wanted::Node(NodeId(other)) };
            let cut = if round % 3 == 0 {
                Cut::around(NODES, &[NodeId(1), NodeId(2), NodeId(3)])
            } else {
                Cut::default()
            };
            let numbers = airs.each_mut().map(|air| {
                let sent = Transmission { wanted, ..frame(air, usize::from(node), bytes as usize) };
                air.begin(now, sent, cut.clone())
            });
            sending.push((now + airtime(bytes as usize), numbers[0], node));
        }
        // Only the first of the two is asked about everybody.
        let asked = &mut airs[0];
        for node in 0..NODES as u16 {
            let locked = asked.locked_on(node);
            asked.receivers[usize::from(node)].know(asked.past.now(), locked);
        }
        for (air, locked) in airs.iter().zip(&mut locked) {
            *locked += u32::from(air.is_locked(NodeId((node + 1) % NODES as u16)));
        }
        assert_eq!(locked[0], locked[1], "round {round}");
    }
    let outcomes = |place: usize| {
        received[place].iter().map(|reception| (reception.node, reception.outcome)).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(0), outcomes(1));
    let lost = outcomes(0).iter().filter(|(_, outcome)| *outcome == Outcome::Collision).count();
    assert!(
        received[0].len() > 500 && lost > 100 && locked[0] > 300,
        "{} {lost} {}",
        received[0].len(),
        locked[0]
    );
}
