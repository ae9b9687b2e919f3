use sedge_sim::adaptation::Forwarding;
use sedge_sim::theory::fragments::Chain;

const CHAIN: Chain =
    Chain { loss: 0.3, fragments: 6, hops: 1, repeat: true, forwarding: Forwarding::Reassemble };

/// `(1 - p^4)^(n * h)` with acknowledgements and three repetitions, within three standard errors.
#[test]
fn fragments_arrive_if_each_does_in_four_tries() {
    for (loss, fragments, hops, share) in [
        (0.3, 6, 1, 0.952),
        (0.3, 13, 1, 0.900),
        (0.3, 6, 4, 0.823),
        (0.5, 6, 1, 0.679),
        (0.5, 13, 1, 0.432),
        (0.5, 6, 4, 0.213),
    ] {
        let chain = Chain { loss, fragments, hops, ..CHAIN };
        assert!((chain.analytic() - share).abs() < 6e-4, "{}", chain.analytic());
        let point = chain.run(4_000, 3);
        assert!(point.deviations() < 3.0, "{chain:?}: {point:?}");
    }
}

/// `(1 - p)^n` without acknowledgements.
#[test]
fn without_repetition_one_lost_fragment_is_enough() {
    let point = Chain { loss: 0.1, repeat: false, ..CHAIN }.run(4_000, 3);
    assert!(point.deviations() < 3.0, "{point:?}");
}

/// Fragments that are sent on one by one arrive, too, on a channel without loss, with all nodes in one place.
#[test]
fn fragments_pass_through_routers() {
    let chain = Chain { loss: 0.0, hops: 2, forwarding: Forwarding::Fragments, ..CHAIN };
    let point = chain.run(500, 3);
    // They meet one another on the channel, which costs a few; putting packets together at each hop costs none.
    assert!(point.simulated > 0.9, "{point:?}");
    assert_eq!(Chain { forwarding: Forwarding::Reassemble, ..chain }.run(500, 3).simulated, 1.0);
}
