//! The two ends of the end-to-end tests, each a process on a host of its own.
//!
//! `sedge-e2e broker FOLDER ADDRESS DEVICES` serves until its input ends; a line `counters` has it print them.
//! `sedge-e2e devices ADDRESS DEVICES MESSAGES BYTES IMPAIRMENTS SEED` runs so many publishers, each with a
//! subscriber over a session of its own, through a bad link to the broker, and prints what became of the messages.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};
use sedge_client::tokio::{Client, Socket, client};
use sedge_client::{ContentFormat, Error, Psk, Security, SubscriptionId};
use sedge_dtls::Retransmission;
use sedge_sim::relay::{Options, Relay};
use tokio::sync::watch;
use tokio::task::LocalSet;

/// CoAP's ACK_TIMEOUT at both ends: a few round trips of the link.
const ACK_TIMEOUT: Duration = Duration::from_millis(100);
/// CoAP's MAX_RETRANSMIT at both ends: at 20 % loss each way one exchange in 10,000 is still given up.
const MAX_RETRANSMIT: u8 = 8;
/// How long a subscriber waits for a value that the broker has before it subscribes anew: behind a router that has
/// forgotten its translation nothing reaches it until it sends something itself.
const PATIENCE: Duration = Duration::from_secs(6);
/// How much longer for each block of the value, which it fetches one by one.
const PATIENCE_PER_BLOCK: Duration = Duration::from_millis(700);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["broker", folder, address, devices] => broker(folder, address, devices),
        ["devices", address, devices, messages, bytes, impairments, seed] => {
            Load::parse(address, devices, messages, bytes, impairments, seed).and_then(|load| load.run())
        }
        _ => Err("usage: see the source".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A key that both ends know without being told.
fn key(number: u32) -> [u8; 16] {
    std::array::from_fn(|at| number.to_be_bytes()[at % 4] ^ at as u8)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn broker(folder: &str, address: &str, devices: &str) -> Outcome<()> {
    let mut config = Config { shards: 2, ..Config::default() };
    config.listen.coaps = vec![address.parse()?];
    config.timing.ack_timeout = ACK_TIMEOUT;
    config.timing.max_retransmit = MAX_RETRANSMIT;
    config.timing.body_timeout = Duration::from_secs(300);
    let broker = Broker::start(&DataDir::new(folder), config)?;
    let runtime = runtime()?;
    for number in 0..devices.parse()? {
        let topic = TopicPattern::new(&format!("e2e/{number}")).map_err(|error| error.to_string())?;
        for (role, permission) in [("publisher", Permissions::PUBLISH), ("subscriber", Permissions::READ)] {
            let device = NewDevice {
                name: format!("{role}-{number}"),
                identity: None,
                key: Some(Key::from_bytes(&key(number)).map_err(|_| "no key")?),
                // A publisher that has given up reads what became of its value.
                grants: Grants::none().with(topic.clone(), permission).with(topic.clone(), Permissions::READ),
                ..NewDevice::default()
            };
            match runtime.block_on(broker.administer(AdminRequest::DeviceAdd(device))) {
                AdminReply::Enrolled(..) => {}
                other => return Err(format!("{other:?}").into()),
            }
        }
    }
    println!("serving");
    for line in std::io::stdin().lines() {
        if line?.trim() == "counters"
            && let AdminReply::Status(status) = runtime.block_on(broker.administer(AdminRequest::Status))
        {
            for counter in status.counters {
                println!("{} {}", counter.name, counter.value);
            }
            println!("counters end");
        }
    }
    broker.stop()?;
    Ok(())
}

/// What the devices are to do.
#[derive(Clone)]
struct Load {
    server: SocketAddr,
    devices: u32,
    messages: u32,
    bytes: usize,
    impairments: String,
    seed: u64,
}

/// What became of one device's messages.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    delivered: u64,
    duplicates: u64,
    missing: u64,
    /// Sessions that were lost and made again.
    reconnected: u64,
    /// Observations that were lost and made again.
    resubscribed: u64,
    retransmissions: u64,
}

impl Load {
    fn parse(
        address: &str,
        devices: &str,
        messages: &str,
        bytes: &str,
        impairments: &str,
        seed: &str,
    ) -> Outcome<Self> {
        Ok(Self {
            server: address.parse()?,
            devices: devices.parse()?,
            messages: messages.parse()?,
            bytes: bytes.parse()?,
            impairments: impairments.to_owned(),
            seed: seed.parse()?,
        })
    }

    fn run(self) -> Outcome<()> {
        let impairments: sedge_sim::link::Impairments = self.impairments.parse()?;
        let options = Options { up: impairments.clone(), down: impairments, seed: self.seed };
        let relay = Relay::start(([127, 0, 0, 1], 0).into(), self.server, options)?;
        let started = std::time::Instant::now();
        let local = LocalSet::new();
        let progress: Progress = (0..self.devices).map(|_| Cell::new(0)).collect();
        local.spawn_local(report(progress.clone(), self.messages));
        let tasks: Vec<_> = (0..self.devices)
            .map(|number| local.spawn_local(device(self.clone(), relay.address(), number, progress.clone())))
            .collect();
        let tallies = runtime()?.block_on(local.run_until(async {
            let mut tallies = Vec::new();
            for task in tasks {
                tallies.push(task.await??);
            }
            Outcome::Ok(tallies)
        }))?;
        let sum = |field: fn(&Tally) -> u64| tallies.iter().map(field).sum::<u64>();
        println!(
            "result delivered={} duplicates={} missing={} reconnected={} resubscribed={} retransmissions={} seconds={}",
            sum(|tally| tally.delivered),
            sum(|tally| tally.duplicates),
            sum(|tally| tally.missing),
            sum(|tally| tally.reconnected),
            sum(|tally| tally.resubscribed),
            sum(|tally| tally.retransmissions),
            started.elapsed().as_secs(),
        );
        let report = relay.report()?;
        println!("link {report:?}");
        Ok(())
    }
}

/// How many values of each device were delivered.
type Progress = Rc<[Cell<u32>]>;

/// Says every few seconds how far the devices are.
async fn report(progress: Progress, messages: u32) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let done: u32 = progress.iter().map(Cell::get).sum();
        let late: Vec<_> =
            progress.iter().enumerate().filter(|(_, device)| device.get() < messages).collect();
        let behind = late.iter().min_by_key(|(_, device)| device.get());
        eprintln!("{done} delivered; {} devices not done, the last is {behind:?}", late.len());
    }
}

async fn connected(relay: SocketAddr, role: &str, number: u32) -> Outcome<Client> {
    let mut config = sedge_client::tokio::config();
    config.endpoint.transmission.ack_timeout = ACK_TIMEOUT.into();
    config.endpoint.transmission.max_retransmit = MAX_RETRANSMIT;
    config.endpoint.dtls.retransmission = Retransmission {
        initial: sedge_time::Duration::from_millis(200),
        attempts: 8,
        ..Retransmission::default()
    };
    let identity = format!("{role}-{number}");
    let security =
        Security::Psk { identity: identity.as_bytes(), key: Psk::new(&key(number)).ok_or("no key")? };
    let mut client = client(Socket::connect(relay).await?, security, config)?;
    while let Err(error) = client.connect().await {
        eprintln!("{identity}: {error}, trying again");
    }
    Ok(client)
}

/// A value whose beginning says its number and whose every byte depends on it.
fn value(device: u32, number: u32, bytes: usize) -> Vec<u8> {
    let mut random = sedge_sim::Random::for_part(u64::from(device), u64::from(number));
    let mut value = number.to_be_bytes().to_vec();
    value.extend(std::iter::repeat_with(|| random.bits() as u8).take(bytes.saturating_sub(4)));
    value
}

/// One publisher and its subscriber: the next value is published when the broker has acknowledged the last one
/// and the subscriber has seen it.
async fn device(load: Load, relay: SocketAddr, number: u32, progress: Progress) -> Outcome<Tally> {
    let topic = format!("e2e/{number}");
    let mut publisher = connected(relay, "publisher", number).await?;
    let (acknowledged, published) = watch::channel(0);
    let (seen, mut delivered) = watch::channel(0);
    let subscriber = tokio::task::spawn_local(subscribe(load.clone(), relay, number, published, seen));
    for message in 1..=load.messages {
        let value = value(number, message, load.bytes);
        let sessions = publisher.counters().handshakes_completed;
        while let Err(error) = publisher.publish(&topic, ContentFormat::OCTET_STREAM, &value).await {
            eprintln!("publisher-{number}: {error}, trying again");
            if matches!(error, Error::Refused(_)) {
                return Err(error.into());
            }
        }
        if publisher.counters().handshakes_completed != sessions {
            eprintln!("publisher-{number}: value {message} took a new session");
        }
        acknowledged.send_replace(message);
        if delivered.wait_for(|delivered| *delivered >= message).await.is_err() {
            return Err(subscriber.await?.err().unwrap_or_else(|| "a subscriber has left early".into()));
        }
        progress[number as usize].set(message);
    }
    drop(acknowledged);
    let mut tally = subscriber.await??;
    let counters = publisher.counters();
    tally.reconnected += u64::from(counters.handshakes_completed.saturating_sub(1));
    tally.retransmissions += u64::from(counters.retransmissions);
    publisher.close().await;
    Ok(tally)
}

/// Subscribes, however often the connection is lost meanwhile.
async fn subscribed(client: &mut Client, number: u32, topic: &str) -> Outcome<SubscriptionId> {
    loop {
        match client.subscribe(topic).await {
            Ok(subscription) => return Ok(subscription),
            Err(Error::Disconnected(reason)) => eprintln!("subscriber-{number}: {reason}, trying again"),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn subscribe(
    load: Load,
    relay: SocketAddr,
    number: u32,
    mut published: watch::Receiver<u32>,
    seen: watch::Sender<u32>,
) -> Outcome<Tally> {
    let topic = format!("e2e/{number}");
    let mut client = connected(relay, "subscriber", number).await?;
    let mut subscription = subscribed(&mut client, number, &topic).await?;
    let mut tally = Tally::default();
    let mut counts = vec![0_u64; load.messages as usize + 1];
    let mut buffer = vec![0; load.bytes.max(64)];
    let blocks = u32::try_from(load.bytes / 1_024)?;
    let patience = PATIENCE + PATIENCE_PER_BLOCK * blocks;
    let mut silent_since = tokio::time::Instant::now();
    loop {
        let behind = *published.borrow() > *seen.borrow();
        tokio::select! {
            outcome = client.next(&mut buffer) => match outcome {
                Ok(notification) => {
                    let payload = notification.payload;
                    let message = u32::from_be_bytes(*payload.first_chunk().ok_or("a short value")?);
                    if payload != value(number, message, load.bytes) {
                        return Err(format!("subscriber-{number}: value {message} was spoilt").into());
                    }
                    counts[message as usize] += 1;
                    if counts[message as usize] > 1 {
                        let sessions = client.counters().handshakes_completed;
                        let subscriptions = tally.resubscribed + 1;
                        eprintln!(
                            "subscriber-{number}: value {message} came again, in session {sessions}, subscription {subscriptions}"
                        );
                    }
                    seen.send_modify(|seen| *seen = message.max(*seen));
                    silent_since = tokio::time::Instant::now();
                }
                Err(error) => eprintln!("subscriber-{number}: {error}"),
            },
            changed = published.changed() => {
                if changed.is_err() {
                    break;
                }
                silent_since = tokio::time::Instant::now();
            }
            () = tokio::time::sleep_until(silent_since + patience), if behind => {
                client.unsubscribe(subscription).await;
                subscription = subscribed(&mut client, number, &topic).await?;
                tally.resubscribed += 1;
                silent_since = tokio::time::Instant::now();
            }
        }
    }
    // What was under way when the last value came would be a duplicate.
    while let Ok(Ok(notification)) =
        tokio::time::timeout(Duration::from_millis(500), client.next(&mut buffer)).await
    {
        let message = u32::from_be_bytes(*notification.payload.first_chunk().ok_or("a short value")?);
        counts[message as usize] += 1;
    }
    for count in &counts[1..] {
        tally.delivered += u64::from(*count > 0);
        tally.missing += u64::from(*count == 0);
        tally.duplicates += count.saturating_sub(1);
    }
    let counters = client.counters();
    tally.reconnected += u64::from(counters.handshakes_completed.saturating_sub(1));
    tally.retransmissions += u64::from(counters.retransmissions);
    client.close().await;
    Ok(tally)
}
