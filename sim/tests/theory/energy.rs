use sedge_sim::theory::energy::polling;

/// 18.14 uC a poll and `60 * 18.14 uC + 60 s * 2.90 uA = 1261.6 uC` a minute, within 15 %.
#[test]
fn a_sleeping_device_draws_what_the_vendor_measured() {
    for point in polling(10, 5) {
        assert!(point.relative() < 0.15, "{point:?}");
    }
}
