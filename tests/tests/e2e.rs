//! Devices and a broker on hosts of their own, with a router between them that loses one packet in five each way,
//! translates addresses and forgets its translations, and a link that delays, reorders and repeats.
//!
//! ```text
//!  devices                             router                                broker
//!  200 clients - relay ---- veth ---- nftables: drops, source NAT ---- veth ---- sedge-broker
//!                delays, copies, reorders
//! ```
//!
//! Needs root, to make the network namespaces.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use sedge_tests::need;
use sedge_tests::netns::Namespace;
use sedge_tests::process::Running;

const IMPAIRMENTS: &str = "delay=5ms..40ms, duplicate=10%";
/// How long the router remembers its translations.
const REBINDING: Duration = Duration::from_secs(30);

/// After so long without a value the devices are stuck.
const STALLED: Duration = Duration::from_secs(150);
const PROGRAM: &str = env!("CARGO_BIN_EXE_sedge-e2e");

/// Three hosts; they go when this is dropped.
struct Network {
    devices: Namespace,
    router: Namespace,
    broker: Namespace,
}

impl Network {
    fn new() -> Result<Self, String> {
        sedge_tests::peers::program("nft")?;
        sedge_tests::peers::program("conntrack")?;
        let network = Self {
            devices: Namespace::new("devices")?,
            router: Namespace::new("router")?,
            broker: Namespace::new("broker")?,
        };
        let Self { devices, router, broker } = &network;
        devices.connect(("uplink", "10.77.1.2/24"), router, ("inside", "10.77.1.1/24"))?;
        router.connect(("outside", "10.77.2.1/24"), broker, ("uplink", "10.77.2.2/24"))?;
        devices.run(&["ip", "route", "add", "default", "via", "10.77.1.1"])?;
        router.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        router.run(&["nft", "add table ip sedge"])?;
        router.run(&["nft", "add chain ip sedge forward { type filter hook forward priority 0 ; }"])?;
        router.run(&["nft", "add rule ip sedge forward numgen random mod 100 < 20 counter drop"])?;
        router.run(&["nft", "add chain ip sedge out { type nat hook postrouting priority 100 ; }"])?;
        network.translate(20_000)?;
        Ok(network)
    }

    /// Translates to source ports from this one on, and forgets every translation made so far.
    fn translate(&self, first_port: u16) -> Result<(), String> {
        self.router.run(&["nft", "flush chain ip sedge out"])?;
        let ports = format!("10.77.2.1:{first_port}-{}", first_port + 9_999);
        let rule = format!("add rule ip sedge out oifname outside ip protocol udp snat to {ports} random");
        self.router.run(&["nft", &rule])?;
        self.router.run(&["conntrack", "-F"])?;
        Ok(())
    }

    /// How many packets the router has dropped.
    fn dropped(&self) -> u64 {
        let rules =
            self.router.run(&["nft", "list", "chain", "ip", "sedge", "forward"]).expect("it is there");
        let mut words = rules.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|number| number.parse().ok()).expect("a counter")
    }
}

/// Runs so many devices with so many messages of so many bytes each, with a new translation now and then,
/// and checks that each message was delivered once. How long that takes is the machine's affair, as long as it goes on.
fn run(test: &str, devices: u32, messages: u32, bytes: usize) {
    let Some(network) = need::or_say_why(test, Network::new()) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let count = devices.to_string();
    let mut serving = network.broker.command(PROGRAM);
    serving.arg("broker").arg(&data).args(["10.77.2.2:5684", &count]);
    let mut broker = Running::start(&mut serving);
    broker.expect("serving", Duration::from_secs(60));

    let mut load: Command = network.devices.command(PROGRAM);
    load.args(["devices", "10.77.2.2:5684", &count, &messages.to_string(), &bytes.to_string()]);
    load.args([IMPAIRMENTS, "1"]);
    let mut load = Running::start(&mut load);
    let mut rebindings = 0;
    let (mut delivered, mut advanced) = (0, Instant::now());
    let result = loop {
        if let Some(result) = load.find("result ", REBINDING) {
            break result;
        }
        let printed = load.printed();
        assert!(load.is_running(), "the devices have given up:\n{printed}");
        let mut counts = printed.lines().filter_map(|line| line.split_once(" delivered;")?.0.parse().ok());
        let now: u32 = counts.next_back().unwrap_or(0);
        if now > delivered {
            (delivered, advanced) = (now, Instant::now());
        }
        assert!(advanced.elapsed() < STALLED, "nothing was delivered for {STALLED:?}:\n{printed}");
        rebindings += 1;
        network.translate(20_000 + rebindings % 4 * 10_000).expect("translated anew");
    };
    let link = load.expect("link ", Duration::from_secs(5));
    assert!(load.finish(Duration::from_secs(30)).success(), "{}", load.printed());

    broker.send_line("counters");
    broker.expect("counters end", Duration::from_secs(5));
    let printed = broker.printed();
    let counters: BTreeMap<&str, u64> = printed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let tally: BTreeMap<&str, u64> = result
        .split_whitespace()
        .filter_map(|field| field.split_once('='))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let counted = |name: &str| counters.get(name).copied().unwrap_or_else(|| panic!("no {name}: {printed}"));
    eprintln!(
        "{test}: {result}; router dropped {} packets, {rebindings} rebindings; {link}; broker: handshakes {}, \
         moved {}, published {}, duplicates {}, retransmissions {}",
        network.dropped(),
        counted("endpoint.handshakes_completed"),
        counted("endpoint.sessions_moved"),
        counted("topics.published"),
        counted("endpoint.duplicates"),
        counted("endpoint.retransmissions"),
    );
    for line in load.printed().lines().filter(|line| line.contains("again") || line.contains("new session")) {
        eprintln!("{test}: {line}");
    }

    assert_eq!(tally["delivered"], u64::from(devices * messages), "{result}");
    assert_eq!(tally["missing"], 0, "{result}");
    // A publisher that has had no answer to any of nine transmissions makes a new session and publishes again: that
    // value may come twice. So may the value after which a subscriber had to make a new session. No other may.
    let again = counted("topics.published").saturating_sub(u64::from(devices * messages));
    assert!(tally["duplicates"] <= tally["reconnected"] + again, "{result}:\n{}", load.printed());
    assert!(tally["reconnected"] <= u64::from(devices) / 10, "{result}");
    // The network was as bad as it claims to be.
    assert!(network.dropped() > u64::from(devices * messages) / 4);
    assert!(counted("endpoint.duplicates") > 0, "copies came, and were recognised");
    assert!(counted("endpoint.retransmissions") > 0);
    assert!(rebindings == 0 || counted("endpoint.sessions_moved") > 0, "sessions moved");
    broker.close_input();
    assert!(broker.finish(Duration::from_secs(30)).success(), "{}", broker.printed());
}

#[test]
fn ten_thousand_values_are_delivered_once_each() {
    run("e2e::ten_thousand_values", 200, 50, 64);
}

#[test]
fn values_of_64_kb_are_delivered_once_each_in_blocks() {
    run("e2e::values_of_64_kb", 80, 2, 65_536);
}
