//! What is counted while the demo runs, how it looks, and the table at its end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

use sedge_broker::admin::Status;
use serde_json::{Value as Json, json};

use super::device::Device;
use super::display::Display;
use super::stage::{DISPLAY, Stage};
use crate::codec::senml::{self, Value};
use crate::codec::value::unit_symbol;
use crate::failure::Failure;
use crate::output::{self, Style, count};

/// Every reading that was published, and whether it has arrived.
#[derive(Clone)]
pub(super) struct Tally(Rc<Inner>);

struct Inner {
    /// Whether what happens is printed.
    prints: bool,
    style: Style,
    start: Instant,
    published: Cell<u64>,
    delivered: Cell<u64>,
    /// Values that nobody published, or that came twice.
    strange: Cell<u64>,
    over: Cell<bool>,
    /// Topic and payload of readings on their way.
    missing: RefCell<BTreeSet<(String, Vec<u8>)>>,
}

impl Tally {
    pub(super) fn new(prints: bool) -> Self {
        Self(Rc::new(Inner {
            prints,
            style: Style::stdout(),
            start: Instant::now(),
            published: Cell::new(0),
            delivered: Cell::new(0),
            strange: Cell::new(0),
            over: Cell::new(false),
            missing: RefCell::default(),
        }))
    }

    /// Says who is there.
    pub(super) fn scene(&self, stage: &Stage, seconds: u64) -> Result<(), Failure> {
        let style = self.0.style;
        let names: Vec<&str> = super::DEVICES.iter().map(|(name, ..)| *name).collect();
        self.print(format_args!(
            "{}  {}\n{}  {}\n{}  {}, each with a key of its own, and a {DISPLAY} that reads\n\n\
             Readings as the {DISPLAY} sees them, for {seconds} s:\n",
            style.bold("broker  "),
            format_args!("coaps://{}", stage.address()),
            style.bold("store   "),
            format_args!("{}, removed at the end", stage.folder().display()),
            style.bold("enrolled"),
            names.join(", "),
        ))
    }

    pub(super) fn published(&self, topic: &str, payload: &[u8]) {
        self.0.published.set(self.0.published.get() + 1);
        self.0.missing.borrow_mut().insert((topic.into(), payload.into()));
    }

    /// All that will be published has been.
    pub(super) fn published_all(&self) {
        self.0.over.set(true);
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.over.get()
    }

    /// Whether everything has been published and has arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.is_over() && self.0.missing.borrow().is_empty()
    }

    pub(super) fn delivered(&self, topic: &str, payload: &[u8]) -> Result<(), Failure> {
        if !self.0.missing.borrow_mut().remove(&(topic.into(), payload.into())) {
            self.0.strange.set(self.0.strange.get() + 1);
            return Ok(());
        }
        self.0.delivered.set(self.0.delivered.get() + 1);
        let style = self.0.style;
        let records = senml::decode(payload).map_err(|error| Failure::new(format!("a reading: {error}")))?;
        let values = records.iter().map(|record| match (&record.value, &record.unit) {
            (Some(Value::Number(number)), Some(unit)) if unit == "Cel" => {
                format!("{number:>6.1} {}", unit_symbol(unit))
            }
            (Some(Value::Number(number)), Some(unit)) => format!("{number:>4.0} {}", unit_symbol(unit)),
            _ => String::new(),
        });
        let values: String = values.collect();
        self.print(format_args!("{}  {}{values}", self.clock(), style.cyan(format_args!("{topic:<22}"))))
    }

    pub(super) fn moved(&self, device: &str, from: u16, to: u16) -> Result<(), Failure> {
        self.print(format_args!(
            "{}  {}",
            self.clock(),
            self.0.style.yellow(format_args!(
                "{device} moves from port {from} to port {to}, and its session goes on"
            ))
        ))
    }

    fn clock(&self) -> String {
        let elapsed = self.0.start.elapsed().as_secs_f64();
        self.0.style.dim(format_args!("{elapsed:>6.2} s"))
    }

    fn print(&self, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        if self.0.prints { output::line(text) } else { Ok(()) }
    }
}

/// What the demo has shown.
pub(super) struct Report {
    seconds: u64,
    style: Style,
    sessions: u64,
    handshakes: u64,
    moved: u64,
    published: u64,
    delivered: u64,
    strange: u64,
    retransmitted: u64,
    /// Bytes of UDP payload, on average.
    handshake_bytes: u64,
    publish_bytes: u64,
    acknowledgement_bytes: u64,
    notification_bytes: u64,
}

impl Report {
    pub(super) fn new(
        tally: &Tally,
        devices: &[Device],
        display: &Display,
        status: &Status,
        seconds: u64,
    ) -> Self {
        let counter = |name: &str| {
            let found = status.counters.iter().filter(|counter| counter.name.ends_with(name));
            found.map(|counter| counter.value).sum::<u64>()
        };
        let handshakes: u64 = devices.iter().map(Device::handshakes).sum::<u64>() + display.handshakes();
        let ours: u64 = devices.iter().map(Device::retransmissions).sum::<u64>() + display.retransmissions();
        let sum = |count: fn(&Device) -> u64| devices.iter().map(count).sum::<u64>();
        let published = tally.0.published.get();
        let notified = display.traffic();
        Self {
            seconds,
            style: tally.0.style,
            sessions: status.sessions,
            handshakes: handshakes.max(counter("handshakes_completed")),
            moved: counter("sessions_moved"),
            published,
            delivered: tally.0.delivered.get(),
            strange: tally.0.strange.get(),
            retransmitted: ours + counter("retransmissions"),
            handshake_bytes: mean(sum(|device| device.handshake().bytes()), devices.len() as u64),
            publish_bytes: mean(sum(|device| device.traffic().sent_bytes), published),
            acknowledgement_bytes: mean(sum(|device| device.traffic().received_bytes), published),
            notification_bytes: mean(notified.received_bytes, notified.received_datagrams),
        }
    }

    /// Whether every reading arrived, and nothing else.
    pub(super) const fn is_complete(&self) -> bool {
        self.delivered == self.published && self.strange == 0
    }

    pub(super) fn what_is_missing(&self) -> String {
        match self.published - self.delivered {
            0 => format!("{} came that nobody had published", count(self.strange, "reading")),
            lost => format!("{} of {} did not arrive", lost, count(self.published, "reading")),
        }
    }

    pub(super) fn in_words(&self) -> String {
        let style = self.style;
        let lost = self.published - self.delivered;
        let good = |good: bool, text: String| if good { style.green(text) } else { style.red(text) };
        let moved = match self.moved {
            0 => String::new(),
            _ => format!("one each; {} moved without another", count(self.moved, "session")),
        };
        let rows = [
            ("sessions", format!("{:>6}", self.sessions), "three devices and the display".into()),
            ("handshakes", format!("{:>6}", self.handshakes), moved),
            ("published", format!("{:>6}", self.published), "readings, acknowledged by the broker".into()),
            (
                "delivered",
                good(lost == 0, format!("{:>6}", self.delivered)),
                "readings, decrypted by the display".into(),
            ),
            ("lost", good(lost == 0, format!("{lost:>6}")), String::new()),
            ("retransmitted", format!("{:>6}", self.retransmitted), String::new()),
            ("bytes on the wire", format!("{:>6}", self.publish_bytes), "to publish a reading".into()),
            ("", format!("{:>6}", self.acknowledgement_bytes), "to acknowledge it".into()),
            ("", format!("{:>6}", self.notification_bytes), "to deliver it".into()),
            ("", format!("{:>6}", self.handshake_bytes), "for a handshake, both ways".into()),
        ];
        let lines: Vec<String> = rows
            .into_iter()
            .map(|(name, number, note)| {
                let line =
                    format!("{}{number}   {}", style.bold(format_args!("{name:<18}")), style.dim(note));
                line.trim_end().to_owned()
            })
            .collect();
        format!("\n{}", lines.join("\n"))
    }

    pub(super) fn in_json(&self) -> Json {
        json!({
            "seconds": self.seconds,
            "sessions": self.sessions,
            "handshakes": self.handshakes,
            "moved": self.moved,
            "published": self.published,
            "delivered": self.delivered,
            "lost": self.published - self.delivered,
            "retransmitted": self.retransmitted,
            "bytes": {
                "handshake": self.handshake_bytes,
                "publish": self.publish_bytes,
                "acknowledgement": self.acknowledgement_bytes,
                "notification": self.notification_bytes,
            },
        })
    }
}

/// Rounded to the nearest.
fn mean(sum: u64, number: u64) -> u64 {
    (sum + number / 2).checked_div(number).unwrap_or(0)
}
