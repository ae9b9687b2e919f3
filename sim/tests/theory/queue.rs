use sedge_sim::theory::queue::{poisson, sojourn_us};

/// `r * E[S^2] / (2 * (1 - r * E[S]))` of waiting, the access and the frame, within three standard errors.
#[test]
fn packets_that_come_at_random_wait_as_in_any_queue() {
    assert!((sojourn_us(1e-9) - 5_344.0).abs() < 0.1, "nobody waits for a packet an hour");
    for rate in [20.0, 90.0, 130.0] {
        let point = poisson(rate, 20_000, 9);
        assert!(point.deviations() < 3.0, "{point:?}");
    }
}
