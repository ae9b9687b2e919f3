use sedge_sim::theory::access::{cycle_us, first_collision, saturated, synchronised};

/// `1120 + 128 + 192 + 32 * (6 + mpdu) + (192 + 352) + 640` microseconds from frame to frame, within 0.5 %.
#[test]
fn one_busy_sender_takes_the_time_that_the_standard_allots() {
    for (payload, cycle, frames_a_second) in [(84, 6_528.0, 153.2_f64), (60, 5_760.0, 173.6)] {
        let point = saturated(payload, true, 20_000, 1);
        assert_eq!(point.analytic, cycle);
        assert!((1e6 / cycle - frames_a_second).abs() < 0.05);
        assert!(point.relative() < 0.005, "{point:?}");
    }
    let point = saturated(84, false, 20_000, 1);
    assert_eq!(point.analytic, cycle_us(116, false));
    assert!(point.relative() < 0.005, "{point:?}");
}

/// `P = 1 - sum(k = 0..7) n/8 * ((7 - k)/8)^(n - 1)`, within three standard errors.
#[test]
fn senders_that_begin_at_once_collide_as_often_as_their_backoffs_are_equal() {
    for (senders, share) in [(2, 0.125), (5, 0.2865), (10, 0.5095)] {
        assert!((first_collision(senders) - share).abs() < 5e-5);
        let point = synchronised(senders, 10_000, 2);
        assert!(point.deviations() < 3.0, "{point:?}");
    }
}
