//! The report as one page that needs nothing else.

use std::fmt::Write as _;

use super::plot::{Axis, COLOURS, Plot, escape, number};
use super::{Figures, Run};
use crate::network::NodeId;
use crate::record::{Kind, Message};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{margin-bottom:0}h2{margin-top:2.2rem;border-bottom:1px solid #ddd}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}.legend span{margin-right:1.2rem;white-space:nowrap}\
.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.35em;vertical-align:-.1em}code{background:#f3f3f3;padding:0 .25em}\
.quiet{color:#666}";

/// Bars of a chart by node at most; more nodes share them.
const BARS: usize = 200;

impl Run<'_> {
    /// `report.html`.
    pub fn report(&self) -> String {
        let simulation = self.simulation;
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{0}</title><style>{STYLE}</style><h1>{0}</h1><p>{1}</p>\
             <p class=\"quiet\">{2} devices, {3} simulated, seed {4}, sedge-sim {5}<br>trace hash <code>{6}</code></p>",
            escape(&self.name),
            escape(&self.description),
            simulation.network().len() - 1,
            time(simulation.now().as_micros() as f64 / 1e6),
            self.seed,
            env!("CARGO_PKG_VERSION"),
            self.hash(),
        );
        self.section(&mut page, "Messages", &self.message_table());
        self.section(&mut page, "Latency", &self.latencies());
        self.section(&mut page, "Delivery by device", &self.deliveries());
        self.section(&mut page, "Timeline", &self.timeline());
        self.section(&mut page, "Energy by device", &self.energies());
        self.section(&mut page, "Airtime by device", &self.airtimes());
        self.section(&mut page, "Map", &self.map());
        page.push_str("</html>\n");
        page
    }

    fn section(&self, page: &mut String, title: &str, body: &str) {
        let _ = write!(page, "<h2>{title}</h2>{body}");
    }

    fn message_table(&self) -> String {
        let mut table = String::from(
            "<table><tr><th>kind<th>messages<th>delivery ratio<th>mean latency (ms)<th>median (ms)<th>99 % (ms)<th>packets<th>frames<th>retries</tr>",
        );
        let value = |value: Option<f64>| value.map_or("–".into(), number);
        for kind in Kind::ALL {
            let figures = self.figures(kind);
            if figures.messages > 0 {
                let _ = write!(
                    table,
                    "<tr><td>{kind}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
                    figures.messages,
                    figures.delivery().map_or("–".into(), |share| format!("{:.2} %", share * 100.0)),
                    value(figures.mean_ms()),
                    value(figures.quantile_ms(0.5)),
                    value(figures.quantile_ms(0.99)),
                    number(figures.packets),
                    number(figures.frames),
                    number(figures.retries)
                );
            }
        }
        table.push_str("</table><p class=\"quiet\">Packets, frames and retries are per message, both ways, over all hops.</p>");
        table
    }

    fn latencies(&self) -> String {
        let all: Vec<(Kind, Figures)> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, self.figures(kind)))
            .filter(|(_, figures)| !figures.latencies_ms.is_empty())
            .collect();
        let least = all
            .iter()
            .filter_map(|(_, figures)| figures.latencies_ms.first().copied())
            .fold(f64::MAX, f64::min);
        let most =
            all.iter().filter_map(|(_, figures)| figures.latencies_ms.last().copied()).fold(0.0, f64::max);
        if all.is_empty() {
            return "<p>Nothing arrived.</p>".into();
        }
        let x = Axis::logarithmic("latency to the first receiver (ms)", least.max(0.01), most.max(0.02));
        let mut plot = Plot::new(x, Axis::linear("share of all messages", 0.0, 1.0));
        for ((kind, figures), colour) in all.iter().zip(COLOURS) {
            let count = figures.latencies_ms.len();
            // What never arrived keeps the curve below 1.
            let share = |index: usize| (index + 1) as f64 / figures.messages as f64;
            let step = (count / 400).max(1);
            let mut points: Vec<(f64, f64)> =
                (0..count).step_by(step).map(|index| (figures.latencies_ms[index], share(index))).collect();
            points.push((figures.latencies_ms[count - 1], share(count - 1)));
            plot.steps(kind.as_str(), colour, &points);
        }
        plot.finish()
    }

    fn deliveries(&self) -> String {
        let record = self.simulation.record();
        let mut by_node: Vec<Vec<&Message>> = vec![Vec::new(); self.simulation.network().len()];
        for message in record.messages().iter().filter(|message| message.kind == Kind::Publication) {
            by_node[message.node.index()].push(message);
        }
        let value = |node: NodeId| {
            let figures = Figures::of(by_node[node.index()].iter().copied());
            vec![figures.delivery().unwrap_or_default()]
        };
        if by_node.iter().all(Vec::is_empty) {
            return "<p>No device published.</p>".into();
        }
        self.by_device("delivery ratio", Some(1.0), &["publications that arrived"], value)
    }

    fn energies(&self) -> String {
        let network = self.simulation.network();
        let now = self.simulation.now();
        let names = ["sending", "receiving", "turning", "processor", "asleep", "idle", "other"];
        let value = |node| {
            let energy = network.energy(node, now);
            let joules = |charge_uc: f64| charge_uc * energy.volts / 1e6;
            [
                energy.transmit_uc,
                energy.receive_uc,
                energy.turnaround_uc,
                energy.cpu_uc,
                energy.sleep_uc,
                energy.idle_uc,
                energy.extra_uc,
            ]
            .map(joules)
            .to_vec()
        };
        self.by_device("energy (J)", None, &names, value)
    }

    fn airtimes(&self) -> String {
        let network = self.simulation.network();
        let value = |node| vec![network.counters(node).airtime.as_micros() as f64 / 1e6];
        self.by_device("time on the air (s)", None, &["all frames and acknowledgements"], value)
    }

    /// Bars by device, the parts of each on top of one another.
    fn by_device(
        &self,
        label: &str,
        most: Option<f64>,
        names: &[&str],
        value: impl Fn(NodeId) -> Vec<f64>,
    ) -> String {
        let values: Vec<Vec<f64>> = self.devices().map(value).collect();
        let share = values.len().div_ceil(BARS);
        let bars: Vec<Vec<f64>> = values
            .chunks(share)
            .map(|chunk| {
                let mean =
                    |part: usize| chunk.iter().map(|values| values[part]).sum::<f64>() / chunk.len() as f64;
                (0..names.len()).map(mean).collect()
            })
            .collect();
        let highest = bars.iter().map(|parts| parts.iter().sum()).fold(0.0, f64::max);
        if highest == 0.0 {
            return format!("<p>No {} to speak of on this medium.</p>", escape(label));
        }
        let word = if share > 1 { format!("device (each bar the mean of {share})") } else { "device".into() };
        let x = Axis::counted(word, 0.5, values.len() as f64 + 0.5);
        let mut plot = Plot::new(x, Axis::linear(label, 0.0, most.unwrap_or(highest * 1.05)));
        for (number_of, parts) in bars.iter().enumerate() {
            let first = (number_of * share + 1) as f64;
            let mut height = 0.0;
            for ((name, part), colour) in names.iter().zip(parts).zip(COLOURS) {
                if *part > 0.0 {
                    let tip = format!("device {first}: {name} {}", number(*part));
                    let along = (first - 0.4, first + share as f64 - 0.6);
                    plot.bar(name, colour, along, (height, height + part), &tip);
                    height += part;
                }
            }
        }
        plot.finish()
    }

    fn timeline(&self) -> String {
        let record = self.simulation.record();
        let end = self.simulation.now().as_micros() as f64 / 1e6;
        const BINS: usize = 120;
        let (factor, unit) = unit_of(end);
        let mut plot_lines: Vec<(String, Vec<f64>)> = Vec::new();
        for kind in Kind::ALL {
            let mut begun = vec![0.0; BINS];
            let mut lost = vec![0.0; BINS];
            let mut any = false;
            for message in record.messages().iter().filter(|message| message.kind == kind) {
                let at = message.created.as_micros() as f64 / 1e6 / end;
                let bin = ((at * BINS as f64) as usize).min(BINS - 1);
                begun[bin] += 1.0;
                lost[bin] += f64::from(u8::from(message.arrived.is_none()));
                any = true;
            }
            if any {
                plot_lines.push((format!("{kind}s begun"), begun));
                if lost.iter().any(|count| *count > 0.0) {
                    plot_lines.push((format!("{kind}s that never arrived"), lost));
                }
            }
        }
        let most = plot_lines.iter().flat_map(|(_, values)| values.iter().copied()).fold(1.0, f64::max);
        let width = end / BINS as f64;
        let y = Axis::linear(format!("messages per {}", time(width)), 0.0, most * 1.05);
        let mut plot = Plot::new(Axis::linear(format!("time ({unit})"), 0.0, end / factor), y);
        for ((name, values), colour) in plot_lines.iter().zip(COLOURS.into_iter().cycle()) {
            let points: Vec<(f64, f64)> = values
                .iter()
                .enumerate()
                .map(|(bin, value)| ((bin as f64 + 0.5) * width / factor, *value))
                .collect();
            plot.line(name, colour, &points);
        }
        for (at, word) in &self.events {
            plot.mark(at / factor, word);
        }
        plot.finish()
    }
}

/// The unit in which so many seconds are best read, in seconds.
fn unit_of(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s > 3.0 * 86_400.0 => (86_400.0, "days"),
        s if s > 3.0 * 3_600.0 => (3_600.0, "hours"),
        s if s > 180.0 => (60.0, "minutes"),
        _ => (1.0, "seconds"),
    }
}

/// A time as one reads it.
pub(crate) fn time(seconds: f64) -> String {
    let (factor, unit) = unit_of(seconds);
    format!("{} {unit}", number(seconds / factor))
}
