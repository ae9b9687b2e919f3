//! Writes `docs/VALIDATION.md`: what the simulator does beside what theory says.
//!
//! ```text
//! cargo run --release -p sedge-sim --example validation
//! ```

use std::fmt::Write;
use std::path::Path;

use sedge_sim::adaptation::Forwarding;
use sedge_sim::theory::contention::Senders;
use sedge_sim::theory::fragments::Chain;
use sedge_sim::theory::plot::Plot;
use sedge_sim::theory::{Point, access, coap, energy, queue};

fn main() -> std::io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut page = Page { text: String::new(), plots: docs.join("validation") };
    std::fs::create_dir_all(&page.plots)?;
    page.text.push_str(HEAD);
    page.saturated()?;
    page.queue()?;
    page.collisions()?;
    page.contention()?;
    page.fragments()?;
    page.confirmable()?;
    page.energy();
    std::fs::write(docs.join("VALIDATION.md"), &page.text)
}

const HEAD: &str = "# Validation

The simulator beside formulas that say what it has to do. This page is written by
`cargo run --release -p sedge-sim --example validation`; the same experiments, at the same seeds, are tests
(`cargo test -p sedge-sim --test theory`). In the plots a line is the formula, a point is what was simulated, and its bar
is three standard errors long each way. *Deviations* are distances from the formula in standard errors.

";

struct Page {
    text: String,
    plots: std::path::PathBuf,
}

impl Page {
    fn section(&mut self, title: &str, text: &str) {
        let _ = writeln!(self.text, "## {title}\n\n{text}\n");
    }

    fn table(&mut self, varied: &str, points: &[(String, Point)]) {
        let _ = writeln!(
            self.text,
            "| {varied} | formula | simulated | standard error | deviations |\n|---|---|---|---|---|"
        );
        for (name, point) in points {
            let Point { simulated, error, analytic, .. } = point;
            let deviations = if *error > 0.0 { format!("{:.2}", point.deviations()) } else { "-".to_owned() };
            let _ = writeln!(
                self.text,
                "| {name} | {analytic:.5} | {simulated:.5} | {error:.5} | {deviations} |"
            );
        }
        self.text.push('\n');
    }

    fn plot(&mut self, name: &str, plot: &Plot<'_>) -> std::io::Result<()> {
        std::fs::write(self.plots.join(format!("{name}.svg")), plot.svg())?;
        let _ = writeln!(self.text, "![{}](validation/{name}.svg)\n", plot.title);
        Ok(())
    }

    fn saturated(&mut self) -> std::io::Result<()> {
        self.section(
            "One sender that always has something to send",
            "Time from one frame to the next, in microseconds: `1120 + 128 + 192 + 32 * (6 + MPDU) + (192 + 352) + 640`, the mean \
             back-off, the assessment, the turnaround, the frame, its acknowledgement, the pause. Tolerance: 0.5 %.",
        );
        let run = |acknowledge| -> Vec<Point> {
            [20, 40, 60, 84]
                .into_iter()
                .map(|payload| access::saturated(payload, acknowledge, 20_000, 1))
                .collect()
        };
        let [with, without] = [run(true), run(false)];
        let named = |points: &[Point], kind: &str| -> Vec<(String, Point)> {
            points.iter().map(|point| (format!("{} B, {kind}", point.x), point.clone())).collect()
        };
        let rows = [named(&with, "acknowledged"), named(&without, "not acknowledged")].concat();
        self.table("payload", &rows);
        let series = vec![("acknowledged", with), ("not acknowledged", without)];
        self.plot(
            "saturated",
            &Plot { title: "One busy sender", x: "UDP payload (bytes)", y: "time a frame (us)", series },
        )
    }

    fn queue(&mut self) -> std::io::Result<()> {
        self.section(
            "One sender whose packets come at random",
            "Time from a packet's arrival in the sender to its arrival in the receiver, with Poisson arrivals: Pollaczek and \
             Khinchine's `r * E[S^2] / (2 * (1 - r * E[S]))` of waiting, a mean back-off, the assessment, the turnaround and the frame.",
        );
        let points: Vec<Point> =
            [20.0, 60.0, 90.0, 110.0, 130.0].map(|rate| queue::poisson(rate, 40_000, 9)).into();
        let rows: Vec<_> = points.iter().map(|point| (format!("{} /s", point.x), point.clone())).collect();
        self.table("packets", &rows);
        let series = vec![("84 B payloads", points)];
        self.plot(
            "queue",
            &Plot {
                title: "Packets at random",
                x: "packets a second",
                y: "time to the receiver (us)",
                series,
            },
        )
    }

    fn collisions(&mut self) -> std::io::Result<()> {
        self.section(
            "Senders that begin at once",
            "Chance that the first transmission is a collision: `1 - sum(k = 0..7) n/8 * ((7 - k)/8)^(n - 1)`.",
        );
        let points: Vec<Point> =
            [2, 3, 5, 7, 10].map(|senders| access::synchronised(senders, 10_000, 2)).into();
        let rows: Vec<_> = points.iter().map(|point| (format!("{}", point.x), point.clone())).collect();
        self.table("senders", &rows);
        let series = vec![("unslotted CSMA/CA", points)];
        self.plot(
            "collisions",
            &Plot { title: "Senders that begin at once", x: "senders", y: "chance of a collision", series },
        )
    }

    fn contention(&mut self) -> std::io::Result<()> {
        self.section(
            "Many senders whose packets come at random",
            "Shares of assessments that find the channel busy, of frames that meet another, and of packets that arrive, by the \
             fixed point that Srivastava and Kumar use (arXiv 1201.3001) for a star without hidden nodes, with a memory: a look \
             soon after a busy one may find the same frame. It is written down at `Senders::analytic` in \
             `sim/src/theory/contention.rs`. Of two frames that meet, the first survives with the chance that the bit errors at 0 dB leave it. \
             The formula takes senders for independent, so it is near, not exact. Tolerance: 10 %, of what arrives 1 %.",
        );
        let rates = [30.0, 60.0, 100.0, 140.0, 170.0];
        let mut rows = Vec::new();
        let mut series = Vec::new();
        for (count, names) in [(5, ["busy, 5 senders", "collision, 5"]), (20, ["busy, 20", "collision, 20"])]
        {
            let runs = rates.map(|rate| Senders { count, rate }.run(40_000, 11));
            for (which, name) in ["busy", "collision", "delivered"].into_iter().enumerate() {
                let points: Vec<Point> = runs.iter().map(|run| run[which].clone()).collect();
                let row = |point: &Point| (format!("{count} senders, {} /s: {name}", point.x), point.clone());
                rows.extend(points.iter().map(row));
                if let Some(name) = names.get(which) {
                    series.push((*name, points));
                }
            }
        }
        self.table("share", &rows);
        self.plot(
            "contention",
            &Plot {
                title: "Many senders whose packets come at random",
                x: "packets a second, all senders together",
                y: "share",
                series,
            },
        )
    }

    fn fragments(&mut self) -> std::io::Result<()> {
        self.section(
            "Packets in fragments",
            "Chance that a packet of `n` fragments arrives over `h` links that lose frames with the chance `p`, with three \
             repetitions a frame: `(1 - p^4)^(n * h)`; without repetition `(1 - p)^n`.",
        );
        let mut rows = Vec::new();
        let mut series = Vec::new();
        for (name, fragments, hops, repeat) in [
            ("6 fragments", 6, 1, true),
            ("13 fragments", 13, 1, true),
            ("6, four links", 6, 4, true),
            ("6, not repeated", 6, 1, false),
        ] {
            let chain = Chain { loss: 0.0, fragments, hops, repeat, forwarding: Forwarding::Reassemble };
            let points: Vec<Point> =
                [0.0, 0.1, 0.2, 0.3, 0.4, 0.5].map(|loss| Chain { loss, ..chain }.run(2_000, 3)).into();
            rows.extend(points.iter().map(|point| (format!("{name}, p = {}", point.x), point.clone())));
            series.push((name, points));
        }
        self.table("packet", &rows);
        self.plot(
            "fragments",
            &Plot { title: "Packets in fragments", x: "loss of a frame", y: "packets that arrive", series },
        )
    }

    fn confirmable(&mut self) -> std::io::Result<()> {
        self.section(
            "Confirmable requests",
            "CoAP's repetition, as the CoAP engine does it, over a link that loses datagrams with the chance `p` each way; \
             `q = 1 - (1 - p)^2`. Success: `1 - q^5`. Transmissions: `sum(k = 0..4) q^k`. Extra latency in seconds: \
             `2.5 * sum(k = 0..4) (2^k - 1) q^k (1 - q) / (1 - q^5)`.",
        );
        let losses = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5];
        let runs = losses.map(|loss| coap::confirmable(loss, 20_000, 6));
        let quantity = |index: usize| -> Vec<Point> { runs.iter().map(|run| run[index].clone()).collect() };
        let mut rows = Vec::new();
        for (index, name) in ["success", "extra latency (s)", "transmissions"].into_iter().enumerate() {
            rows.extend(quantity(index).into_iter().map(|point| (format!("{name}, p = {}", point.x), point)));
        }
        self.table("quantity", &rows);
        let series = vec![("extra latency", quantity(1)), ("transmissions", quantity(2))];
        self.plot(
            "confirmable",
            &Plot { title: "Confirmable requests", x: "loss each way", y: "seconds; number", series },
        )
    }

    fn energy(&mut self) {
        self.section(
            "A sleeping device",
            "An nRF52840 at 0 dBm and 3.0 V that asks its parent every second, beside what Nordic measured: 18.14 uC a poll and \
             1261.6 uC a minute. Tolerance: 15 %. The processor's time a poll (1.9 ms) is fitted, the radio's states are not.",
        );
        let [poll, minute] = energy::polling(10, 5);
        self.table("charge (uC)", &[("one poll".to_owned(), poll), ("one minute".to_owned(), minute)]);
    }
}
