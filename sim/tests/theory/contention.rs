use sedge_sim::theory::contention::Senders;

/// Shares of busy assessments, of collisions and of packets that arrive, by the fixed point written down at
/// [`Senders::analytic`]: within 10 %, the accuracy that is reported for such fixed points (of what
/// arrives within 1 %), over loads from a fifth to
/// more than half of what the channel carries.
#[test]
fn senders_with_packets_at_random_meet_as_often_as_their_fixed_point_says() {
    for count in [5, 20] {
        for rate in [60.0, 170.0] {
            let points = (Senders { count, rate }).run(40_000, 11);
            for (point, tolerance) in points.iter().zip([0.10, 0.10, 0.01]) {
                assert!(point.relative() < tolerance, "{count} senders: {point:?}");
            }
        }
    }
}

/// Without others nothing is busy, and nothing collides.
#[test]
fn a_lonely_sender_meets_nobody() {
    let [busy, collision, delivered] = Senders { count: 1, rate: 100.0 }.run(2_000, 11);
    assert_eq!((busy.simulated, collision.simulated), (0.0, 0.0));
    assert!(delivered.simulated > 0.99, "{delivered:?}");
}
