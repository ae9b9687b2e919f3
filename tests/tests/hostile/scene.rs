//! A broker, a victim and a bystander.

use std::time::Duration;

use sedge_coap::Code;
use sedge_tests::broker::TestBroker;
use sedge_tests::device::Device;
use sedge_tests::dtls::Identity;

/// How long to wait for what must not come.
pub(crate) const QUIET: Duration = Duration::from_millis(150);

/// A broker with two devices: `victim` is whom an attack is about, the bystander observes the victim's topic
/// over a session of its own and must see every value, whatever happens.
pub(crate) struct Scene {
    pub(crate) broker: TestBroker,
    pub(crate) identity: Identity,
    bystander: Device,
    pub(crate) published: u32,
}

const TOKEN: &[u8] = b"watch";

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(TestBroker::with(|config| {
            config.timing.handshake_retransmit = Duration::from_millis(100);
        }))
    }

    pub(crate) fn with(broker: TestBroker) -> Self {
        let identity = broker.enrol("victim", &["t/#"], &["t/#"]);
        let watcher = broker.enrol("bystander", &["t/other"], &["t/#"]);
        let mut bystander = Device::connect(broker.secure(), &watcher);
        assert_eq!(bystander.publish("t/other", "0"), Code::CREATED);
        let mut first = Device::connect(broker.secure(), &identity);
        assert_eq!(first.publish("t/own", "0"), Code::CREATED);
        assert_eq!(bystander.observe("t/own", TOKEN).code(), Code::CONTENT);
        let Device { carrier: sedge_tests::device::Carrier::Secure(connection), .. } = first else {
            unreachable!("it was connected over DTLS")
        };
        connection.close();
        while broker.status().sessions > 1 {
            std::thread::sleep(Duration::from_millis(2));
        }
        Self { broker, identity, bystander, published: 0 }
    }

    /// A connected victim.
    pub(crate) fn victim(&self) -> Device {
        Device::connect(self.broker.secure(), &self.identity)
    }

    /// Whether the victim's session still works, and the bystander still sees what it publishes.
    pub(crate) fn still_works(&mut self, victim: &mut Device) {
        self.published += 1;
        let value = self.published.to_string();
        assert_eq!(victim.publish("t/own", &value), Code::CHANGED);
        assert_eq!(self.bystander.notification(TOKEN).text(), value);
        self.bystander_works();
    }

    /// Whether the bystander's session still works.
    pub(crate) fn bystander_works(&mut self) {
        assert_eq!(self.bystander.publish("t/other", "1"), Code::CHANGED);
    }

    /// Has `attack` happen, and waits until `counter` has grown by at least `by`. Returns by how much.
    pub(crate) fn counted(&mut self, counter: &str, by: u64, attack: impl FnOnce(&mut Self)) -> u64 {
        let before = self.broker.counter(counter);
        attack(self);
        self.broker.expect_counter(counter, before + by);
        self.broker.counter(counter) - before
    }
}
