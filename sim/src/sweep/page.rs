//! A sweep as a table and as plots with error bars.

use std::fmt::Write as _;

use super::{Estimate, Row, Table};
use crate::report::plot::{Axis, COLOURS, Plot, escape};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;background:#fff}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:right}svg{width:100%;height:auto}\
.legend span{margin-right:1.2rem}.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.35em}";

/// What is drawn, and how the axis is called.
const DRAWN: [(&str, &str); 4] = [
    ("publication.delivery", "delivery ratio of publications"),
    ("publication.latency_mean_ms", "mean latency of publications (ms)"),
    ("handshake.latency_p50_ms", "median time to a session (ms)"),
    ("device.energy_mean_j", "energy per device (J)"),
];

/// A key, with what it counts where the key does not say so.
fn named(key: &str) -> String {
    match key {
        "topology.nodes" => "topology.nodes: devices".into(),
        "channel.loss" => "channel.loss: share of frames or packets lost".into(),
        "topology.radius" | "topology.spacing" | "channel.range" => format!("{key} (m)"),
        "radio.power" => format!("{key} (dBm)"),
        "traffic.bytes" | "protocol.block" | "protocol.datagram" => format!("{key} (bytes)"),
        "channel.shadowing" | "channel.asymmetry" => format!("{key} (dB)"),
        key => key.into(),
    }
}

impl Row {
    fn metric(&self, name: &str) -> Option<Estimate> {
        self.metrics.iter().find(|(other, _)| other == name).map(|(_, estimate)| *estimate)
    }
}

impl Table {
    /// The names of all metrics.
    fn names(&self) -> Vec<&String> {
        let mut names: Vec<&String> =
            self.rows.iter().flat_map(|row| row.metrics.iter().map(|(name, _)| name)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What the figures are.
    pub(crate) fn legend(&self) -> String {
        match self.seeds {
            1 => "One run each: more seeds would show how far off these figures may be.".into(),
            seeds => format!(
                "Means over {seeds} seeds; bars and ± show the 95 % confidence interval. Where ± is missing, one run alone had a figure."
            ),
        }
    }

    /// One line for each setting: its values, and of each metric the mean and half of the confidence interval.
    pub(crate) fn csv(&self) -> String {
        let names = self.names();
        let heads = names.iter().flat_map(|name| [(*name).clone(), format!("{name}_ci95")]);
        let mut text = self.keys.iter().cloned().chain(heads).collect::<Vec<_>>().join(",") + "\n";
        for row in &self.rows {
            let figures = names.iter().flat_map(|name| match row.metric(name) {
                Some(estimate) => [estimate.mean.to_string(), estimate.half_width.to_string()],
                None => [String::new(), String::new()],
            });
            text += &(row.values.iter().cloned().chain(figures).collect::<Vec<_>>().join(",") + "\n");
        }
        text
    }

    /// The whole page.
    pub(crate) fn page(&self) -> String {
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style><h1>{0}</h1>\
             <p>{1}</p>",
            escape(&self.name),
            self.legend()
        );
        for (name, label) in DRAWN {
            if self.rows.iter().any(|row| row.metric(name).is_some()) {
                page.push_str(&self.plot(name, label));
            }
        }
        page.push_str("<div style=\"overflow-x:auto\"><table><tr>");
        let names = self.names();
        for head in self.keys.iter().chain(names.iter().copied()) {
            let _ = write!(page, "<th>{}", escape(head));
        }
        for row in &self.rows {
            page.push_str("<tr>");
            row.values.iter().for_each(|value| {
                let _ = write!(page, "<td>{}", escape(value));
            });
            for name in &names {
                let cell = row.metric(name).map_or("–".into(), |estimate| estimate.to_string());
                let _ = write!(page, "<td>{cell}");
            }
        }
        page.push_str("</table></div></html>\n");
        page
    }

    /// One metric over the values of the first key; the other keys' values make the series.
    fn plot(&self, name: &str, label: &str) -> String {
        // What is not a number lies at its place in the list.
        let mut words: Vec<&String> = Vec::new();
        for row in &self.rows {
            if !words.contains(&&row.values[0]) {
                words.push(&row.values[0]);
            }
        }
        let are_numbers = words.iter().all(|word| word.parse::<f64>().is_ok());
        let place = |row: &Row| match row.values[0].parse::<f64>() {
            Ok(value) if are_numbers => value,
            _ => words.iter().position(|word| **word == row.values[0]).unwrap_or_default() as f64 + 1.0,
        };
        let points: Vec<(f64, Estimate, String)> = self
            .rows
            .iter()
            .filter_map(|row| {
                let others: Vec<String> = self
                    .keys
                    .iter()
                    .zip(&row.values)
                    .skip(1)
                    .map(|(key, value)| format!("{key} = {value}"))
                    .collect();
                Some((place(row), row.metric(name)?, others.join(", ")))
            })
            .collect();
        let fold = |values: &dyn Fn(&(f64, Estimate, String)) -> f64, best: fn(f64, f64) -> f64| {
            points.iter().map(values).reduce(best).unwrap_or_default()
        };
        let (left, right) = (fold(&|point| point.0, f64::min), fold(&|point| point.0, f64::max));
        let top = fold(&|point| point.1.mean + point.1.half_width, f64::max);
        let margin = ((right - left) * 0.05).max(1e-3);
        let x_label = if are_numbers {
            named(&self.keys[0])
        } else {
            let list: Vec<String> =
                (1..).zip(&words).map(|(number, word)| format!("{number}: {word}")).collect();
            format!("{} ({})", named(&self.keys[0]), list.join(", "))
        };
        let x = Axis::linear(x_label, left - margin, right + margin);
        let mut plot = Plot::new(x, Axis::linear(label, 0.0, top * 1.08));
        let mut series: Vec<&String> = Vec::new();
        for (_, _, one) in &points {
            if !series.contains(&one) {
                series.push(one);
            }
        }
        for ((number, one), colour) in (0..).zip(&series).zip(COLOURS.into_iter().cycle()) {
            let own: Vec<&(f64, Estimate, String)> = points.iter().filter(|point| point.2 == **one).collect();
            let title = if one.is_empty() { label } else { one.as_str() };
            let own: Vec<(f64, f64, f64)> =
                own.iter().map(|(x, estimate, _)| (*x, estimate.mean, estimate.half_width)).collect();
            plot.series(title, colour, (number, series.len()), &own);
        }
        format!("<h2>{}</h2>{}", escape(label), plot.finish())
    }
}
