//! What can happen to a network, as scenarios say it: each event with what it does to messages, and how it ends.

use sedge_sim::Simulation;
use sedge_sim::network::NodeId;
use sedge_sim::record::{Kind, Message};
use sedge_sim::scenario::Scenario;
use sedge_time::{Duration, Instant};

const RADIOS: &str = r#"
[topology]
kind = "csv"
places = [[0, 0], [15, 0], [0, 15]]
[radio]
profile = "nrf52840"
routing = "star"
[channel]
model = "disc"
range = 30.0
[[traffic]]
period = "5s"
bytes = 16
"#;

/// Three minutes of two devices that publish every five seconds, with these events.
fn run(network: &str, events: &str) -> Simulation {
    let text = format!("duration = \"3min\"\n{network}{events}");
    let scenario = Scenario::parse("events.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut simulation = scenario.builder(7).build().unwrap();
    simulation.run_until(Instant::EPOCH + scenario.duration);
    simulation
}

/// What a device has sent in these seconds.
fn sent(simulation: &Simulation, node: u16, seconds: std::ops::Range<u64>) -> Vec<Message> {
    let times = seconds.start * 1_000_000..seconds.end * 1_000_000;
    let mine = |message: &&Message| {
        message.kind == Kind::Publication
            && message.node.0 == node
            && times.contains(&message.created.as_micros())
    };
    simulation.record().messages().iter().filter(mine).cloned().collect()
}

/// How many of them arrived in these seconds.
fn arrivals(simulation: &Simulation, node: u16, seconds: std::ops::Range<u64>) -> usize {
    let times = seconds.start * 1_000_000..seconds.end * 1_000_000;
    let all = sent(simulation, node, 0..u64::from(u16::MAX));
    all.iter().filter_map(|message| message.arrived).filter(|at| times.contains(&at.as_micros())).count()
}

fn handshakes(simulation: &Simulation) -> usize {
    simulation.record().messages().iter().filter(|message| message.kind == Kind::Handshake).count()
}

#[test]
fn without_events_everything_arrives() {
    let simulation = run(RADIOS, "");
    for node in [1, 2] {
        assert!(arrivals(&simulation, node, 60..120) >= 11);
        assert!(sent(&simulation, node, 5..170).iter().all(|message| message.arrived.is_some()));
    }
}

#[test]
fn a_partition_cuts_off_some_and_heals() {
    let simulation =
        run(RADIOS, "[[event]]\nwhat = \"partition\"\nnodes = \"1\"\nat = \"60s\"\nfor = \"30s\"\n");
    assert_eq!(arrivals(&simulation, 1, 60..90), 0);
    assert!(arrivals(&simulation, 2, 60..90) >= 5, "the others go on");
    assert!(arrivals(&simulation, 1, 120..180) >= 8, "it heals");
}

#[test]
fn who_moves_out_of_reach_is_silent_until_it_comes_back() {
    let simulation = run(
        RADIOS,
        "[[event]]\nwhat = \"move\"\nnodes = 1\nto = [500, 0]\nat = \"60s\"\n\
         [[event]]\nwhat = \"move\"\nnodes = 1\nto = [15, 0]\nat = \"90s\"\n",
    );
    assert_eq!(arrivals(&simulation, 1, 60..90), 0);
    assert!(arrivals(&simulation, 2, 60..90) >= 5);
    assert!(arrivals(&simulation, 1, 120..180) >= 8);
}

#[test]
fn a_jammer_silences_everyone_while_it_lasts() {
    let simulation = run(
        RADIOS,
        "[[event]]\nwhat = \"jam\"\nposition = [2, 2]\npower = 20\nat = \"60s\"\nfor = \"30s\"\n",
    );
    for node in [1, 2] {
        assert_eq!(arrivals(&simulation, node, 61..90), 0);
        assert!(arrivals(&simulation, node, 130..180) >= 7);
    }
}

#[test]
fn the_dead_say_nothing_and_a_power_cut_ends() {
    let simulation = run(
        RADIOS,
        "[[event]]\nwhat = \"die\"\nnodes = 1\nat = \"60s\"\n\
         [[event]]\nwhat = \"power-cut\"\nnodes = 2\nat = \"60s\"\nfor = \"30s\"\n",
    );
    assert_eq!(sent(&simulation, 1, 61..180).len(), 0);
    assert_eq!(sent(&simulation, 2, 61..90).len(), 0);
    assert!(arrivals(&simulation, 2, 90..180) >= 15);
    assert_eq!(handshakes(&simulation), 3, "who had no power signs in anew");
}

#[test]
fn a_new_binding_costs_a_handshake_only_without_connection_id() {
    let event = "[[event]]\nwhat = \"nat-rebind\"\nnodes = 1\nat = \"60s\"\n";
    let with = |id: bool| {
        let protocol = format!("[protocol]\nconnection-id = {id}\nack-timeout = \"500ms\"\n{event}");
        run(RADIOS, &protocol)
    };
    let (named, nameless) = (with(true), with(false));
    assert_eq!(handshakes(&named), 2);
    assert!(sent(&named, 1, 5..170).iter().all(|message| message.arrived.is_some()));
    assert!(handshakes(&nameless) > 2);
    assert!(arrivals(&nameless, 1, 120..180) >= 8, "it has signed in again");
}

#[test]
fn a_broker_that_starts_anew_has_its_devices_back_soon() {
    let simulation = run(RADIOS, "[[event]]\nwhat = \"broker-restart\"\nat = \"60s\"\n");
    assert!(handshakes(&simulation) >= 4);
    assert_eq!(simulation.sessions(), 2);
    assert!(arrivals(&simulation, 1, 150..180) >= 5);
}

#[test]
fn a_clock_that_runs_fast_publishes_more_often() {
    let event = "[[event]]\nwhat = \"clock-drift\"\nnodes = 1\nppm = 100_000\nat = \"0s\"\n";
    let simulation = run(RADIOS, event);
    let count = |node| sent(&simulation, node, 0..180).len();
    assert!(count(1) >= count(2) + 3, "{} and {}", count(1), count(2));
}

/// The clock of a device that sleeps is that of its polls, too.
#[test]
fn a_clock_that_drifts_moves_polls() {
    let sleepy = RADIOS.replace("[radio]", "[radio]\nrole = \"sleepy\"\npoll = \"250ms\"");
    let event = "[[event]]\nwhat = \"clock-drift\"\nnodes = 1\nppm = 100_000\nat = \"30s\"\n";
    let simulation = run(&sleepy, event);
    let frames = |node| simulation.network().counters(NodeId(node)).frames;
    // 600 polls become 660.
    assert!(frames(1) >= frames(2) + 40, "{} and {}", frames(1), frames(2));
}

/// A command to a sleepy device waits for its next poll; while it is awake, it does not.
#[test]
fn commands_reach_sleepers_when_they_ask_and_at_once_while_they_are_awake() {
    let sleepy = RADIOS
        .replace("[radio]", "[radio]\nrole = \"sleepy\"\npoll = \"4s\"")
        .replace("period = \"5s\"\nbytes = 16", "kind = \"command\"\nperiod = \"7s\"\nbytes = 16");
    let simulation = run(
        &sleepy,
        "[[event]]\nwhat = \"wake\"\nat = \"60s\"\n[[event]]\nwhat = \"sleep\"\nat = \"120s\"\n",
    );
    let latencies = |seconds: std::ops::Range<u64>| -> Vec<Duration> {
        let record = simulation.record();
        let commands = record.messages().iter().filter(|message| {
            message.kind == Kind::Command && seconds.contains(&(message.created.as_micros() / 1_000_000))
        });
        commands.filter_map(Message::latency).collect()
    };
    let slow = |latencies: &[Duration]| latencies.iter().any(|time| *time > Duration::from_millis(500));
    assert!(slow(&latencies(20..60)) && slow(&latencies(121..175)));
    let awake = latencies(62..118);
    assert!(awake.len() >= 6 && awake.iter().all(|time| *time < Duration::from_millis(100)), "{awake:?}");
}
