//! `sedge demo`: the whole path once. A broker with its store in a temporary folder, three devices with fresh
//! credentials and a display, all in this process, over real sockets and real DTLS.

mod device;
mod display;
mod report;
mod stage;

use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::output;

use device::Device;
use display::Display;
use report::{Report, Tally};
use stage::Stage;

const EXAMPLES: &str = "\
Examples:
    sedge demo
    sedge demo --seconds 60
    sedge demo --seconds 3 --json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How many seconds the devices publish
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print nothing but the result, as JSON
    #[arg(long)]
    json: bool,
}

/// The devices, and the temperature and humidity about which their readings go up and down.
const DEVICES: [(&str, f64, f64); 3] =
    [("kitchen", 21.5, 46.0), ("garden", 9.0, 81.0), ("attic", 17.0, 52.0)];
/// The one that moves to another port midway.
const MOVES: &str = "garden";
/// How long the last readings may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let names: Vec<&str> = DEVICES.iter().map(|(name, ..)| *name).collect();
    let stage = Stage::set(&names).await?;
    let tally = Tally::new(!args.json);
    tally.scene(&stage, args.seconds)?;

    let mut devices = Vec::new();
    for (name, temperature, humidity) in DEVICES {
        let mut device = Device::connect(&stage, name, (temperature, humidity), tally.clone()).await?;
        device.publish().await?;
        devices.push(device);
    }
    let mut display = Display::connect(&stage, &names, tally.clone()).await?;

    let rhythm = Rhythm::new(args.seconds);
    let local = LocalSet::new();
    let handles: Vec<_> = (0..)
        .zip(devices)
        .map(|(place, device)| {
            let moves = device.name() == MOVES;
            local.spawn_local(device.live(rhythm.shifted(place), moves))
        })
        .collect();
    let (devices, display) = local
        .run_until(async {
            let publishing = async {
                let mut devices = Vec::new();
                for handle in handles {
                    devices.push(handle.await.map_err(Failure::new)??);
                }
                tally.published_all();
                Ok::<_, Failure>(devices)
            };
            tokio::try_join!(publishing, async {
                display.show(PATIENCE).await?;
                Ok(display)
            })
        })
        .await?;
    let status = stage.status().await?;
    let report = Report::new(&tally, &devices, &display, &status, args.seconds);
    for device in devices {
        device.close().await;
    }
    display.close().await;
    stage.strike()?;

    output::line(if args.json { report.in_json().to_string() } else { report.in_words() })?;
    if report.is_complete() { Ok(()) } else { Err(Failure::new(report.what_is_missing())) }
}

/// When readings are due.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    start: Instant,
    period: Duration,
    readings: u32,
}

impl Rhythm {
    /// A reading per second and device, but at least four of each.
    fn new(seconds: u64) -> Self {
        let period = Duration::from_secs(1).min(Duration::from_secs(seconds) / 4);
        let readings = Duration::from_secs(seconds).as_millis() / period.as_millis();
        Self { start: Instant::now(), period, readings: u32::try_from(readings).unwrap_or(u32::MAX) }
    }

    /// The devices take turns within a period.
    fn shifted(self, place: u32) -> Self {
        Self { start: self.start + self.period * place / DEVICES.len() as u32, ..self }
    }
}
