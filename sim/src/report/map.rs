//! The map of a network.

use std::fmt::Write as _;

use super::Run;
use super::plot::number;
use crate::network::NodeId;

const SIZE: f64 = 620.0;
const MARGIN: f64 = 40.0;
/// Of a node, if there are not too many.
const RADIUS: f64 = 7.0;
/// Links worse than this are not drawn: there are too many.
const LEAST: f64 = 0.1;

/// How far a way that passes over other nodes is bent aside, as a share of its length.
const BOW: f64 = 0.35;

/// Whether a place is on the line between two others, as far as one sees.
fn is_between((x, y): (f64, f64), (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> bool {
    let (dx, dy) = (x2 - x1, y2 - y1);
    let length = dx.hypot(dy);
    let (along, aside) = (((x - x1) * dx + (y - y1) * dy) / length, ((x - x1) * dy - (y - y1) * dx) / length);
    along > RADIUS && along < length - RADIUS && aside.abs() < RADIUS
}

/// From red, where nothing arrives, to green, where everything does.
fn colour(prr: f64) -> String {
    format!("hsl({:.0} 75% 42%)", 120.0 * prr.clamp(0.0, 1.0).powi(2))
}

impl Run<'_> {
    /// The nodes where they are, with the links between them coloured by what gets through.
    pub(super) fn map(&self) -> String {
        let network = self.simulation.network();
        let nodes: Vec<(NodeId, [f64; 3])> =
            (0..network.len() as u16).map(|node| (NodeId(node), network.position(NodeId(node)))).collect();
        let fold = |axis: usize, best: fn(f64, f64) -> f64| {
            nodes.iter().map(|(_, place)| place[axis]).reduce(best).unwrap_or_default()
        };
        let (left, right) = (fold(0, f64::min), fold(0, f64::max));
        let (low, high) = (fold(1, f64::min), fold(1, f64::max));
        let span = (right - left).max(high - low).max(1.0);
        let scale = (SIZE - 2.0 * MARGIN) / span;
        let height = (high - low) * scale + 2.0 * MARGIN;
        let at = |place: [f64; 3]| {
            (
                MARGIN + (place[0] - left) * scale + (span - (right - left)) * scale / 2.0,
                height - MARGIN - (place[1] - low) * scale,
            )
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {SIZE} {:.0}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"10\">",
            height + 30.0
        );
        let links = network.links();
        let places: Vec<(f64, f64)> = nodes.iter().map(|(_, place)| at(*place)).collect();
        let crowded = links.len() > 4_000;
        for link in &links {
            let is_way = network.parent(link.from) == Some(link.to);
            if !is_way && (crowded || link.prr < LEAST) {
                continue;
            }
            let ((x1, y1), (x2, y2)) = (at(network.position(link.from)), at(network.position(link.to)));
            let (width, opacity) =
                if is_way { (2.5, 0.9) } else { (0.8, if links.len() > 500 { 0.12 } else { 0.3 }) };
            let bow = if is_way
                && nodes.len() <= 300
                && places.iter().any(|place| is_between(*place, (x1, y1), (x2, y2)))
            {
                BOW
            } else {
                0.0
            };
            let (x, y) = ((x1 + x2) / 2.0 + bow * (y2 - y1), (y1 + y2) / 2.0 - bow * (x2 - x1));
            let _ = write!(
                svg,
                "<path d=\"M{x1:.1} {y1:.1}Q{x:.1} {y:.1} {x2:.1} {y2:.1}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" \
                 opacity=\"{opacity}\"><title>{} to {}: PRR {:.2}, {:.0} dBm</title></path>",
                colour(link.prr),
                link.from.0,
                link.to.0,
                link.prr,
                link.rssi_dbm
            );
        }
        let radius = if nodes.len() > 300 { 3.0 } else { RADIUS };
        for (node, place) in &nodes {
            let (x, y) = at(*place);
            let fill = if node.0 == 0 { "#111" } else { "#0072b2" };
            let _ = write!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\"><title>node {} at {}, {} m</title></circle>",
                node.0,
                number(place[0]),
                number(place[1])
            );
            if nodes.len() <= 300 {
                let name = if node.0 == 0 { "BR".into() } else { node.0.to_string() };
                let _ = write!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#fff\" font-size=\"7\">{name}</text>",
                    y + 2.5
                );
            }
        }
        let bar = 10_f64.powf((span / 4.0).log10().floor());
        let _ = write!(
            svg,
            "<path d=\"M{MARGIN} {0:.1}h{1:.1}\" stroke=\"#333\" stroke-width=\"2\"/>\
             <text x=\"{MARGIN}\" y=\"{2:.1}\">{3} m</text></svg>",
            height + 8.0,
            bar * scale,
            height + 22.0,
            number(bar)
        );
        if links.is_empty() {
            return format!(
                "{svg}<p class=\"quiet\">Devices and the border router (BR). This medium has no links of its own.</p>"
            );
        }
        let steps = [1.0, 0.9, 0.7, 0.5, 0.1]
            .map(|prr| format!("<span><i style=\"background:{}\"></i>PRR {prr}</span>", colour(prr)));
        let legend = steps.concat();
        format!(
            "{svg}<p class=\"legend\">{legend}<span>thick: the way to the border router (BR), in a bow around nodes that it \
             passes over</span></p><p class=\"quiet\">PRR, the packet reception ratio: the share of full frames that survive \
             without interference.</p>"
        )
    }
}
