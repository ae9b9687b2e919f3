use super::*;

fn link(text: &str, seed: u64) -> Link<Vec<u8>> {
    Link::new(text.parse().expect("valid impairments"), seed)
}

/// Offers `count` numbered datagrams, one every millisecond, and returns their fates and what arrived.
fn run(link: &mut Link<Vec<u8>>, count: u32) -> (Vec<Fate>, Vec<u32>) {
    let mut fates = Vec::new();
    let mut arrived = Vec::new();
    let mut take = |link: &mut Link<Vec<u8>>, now| {
        while let Some(datagram) = link.poll(now) {
            arrived.push(u32::from_be_bytes(datagram[..4].try_into().expect("four bytes")));
        }
    };
    for number in 0..count {
        let now = Instant::from_micros(u64::from(number) * 1_000);
        take(link, now);
        fates.push(link.offer(now, number.to_be_bytes().to_vec()));
    }
    take(link, Instant::DISTANT_FUTURE);
    (fates, arrived)
}

const EVERYTHING: &str =
    "loss=20%, bursts=1%/25%/90%, duplicate=10%, delay=50ms~30ms, rate=1mbit, queue=100ms, mtu=1280";

#[test]
fn one_seed_gives_one_trace() {
    let traces = [7, 7, 8].map(|seed| run(&mut link(EVERYTHING, seed), 2_000));
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0].0, traces[2].0);
}

#[test]
fn another_impairment_changes_no_other_decision() {
    let lost = |text| {
        let (fates, _) = run(&mut link(text, 3), 2_000);
        fates.iter().map(|fate| *fate == Fate::Lost).collect::<Vec<_>>()
    };
    assert_eq!(lost("loss=20%"), lost("loss=20%, duplicate=50%, delay=1ms..900ms"));
}

#[test]
fn a_link_without_impairments_is_a_wire() {
    let (fates, arrived) = run(&mut link("", 1), 100);
    assert!(
        fates
            .iter()
            .enumerate()
            .all(|(number, fate)| { *fate == Fate::Arrives(Instant::from_micros(number as u64 * 1_000)) })
    );
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
}

#[test]
fn loss_duplication_and_reordering_happen_as_often_as_asked() {
    let mut link = link("loss=20%, duplicate=10%, delay=0ms..50ms", 11);
    let (_, arrived) = run(&mut link, 20_000);
    let counters = link.counters();
    // Three standard errors of a binomial around the expected counts.
    assert!(counters.lost.abs_diff(4_000) < 170, "{counters:?}");
    assert!(counters.duplicated.abs_diff(1_600) < 116, "{counters:?}");
    assert_eq!(counters.delivered, 20_000 - counters.lost + counters.duplicated);
    assert_eq!(arrived.len() as u64, counters.delivered);
    assert!(counters.reordered > 10_000, "a spread of 50 sending intervals reorders most: {counters:?}");
    assert!(arrived.windows(2).any(|pair| pair[0] > pair[1]));
}

#[test]
fn bursts_last_as_long_as_their_end_says() {
    let mut link = link("bursts=1%/20%/100%", 5);
    let (fates, _) = run(&mut link, 200_000);
    let runs: Vec<usize> =
        fates.split(|fate| *fate != Fate::Lost).map(<[Fate]>::len).filter(|&length| length > 0).collect();
    let share = link.counters().lost as f64 / 200_000.0;
    let mean = runs.iter().sum::<usize>() as f64 / runs.len() as f64;
    assert!((share - 0.01 / 0.21).abs() < 0.005, "share of losses {share}");
    assert!((mean - 5.0).abs() < 0.4, "mean length of a burst {mean}");
}

#[test]
fn delays_have_the_shape_asked_for() {
    let delays = |text| {
        let (fates, _) = run(&mut link(text, 9), 20_000);
        let mut delays = Vec::new();
        for (number, fate) in fates.iter().enumerate() {
            let Fate::Arrives(at) = fate else { panic!("{fate:?}") };
            delays.push(at.saturating_since(Instant::from_micros(number as u64 * 1_000)).as_micros() as f64);
        }
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let variance = delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>() / delays.len() as f64;
        let bounds =
            (delays.iter().copied().fold(f64::MAX, f64::min), delays.iter().copied().fold(0.0_f64, f64::max));
        (mean / 1e3, variance.sqrt() / 1e3, bounds)
    };
    let (mean, spread, bounds) = delays("delay=20ms..80ms");
    assert!((mean - 50.0).abs() < 0.5 && (spread - 17.32).abs() < 0.3, "{mean} {spread}");
    assert!(bounds.0 >= 20_000.0 && bounds.1 <= 80_000.0, "{bounds:?}");
    let (mean, spread, _) = delays("delay=100ms~10ms");
    assert!((mean - 100.0).abs() < 0.3 && (spread - 10.0).abs() < 0.2, "{mean} {spread}");
}

#[test]
fn a_rate_spaces_datagrams_and_its_queue_overflows() {
    let mut link = link("rate=8kbit, queue=300ms", 1);
    let now = Instant::from_micros(5);
    // 100 bytes take 100 ms at 8 kbit/s.
    let fates: Vec<Fate> = (0..6).map(|_| link.offer(now, vec![0; 100])).collect();
    let arrives = |millis| Fate::Arrives(now + Duration::from_millis(millis));
    assert_eq!(
        fates,
        [arrives(100), arrives(200), arrives(300), arrives(400), Fate::QueueFull, Fate::QueueFull]
    );
    assert_eq!(link.offer(now + Duration::from_secs(1), vec![0; 100]), arrives(1_100));
}

#[test]
fn nothing_longer_than_the_mtu_is_carried() {
    let mut link = link("mtu=100", 1);
    assert_eq!(link.offer(Instant::EPOCH, vec![0; 101]), Fate::TooLong);
    assert_eq!(link.offer(Instant::EPOCH, vec![0; 100]), Fate::Arrives(Instant::EPOCH));
    assert_eq!(link.counters().too_long, 1);
}

#[test]
fn nothing_arrives_before_its_time() {
    let mut link = link("delay=10ms", 1);
    let now = Instant::from_micros(1);
    link.offer(now, vec![1]);
    assert_eq!(link.poll(now + Duration::from_micros(9_999)), None);
    assert_eq!(link.deadline(), Some(now + Duration::from_millis(10)));
    assert_eq!(link.poll(now + Duration::from_millis(10)), Some(vec![1]));
    assert_eq!(link.deadline(), None);
}

#[test]
fn text_says_the_same_both_ways() {
    for text in [
        EVERYTHING,
        "",
        "loss=100%, duplicate=0%, delay=1500us",
        "delay=3ms..3ms, mtu=0",
        "loss=12.5%, rate=9600bit, queue=1s",
    ] {
        let impairments: Impairments = text.parse().expect(text);
        assert_eq!(impairments.to_string().parse(), Ok(impairments), "{text}");
    }
}

#[test]
fn text_that_is_not_an_impairment_is_refused_with_what_would_be() {
    for (text, expected) in [
        ("loss", "loss="),
        ("loss=20", "20%"),
        ("loss=101%", "20%"),
        ("loss=-1%", "20%"),
        ("loss=NaN%", "20%"),
        ("delay=90ms..20ms", "20ms..90ms"),
        ("delay=5", "50ms"),
        ("rate=0bit", "250kbit"),
        ("bursts=1%/2%", "begin/end/loss"),
        ("bursts=1%/2%/3%/4%", "begin/end/loss"),
        ("mtu=-1", "bytes"),
        ("colour=red", "loss="),
        ("queue=99999999999999999999s", "200ms"),
    ] {
        let error = text.parse::<Impairments>().expect_err(text).to_string();
        assert!(error.contains(expected) && error.contains(text), "{text}: {error}");
    }
}
