//! The device that the tests of emulated devices drive. Behind its credential the command line has settings and then
//! steps; it does one after the other, and says what became of each.
//!
//! | setting | |
//! |---|---|
//! | `clock=MICROS` | the counter starts there |
//! | `flash=FILE` | where sequence numbers are kept |
//! | `session=FILE` | where the session is saved |
//! | `reserve=N` | after how many records it is saved again |
//! | `power=N` | it fails in the operation of either flash after N |
//! | `attempts=N` | how often a flight of a handshake is sent again |
//! | `dtls=1.3` | the version of DTLS, in place of 1.2 |
//! | `ack=MILLIS` | how long an acknowledgement is awaited before a message is sent again |
//! | `repeat=N` | how often it is sent again |
//!
//! | step | |
//! |---|---|
//! | `restore` | goes on with the session that was saved |
//! | `connect SECONDS` | tries for so long |
//! | `publish TOPIC VALUE` | |
//! | `large TOPIC BYTES` | publishes a value of that length |
//! | `burst TOPIC COUNT` | publishes so many values, one after the other |
//! | `keep TOPIC COUNT` | publishes so many values, to `TOPIC/0` and so on, each again until the broker has it |
//! | `await TOPIC VALUE` | subscribes, if it has not yet, and waits for that value |
//! | `fetch TOPIC` | reads a value of up to 64 KB |
//! | `sleep SECONDS` | does nothing at all |
//! | `protect TOPIC COUNT` | publishes so many values that only the group can read |
//! | `count` | says what was dropped |
//! | `close` | says goodbye |
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::fmt;

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sedge_client::protected::Group;
use sedge_client::{
    Client, ClientResources, Clock as _, Config, ContentFormat, Error, Profile, Request, SubscriptionId,
    Versions,
};
use sedge_crypto::{Crypto as _, Hash as _, Rfc7925, RustCrypto};
use sedge_dtls::{Absent, Present};
use sedge_firmware_mps2::board::{self, Entropy, Flash, Ticks, host};
use sedge_firmware_mps2::command_line::{Credential, Words};
use sedge_firmware_mps2::network::Network;
use sedge_time::Duration;

type Provider = Rfc7925<RustCrypto>;
type Memory = ClientResources<EitherVersion, Entropy, 2, 3>;
type Device = Client<Memory, Network, Ticks>;

/// Pre-shared keys, with DTLS 1.2 or 1.3 as the test wants it.
struct EitherVersion;

impl Profile for EitherVersion {
    type Crypto = Provider;
    type Flight = [u8; 416];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 192];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = true;
    const ECDHE: bool = false;
    type Ephemeral = Absent;
    const CERTIFICATES: bool = false;
    const RESUMPTION: bool = false;
}

/// The longest value that the broker keeps.
const LONGEST: usize = 65_536;
/// Pages of flash for sequence numbers.
const PAGES: usize = 4;

#[entry]
fn main() -> ! {
    match board::run(run()) {
        Ok(()) => {
            hprintln!("all steps done");
            host::exit_success()
        }
        Err(why) => host::exit_failure(why),
    }
}

/// What stands before the steps.
#[derive(Default)]
struct Settings<'a> {
    clock: u64,
    flash: Option<&'a str>,
    session: Option<&'a str>,
    reserve: u32,
    power: Option<u32>,
    attempts: Option<u8>,
    dtls_1_3: bool,
    ack: Option<u64>,
    repeat: Option<u8>,
}

impl<'a> Settings<'a> {
    fn read(words: &mut Words<'a>) -> Option<Self> {
        let mut settings = Self::default();
        while let Some((name, value)) = words.clone().next()?.split_once('=') {
            match name {
                "clock" => settings.clock = value.parse().ok()?,
                "flash" => settings.flash = Some(value),
                "session" => settings.session = Some(value),
                "reserve" => settings.reserve = value.parse().ok()?,
                "power" => settings.power = Some(value.parse().ok()?),
                "attempts" => settings.attempts = Some(value.parse().ok()?),
                "dtls" => settings.dtls_1_3 = value == "1.3",
                "ack" => settings.ack = Some(value.parse().ok()?),
                "repeat" => settings.repeat = Some(value.parse().ok()?),
                _ => return None,
            }
            let _read = words.next();
        }
        Some(settings)
    }
}

async fn run() -> Result<(), &'static str> {
    let mut line = [0; 512];
    let (credential, mut words) =
        Credential::from_command_line(&mut line).ok_or("the command line has no credential")?;
    let settings = Settings::read(&mut words).ok_or("the settings make no sense")?;
    let clock = Ticks::start(settings.clock);
    let network = Network::start(credential.broker, clock).ok_or("there is no network")?;
    let security = credential.security().ok_or("the key is too long")?;
    let entropy = Entropy::open().ok_or("there is no entropy")?;
    let mut config = Config { reserve: settings.reserve, ..Config::default() };
    if let Some(attempts) = settings.attempts {
        config.endpoint.dtls.retransmission.attempts = attempts;
    }
    config.endpoint.versions = if settings.dtls_1_3 { Versions::ONLY_1_3 } else { Versions::ONLY_1_2 };
    let transmission = &mut config.endpoint.transmission;
    if let Some(millis) = settings.ack {
        transmission.ack_timeout = Duration::from_millis(millis);
    }
    transmission.max_retransmit = settings.repeat.unwrap_or(transmission.max_retransmit);
    let client = Client::new(config, security, network, clock, Rfc7925(RustCrypto), entropy)
        .map_err(|_| "the credential does not fit its memory")?;
    let open = |name| Flash::open(name, PAGES, settings.power).ok_or("there is no flash");
    let flash = settings.flash.map(open).transpose()?;
    let session = settings.session.map(open).transpose()?;
    let body = cortex_m::singleton!(: [u8; LONGEST] = [0; LONGEST]).ok_or("the memory is taken")?;
    let (name, subscriptions) = (credential.identity(), [None; 2]);
    let mut trial = Trial { client, clock, flash, session, name, subscriptions, body };
    while let Some(step) = words.next() {
        trial.step(step, &mut words).await.ok_or("a step makes no sense")?;
    }
    Ok(())
}

struct Trial<'a> {
    client: Device,
    clock: Ticks,
    flash: Option<Flash>,
    session: Option<Flash>,
    /// What the operator calls the device.
    name: &'a str,
    subscriptions: [Option<SubscriptionId>; 2],
    body: &'static mut [u8; LONGEST],
}

impl Trial<'_> {
    /// Does a step; nothing if there is no such step, or a word is missing.
    async fn step(&mut self, step: &str, words: &mut Words<'_>) -> Option<()> {
        match step {
            "connect" => self.connect(words.next()?.parse().ok()?).await,
            "restore" => match self.session.as_mut().map(|pages| self.client.restore(pages)) {
                Some(Ok(true)) => hprintln!("restore: the session goes on"),
                _ => hprintln!("restore: there is none"),
            },
            "publish" => {
                let outcome = self.publish(words.next()?, words.next()?.as_bytes()).await;
                tell(step, outcome);
            }
            "large" => {
                let (topic, len) = (words.next()?, words.next()?.parse().ok()?);
                let value = self.body.get(..len)?;
                tell(step, self.client.publish(topic, ContentFormat::OCTET_STREAM, value).await);
            }
            "burst" => self.burst(words.next()?, words.next()?.parse().ok()?).await,
            "keep" => self.keep(words.next()?, words.next()?.parse().ok()?).await,
            "await" => self.wait_for(words.next()?, words.next()?).await,
            "fetch" => self.fetch(words.next()?).await,
            "sleep" => {
                let end = self.clock.time() + Duration::from_secs(words.next()?.parse().ok()?);
                self.clock.sleep_until(end).await;
                hprintln!("sleep: done");
            }
            "protect" => self.protect(words.next()?, words.next()?.parse().ok()?).await?,
            "count" => {
                let gate = self.client.socket_mut().dropped();
                hprintln!("count: {} at the gate, {} by the client", gate, self.client.counters().discarded);
            }
            "close" => {
                self.client.close().await;
                hprintln!("close: done");
            }
            _ => return None,
        }
        Some(())
    }

    /// Publishes a value, and saves the session whenever that has to come first.
    async fn publish(&mut self, topic: &str, value: &[u8]) -> Result<(), Error<Infallible>> {
        loop {
            match self.client.publish(topic, ContentFormat::TEXT, value).await {
                Err(Error::Unsaved) => self.save(),
                other => return other,
            }
        }
    }

    fn save(&mut self) {
        match self.session.as_mut().map(|pages| self.client.save(pages)) {
            Some(Ok(())) => hprintln!("saved"),
            _ => host::exit_failure("the session cannot be saved"),
        }
    }

    async fn connect(&mut self, seconds: u64) {
        let end = self.clock.time() + Duration::from_secs(seconds);
        loop {
            let attempt = board::until(&self.clock, end, self.client.connect()).await;
            match attempt {
                Some(Err(Error::Unsaved)) => self.save(),
                Some(outcome) => {
                    tell("connect", outcome);
                    if outcome.is_ok() {
                        return;
                    }
                }
                None => return hprintln!("connect: given up"),
            }
        }
    }

    async fn burst(&mut self, topic: &str, count: u32) {
        for number in 0..count {
            let mut digits = [0; 10];
            let value = decimal(number, &mut digits);
            if let Err(error) = self.publish(topic, value).await {
                hprintln!("burst: {}", error);
            }
        }
        hprintln!("burst: done");
    }

    /// Each value has a topic of its own, so that whoever reads them sees whether one is missing.
    async fn keep(&mut self, topic: &str, count: u32) {
        for number in 0..count {
            let (mut digits, mut name) = ([0; 10], Name::new(topic));
            let value = decimal(number, &mut digits);
            name.push(b"/");
            name.push(value);
            while let Err(error) = self.publish(name.as_str(), value).await {
                hprintln!("keep: {} has to be said again: {}", number, error);
            }
            hprintln!("keep: the broker has {}", number);
        }
    }

    async fn wait_for(&mut self, topic: &str, wanted: &str) {
        let known = |id: &SubscriptionId| self.client.topic(*id) == Some(topic);
        if !self.subscriptions.iter().flatten().any(known) {
            match self.client.subscribe(topic).await {
                Ok(id) => {
                    if let Some(place) = self.subscriptions.iter_mut().find(|place| place.is_none()) {
                        *place = Some(id);
                    }
                    hprintln!("await: subscribed");
                }
                Err(error) => return hprintln!("await: {}", error),
            }
        }
        loop {
            let mut buffer = [0; 64];
            match self.client.next(&mut buffer).await {
                Ok(value) => {
                    let text = core::str::from_utf8(value.payload).unwrap_or("?");
                    hprintln!("value: {}", text);
                    if text == wanted {
                        return hprintln!("await: done");
                    }
                }
                // Whatever it is, the connection and the subscription are made again.
                Err(error) => hprintln!("await: {}", error),
            }
        }
    }

    async fn fetch(&mut self, topic: &str) {
        let topic = sedge_client::Target::Topic(topic);
        let request = Request::new(sedge_client::Code::GET, topic);
        match self.client.request(&request, &mut self.body[..]).await {
            Ok(answer) if answer.code.is_success() => {
                let mut hash = Rfc7925(RustCrypto).sha256();
                hash.update(answer.payload);
                hprintln!("fetch: {} bytes, SHA-256 {}", answer.payload.len(), Hex(&hash.finish()));
            }
            Ok(answer) => hprintln!("fetch: the server answered {:?}", answer.code),
            Err(error) => hprintln!("fetch: {}", error),
        }
    }

    async fn protect(&mut self, topic: &str, count: u32) -> Option<()> {
        let mut groups = [Group::<_, 2, 2, 32>::new(topic, self.flash.take()?)?.named(self.name)?];
        let mut scratch = [0; 256];
        for number in 0..count {
            let mut digits = [0; 10];
            let value = decimal(number, &mut digits);
            let mut protected = self.client.protected(&mut groups, &mut scratch);
            match protected.publish(topic, ContentFormat::TEXT, value).await {
                Ok(()) => hprintln!("protect: {}", number),
                Err(error) => hprintln!("protect: {}", error),
            }
        }
        hprintln!("protect: done");
        Some(())
    }
}

fn tell<E: fmt::Display>(step: &str, outcome: Result<(), Error<E>>) {
    match outcome {
        Ok(()) => hprintln!("{}: done", step),
        Err(error) => hprintln!("{}: {}", step, error),
    }
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// The name of a topic.
struct Name {
    bytes: [u8; 48],
    len: usize,
}

impl Name {
    fn new(start: &str) -> Self {
        let mut name = Self { bytes: [0; 48], len: 0 };
        name.push(start.as_bytes());
        name
    }

    /// Takes as much as there is room for.
    fn push(&mut self, more: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.len).zip(more) {
            *place = *byte;
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("")
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
