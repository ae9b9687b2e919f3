use sedge_sim::theory::coap::{Confirmable, confirmable};

/// With `q = 1 - (1 - p)^2`: success `1 - q^5`, transmissions `sum(k = 0..4) q^k`, and extra latency
/// `2.5 s * sum(k = 0..4) (2^k - 1) q^k (1 - q) / (1 - q^5)`, each within three standard errors.
#[test]
fn confirmable_requests_are_repeated_as_rfc_7252_says() {
    for (loss, success, latency, transmissions) in [
        (0.05, 0.99999, 0.302, 1.108),
        (0.10, 0.99975, 0.741, 1.234),
        (0.20, 0.99395, 2.137, 1.553),
        (0.30, 0.96550, 4.103, 1.970),
        (0.50, 0.76270, 8.307, 3.051),
    ] {
        let analytic = Confirmable::analytic(loss);
        assert!((analytic.success - success).abs() < 1e-5, "{analytic:?}");
        assert!((analytic.extra_latency - latency).abs() < 1e-3, "{analytic:?}");
        assert!((analytic.transmissions - transmissions).abs() < 1e-3, "{analytic:?}");
        for point in confirmable(loss, 20_000, 6) {
            assert!(point.deviations() < 3.0, "{point:?}");
        }
    }
}
