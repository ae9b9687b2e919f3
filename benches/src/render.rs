//! The report as text: a table for a terminal, and a page of Markdown.

use std::fmt::Write as _;

use crate::report::{Goal, Report, Row};

const HEADINGS: [&str; 7] = ["Part", "What", "Sedge", "Beside it", "Times better", "Goal", ""];

/// The table for a terminal.
pub(crate) fn terminal(report: &Report) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(report.rows.iter().map(cells));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    });
    lines.insert(1, widths.map(|width| "-".repeat(width)));

    let mut text = String::new();
    let mut part = String::new();
    for line in &mut lines {
        // The part is named once, on its first line.
        if line[0] == part {
            line[0].clear();
        } else {
            part.clone_from(&line[0]);
        }
        let padded: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    let _ = writeln!(text, "\n{}", ratio_legend());
    for note in notes(report) {
        let _ = writeln!(text, "- {note}");
    }
    let _ = writeln!(text, "{}", machine(report));
    text
}

/// The page of Markdown.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::from(
        "# Benchmarks\n\n\
         Written by `cargo run --release -p sedge-bench -- all --markdown docs/BENCHMARKS.md`; not to be edited \
         by hand.\n\n\
         Everything in the table was measured in one run on one machine, contenders in turn, so only the ratios \
         mean something elsewhere. Figures per second are per second of *server CPU time* (user and system): the \
         load generator shares the machine and is not counted. ",
    );
    let _ = writeln!(text, "{}\n", ratio_legend());
    let _ = writeln!(text, "| {} |", HEADINGS.join(" | ").trim_end());
    let _ = writeln!(text, "|---|---|--:|--:|--:|--:|---|");
    for row in &report.rows {
        let cells = cells(row).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n## Notes\n\n");
    for note in notes(report) {
        let _ = writeln!(text, "- {note}");
    }
    let _ = writeln!(text, "\n## Machine and peers\n\n{}", machine(report));
    for peer in &report.peers {
        let _ = writeln!(text, "- {peer}");
    }
    text
}

const fn ratio_legend() -> &'static str {
    "\"Times better\" is the median of the ratios of single repetitions, with the lowest and highest behind it; \
     below 1 Sedge loses."
}

fn cells(row: &Row) -> [String; 7] {
    let value = |value: Option<f64>| value.map_or("-".into(), |value| with_unit(value, row.unit));
    [
        row.part.into(),
        row.what.clone(),
        value(row.sedge),
        row.other
            .as_ref()
            .map_or("-".into(), |other| format!("{}: {}", other.name, with_unit(other.value, row.unit))),
        match (row.ratio, row.ratio_range) {
            (Some(ratio), Some((low, high))) => {
                format!("{} ({} to {})", times(ratio), times(low), times(high))
            }
            (Some(ratio), None) => times(ratio),
            (None, _) => "-".into(),
        },
        match row.goal {
            Some(Goal::Ratio(least)) => format!(">= {}", times(least)),
            Some(Goal::AtMost(most)) => format!("<= {}", with_unit(most, row.unit)),
            None => "-".into(),
        },
        match row.reached {
            Some(true) => "reached".into(),
            Some(false) => "MISSED".into(),
            None => String::new(),
        },
    ]
}

fn notes(report: &Report) -> impl Iterator<Item = String> {
    report.rows.iter().filter_map(|row| Some(format!("{}, {}: {}", row.part, row.what, row.note.as_ref()?)))
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "{} x {}, Linux {}, load {:.1} to {:.1}, {}, revision {}",
        machine.cores,
        machine.cpu,
        machine.kernel,
        machine.load_at_start,
        machine.load_at_end,
        machine.rustc,
        machine.revision
    )
}

/// `12.3 k/s`, `480 B`, `1.25 us`: three digits that count.
fn with_unit(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match unit {
        "/s" if value >= 1e6 => (value / 1e6, "M"),
        "/s" if value >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let number = match scaled.abs() {
        _ if scaled.fract() == 0.0 => format!("{scaled:.0}"),
        ..10.0 => format!("{scaled:.2}"),
        ..100.0 => format!("{scaled:.1}"),
        _ => format!("{scaled:.0}"),
    };
    format!("{number} {prefix}{unit}").trim_end().into()
}

fn times(ratio: f64) -> String {
    match ratio {
        ..10.0 => format!("{ratio:.2}"),
        ..100.0 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}
