//! Plots as SVG: what was simulated as points with error bars, what was expected as a line.

use std::fmt::Write;

use super::Point;

/// A plot and its axes.
#[derive(Clone, Debug)]
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// Name and unit of what was varied.
    pub x: &'a str,
    /// Name and unit of the outcome.
    pub y: &'a str,
    /// The series: their names and points.
    pub series: Vec<(&'a str, Vec<Point>)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 55.0;
const COLOURS: [&str; 4] = ["#1f5fa8", "#b4421f", "#2d7d46", "#6f42a0"];

impl Plot<'_> {
    /// The plot as an SVG document. Error bars are three standard errors long each way.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let [x_end, y_end] = [
            nice(points().map(|point| point.x)),
            nice(points().map(|point| point.simulated.max(point.analytic))),
        ];
        let across = |x: f64| LEFT + x / x_end * (WIDTH - LEFT - RIGHT);
        let up = |y: f64| HEIGHT - BOTTOM - y / y_end * (HEIGHT - TOP - BOTTOM);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{}</text>\n",
            self.title
        );
        let mut line = |x1: f64, y1: f64, x2: f64, y2: f64, style: &str| {
            let _ =
                writeln!(out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>");
        };
        for step in 0..=5 {
            let share = f64::from(step) / 5.0;
            let [x, y] = [across(x_end * share), up(y_end * share)];
            line(LEFT, y, WIDTH - RIGHT, y, "stroke=\"#ddd\"");
            line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 5.0, "stroke=\"black\"");
        }
        line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "stroke=\"black\"");
        line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "stroke=\"black\"");
        for step in 0..=5 {
            let share = f64::from(step) / 5.0;
            let [x, y] = [across(x_end * share), up(y_end * share)];
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - BOTTOM + 19.0,
                label(x_end * share)
            );
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 7.0,
                y + 4.0,
                label(y_end * share)
            );
        }
        let middle = [(LEFT + WIDTH - RIGHT) / 2.0, (TOP + HEIGHT - BOTTOM) / 2.0];
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            middle[0],
            HEIGHT - 14.0,
            self.x
        );
        let _ = writeln!(
            out,
            "<text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            middle[1], self.y
        );
        for (number, (name, points)) in self.series.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let way: Vec<String> = points
                .iter()
                .map(|point| format!("{:.1},{:.1}", across(point.x), up(point.analytic)))
                .collect();
            let _ =
                writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", way.join(" "));
            for point in points {
                let x = across(point.x);
                let [low, high] = [-3.0, 3.0].map(|errors| up(point.simulated + errors * point.error));
                let _ = writeln!(
                    out,
                    "<line x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
                );
                let _ = writeln!(
                    out,
                    "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
                    up(point.simulated)
                );
            }
            let y = TOP + 20.0 * number as f64 + 10.0;
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{y:.1}\">{name}</text>",
                WIDTH - RIGHT + 14.0,
                y - 4.0,
                WIDTH - RIGHT + 24.0
            );
        }
        let y = HEIGHT - BOTTOM;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"10\" fill=\"#555\">lines: formula; points: simulated</text>",
            WIDTH - RIGHT + 4.0
        );
        out.push_str("</svg>\n");
        out
    }
}

/// The end of an axis that holds all of these.
fn nice(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.fold(0.0, f64::max).max(1e-9);
    let magnitude = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * magnitude)
        .find(|&end| end >= most * 0.999)
        .unwrap_or(most)
}

fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
