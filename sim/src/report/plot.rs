//! Plots as SVG: axes with units, legends, and nothing that needs a network.

use std::fmt::Write as _;

/// The colours of series, told apart also by people who see fewer of them (Okabe and Ito).
pub(crate) const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
/// Room for half of the last number.
const RIGHT: f64 = 36.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 52.0;

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Linear, with nothing between whole numbers.
    Counted,
    Logarithmic,
}

/// An axis: what it shows, in which unit, from where to where.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A plot.
pub(crate) struct Plot {
    x: Axis,
    y: Axis,
    body: String,
    legend: Vec<(String, &'static str)>,
}

impl Axis {
    pub(crate) fn linear(label: impl Into<String>, least: f64, most: f64) -> Self {
        let most = if most > least { most } else { least + 1.0 };
        Self { label: label.into(), scale: Scale::Linear, least, most }
    }

    /// Things that are numbered.
    pub(crate) fn counted(label: impl Into<String>, least: f64, most: f64) -> Self {
        Self { scale: Scale::Counted, ..Self::linear(label, least, most) }
    }

    /// Whole decades around these values.
    pub(crate) fn logarithmic(label: impl Into<String>, least: f64, most: f64) -> Self {
        let least = 10_f64.powf(least.max(1e-6).log10().floor());
        let most = 10_f64.powf(most.max(least * 1.01).log10().ceil());
        Self { label: label.into(), scale: Scale::Logarithmic, least, most }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear | Scale::Counted => (value - self.least) / (self.most - self.least),
            Scale::Logarithmic => {
                (value.max(self.least) / self.least).log10() / (self.most / self.least).log10()
            }
        };
        part.clamp(0.0, 1.0)
    }

    /// Values to write at the axis.
    fn ticks(&self) -> Vec<f64> {
        if self.scale == Scale::Logarithmic {
            let decades = (self.most / self.least).log10().round() as i32;
            let step = (decades / 6 + 1) as usize;
            return (0..=decades).step_by(step).map(|decade| self.least * 10_f64.powi(decade)).collect();
        }
        let rough = (self.most - self.least) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = match self.scale {
            Scale::Counted => step.map(f64::ceil),
            _ => step,
        };
        let step = step.unwrap_or(rough);
        let first = (self.least / step).ceil() as i64;
        let last = (self.most / step + 1e-9).floor() as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }
}

impl Plot {
    pub(crate) fn new(x: Axis, y: Axis) -> Self {
        Self { x, y, body: String::new(), legend: Vec::new() }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let inner = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        (LEFT + self.x.place(x) * inner.0, TOP + (1.0 - self.y.place(y)) * inner.1)
    }

    fn name(&mut self, name: &str, colour: &'static str) {
        if !name.is_empty() && !self.legend.iter().any(|(known, _)| known == name) {
            self.legend.push((name.into(), colour));
        }
    }

    /// Where something is drawn that stands in a row of `count` things at the same value, so that none hides another.
    fn beside(x: f64, (index, count): (usize, usize)) -> f64 {
        const APART: f64 = 6.0;
        x + APART * (index as f64 - count.saturating_sub(1) as f64 / 2.0)
    }

    /// A line through points.
    pub(crate) fn line(&mut self, name: &str, colour: &'static str, points: &[(f64, f64)]) {
        self.name(name, colour);
        let places: Vec<String> = points
            .iter()
            .map(|(x, y)| {
                let (x, y) = self.at(*x, *y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = write!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            places.join(" ")
        );
    }

    /// A line through points with the intervals that they are uncertain by, as one (with this number) of several series.
    pub(crate) fn series(
        &mut self,
        name: &str,
        colour: &'static str,
        place: (usize, usize),
        points: &[(f64, f64, f64)],
    ) {
        self.name(name, colour);
        let ends = points.iter().map(|(x, y, _)| self.at(*x, *y));
        let places: Vec<String> =
            ends.map(|(x, y)| format!("{:.1},{y:.1}", Self::beside(x, place))).collect();
        let _ = write!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            places.join(" ")
        );
        for (x, y, error) in points {
            self.point(name, colour, place, (*x, *y), *error);
        }
    }

    /// A line that goes up in steps, as a distribution does.
    pub(crate) fn steps(&mut self, name: &str, colour: &'static str, points: &[(f64, f64)]) {
        let mut stairs = Vec::with_capacity(points.len() * 2);
        let mut level = 0.0;
        for (x, y) in points {
            stairs.extend([(*x, level), (*x, *y)]);
            level = *y;
        }
        self.line(name, colour, &stairs);
    }

    /// A bar from `from` to `to` along the x axis, between two heights.
    pub(crate) fn bar(
        &mut self,
        name: &str,
        colour: &'static str,
        along: (f64, f64),
        heights: (f64, f64),
        tip: &str,
    ) {
        self.name(name, colour);
        let ((left, top), (right, bottom)) = (self.at(along.0, heights.1), self.at(along.1, heights.0));
        let (width, height) = ((right - left).max(0.6), (bottom - top).max(0.0));
        let _ = write!(
            self.body,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.2}\" height=\"{height:.1}\" fill=\"{colour}\">\
             <title>{}</title></rect>",
            escape(tip)
        );
    }

    /// A point with the interval that it is uncertain by.
    fn point(
        &mut self,
        name: &str,
        colour: &'static str,
        place: (usize, usize),
        (x, y): (f64, f64),
        error: f64,
    ) {
        let ((px, py), (_, low), (_, high)) = (self.at(x, y), self.at(x, y - error), self.at(x, y + error));
        let (px, name) = (Self::beside(px, place), escape(name));
        let _ = write!(
            self.body,
            "<g stroke=\"{colour}\" stroke-width=\"1.5\"><circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.5\" fill=\"{colour}\">\
             <title>{name} at {}: {} ± {}</title></circle>\
             <path d=\"M{px:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h8M{:.1} {high:.1}h8\" fill=\"none\"/></g>",
            number(x),
            number(y),
            number(error),
            px - 4.0,
            px - 4.0,
        );
    }

    /// A vertical line with a word.
    pub(crate) fn mark(&mut self, x: f64, word: &str) {
        let (px, bottom) = self.at(x, self.y.least);
        let _ = write!(
            self.body,
            "<g><path d=\"M{px:.1} {TOP}V{bottom:.1}\" stroke=\"#999\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"#555\" transform=\"rotate(90 {:.1} {:.1})\">{}</text></g>",
            px + 3.0,
            TOP + 2.0,
            px + 3.0,
            TOP + 2.0,
            escape(word)
        );
    }

    /// The whole picture.
    pub(crate) fn finish(self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\">"
        );
        let (left, bottom) = self.at(self.x.least, self.y.least);
        let (right, top) = self.at(self.x.most, self.y.most);
        for tick in self.x.ticks() {
            let (x, _) = self.at(tick, self.y.least);
            let _ = write!(
                svg,
                "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"#eee\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                number(tick)
            );
        }
        for tick in self.y.ticks() {
            let (_, y) = self.at(self.x.least, tick);
            let _ = write!(
                svg,
                "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#eee\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                number(tick)
            );
        }
        svg.push_str(&self.body);
        let _ = write!(
            svg,
            "<path d=\"M{left:.1} {top:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#333\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            (left + right) / 2.0,
            bottom + 36.0,
            escape(&self.x.label),
            (top + bottom) / 2.0,
            escape(&self.y.label),
        );
        svg.push_str("</svg>");
        if self.legend.is_empty() {
            return svg;
        }
        let entries = self.legend.iter().map(|(name, colour)| {
            format!("<span><i style=\"background:{colour}\"></i>{}</span>", escape(name))
        });
        format!("{svg}<p class=\"legend\">{}</p>", entries.collect::<String>())
    }
}

/// A number as one reads it.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        _ if size == 0.0 => return "0".into(),
        _ if !(1e-3..1e6).contains(&size) => {
            let text = format!("{value:.2e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            return format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'));
        }
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A text within HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        assert_eq!(Axis::linear("", 0.0, 100.0).ticks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Axis::linear("", 0.0, 0.9).ticks().len(), 5);
        assert_eq!(Axis::counted("", 0.5, 15.5).ticks(), [3.0, 6.0, 9.0, 12.0, 15.0]);
        assert_eq!(Axis::counted("", 0.5, 2.5).ticks(), [1.0, 2.0]);
        assert_eq!(Axis::logarithmic("", 3.0, 4_000.0).ticks(), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(
            ["0.05", "1.5", "120", "1e6"],
            [0.05, 1.5, 120.0, 1e6].map(number).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn a_plot_names_its_axes_and_series() {
        let mut plot = Plot::new(Axis::linear("time (s)", 0.0, 10.0), Axis::linear("share <1>", 0.0, 1.0));
        plot.line("first", COLOURS[0], &[(0.0, 0.0), (10.0, 1.0)]);
        plot.series("second", COLOURS[1], (1, 2), &[(5.0, 0.5, 0.1)]);
        let svg = plot.finish();
        assert!(svg.contains("time (s)") && svg.contains("share &lt;1&gt;"));
        assert!(svg.contains("first") && svg.contains("second"));
        assert!(svg.contains("<polyline points=\"70.0,268.0 684.0,16.0\""), "{svg}");
    }
}
