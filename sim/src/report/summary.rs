//! A run in figures.

use serde_json::{Map, Value, json};

use super::Run;
use crate::network::NodeId;
use crate::record::{Kind, Message};

/// The figures of one kind of message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many there were.
    pub messages: usize,
    /// How often they should have arrived, over all receivers.
    pub expected: u64,
    /// How often they did.
    pub arrivals: u64,
    /// Latencies in milliseconds, in ascending order, one for each message that arrived.
    pub latencies_ms: Vec<f64>,
    /// IPv6 packets for each message.
    pub packets: f64,
    /// Frames for each message.
    pub frames: f64,
    /// Retries of the MAC for each message.
    pub retries: f64,
}

impl Figures {
    /// The figures of these messages.
    pub fn of<'m>(messages: impl Iterator<Item = &'m Message>) -> Self {
        let mut figures = Self::default();
        let (mut packets, mut frames, mut retries) = (0_u64, 0_u64, 0_u64);
        for message in messages {
            figures.messages += 1;
            figures.expected += u64::from(message.expected);
            figures.arrivals += u64::from(message.arrivals.min(message.expected));
            figures
                .latencies_ms
                .extend(message.latency().map(|latency| latency.as_micros() as f64 / 1_000.0));
            packets += u64::from(message.packets);
            frames += u64::from(message.frames);
            retries += u64::from(message.retries);
        }
        figures.latencies_ms.sort_unstable_by(f64::total_cmp);
        let each = |sum: u64| if figures.messages == 0 { 0.0 } else { sum as f64 / figures.messages as f64 };
        (figures.packets, figures.frames, figures.retries) = (each(packets), each(frames), each(retries));
        figures
    }

    /// The share of what should have arrived that did; `None` if nothing should have.
    pub fn delivery(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.arrivals as f64 / self.expected as f64)
    }

    /// The mean latency in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        let count = self.latencies_ms.len();
        (count > 0).then(|| self.latencies_ms.iter().sum::<f64>() / count as f64)
    }

    /// The latency that this share of the messages did not exceed, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let place = (self.latencies_ms.len() as f64 * share).ceil() as usize;
        self.latencies_ms.get(place.saturating_sub(1)).copied()
    }

    fn json(&self) -> Value {
        json!({
            "messages": self.messages,
            "expected": self.expected,
            "arrivals": self.arrivals,
            "delivery_ratio": self.delivery(),
            "latency_ms": {
                "mean": self.mean_ms(),
                "p50": self.quantile_ms(0.5),
                "p90": self.quantile_ms(0.9),
                "p99": self.quantile_ms(0.99),
                "max": self.latencies_ms.last(),
            },
            "packets_per_message": self.packets,
            "frames_per_message": self.frames,
            "retries_per_message": self.retries,
        })
    }
}

impl Run<'_> {
    /// The figures of one kind of message.
    pub fn figures(&self, kind: Kind) -> Figures {
        Figures::of(self.simulation.record().messages().iter().filter(|message| message.kind == kind))
    }

    /// The nodes that are devices.
    pub(super) fn devices(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..self.simulation.network().len() as u16).map(NodeId)
    }

    /// Everything that can be measured as one number, by name: what a sweep compares.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = Vec::new();
        for kind in Kind::ALL {
            let figures = self.figures(kind);
            let mut add = |name: &str, value: Option<f64>| {
                metrics.extend(value.map(|value| (format!("{kind}.{name}"), value)));
            };
            add("delivery", figures.delivery());
            add("latency_mean_ms", figures.mean_ms());
            add("latency_p50_ms", figures.quantile_ms(0.5));
            add("latency_p99_ms", figures.quantile_ms(0.99));
            if figures.messages > 0 {
                add("count", Some(figures.messages as f64));
                add("packets", Some(figures.packets));
                add("frames", Some(figures.frames));
            }
        }
        let network = self.simulation.network();
        let (mut joules, mut airtime, mut retries, count) = (0.0, 0.0, 0.0, self.devices().count() as f64);
        for node in self.devices() {
            joules += network.energy(node, self.simulation.now()).joules();
            let counters = network.counters(node);
            airtime += counters.airtime.as_micros() as f64 / 1e6;
            retries += counters.retries as f64;
        }
        metrics.push(("device.energy_mean_j".into(), joules / count));
        metrics.push(("device.airtime_mean_s".into(), airtime / count));
        metrics.push(("device.retries_mean".into(), retries / count));
        metrics
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        let simulation = self.simulation;
        let network = simulation.network();
        let messages: Map<String, Value> = Kind::ALL
            .into_iter()
            .map(|kind| (kind.as_str().to_owned(), self.figures(kind).json()))
            .filter(|(_, figures)| figures["messages"] != 0)
            .collect();
        let all = || (0..network.len() as u16).map(NodeId);
        let total = |count: fn(&crate::network::Counters) -> u64| -> u64 {
            all().map(|node| count(&network.counters(node))).sum()
        };
        let metrics: Map<String, Value> =
            self.metrics().into_iter().map(|(name, value)| (name, json!(value))).collect();
        let counters: Map<String, Value> = simulation
            .broker_counters()
            .totals()
            .filter(|(_, value)| *value > 0)
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        json!({
            "scenario": self.name,
            "description": self.description,
            "seed": self.seed,
            "version": env!("CARGO_PKG_VERSION"),
            "hash": self.hash(),
            "simulated_s": simulation.now().as_micros() as f64 / 1e6,
            "devices": network.len() - 1,
            "sessions_at_end": simulation.sessions(),
            "sessions_begun": simulation.record().sessions,
            "messages": messages,
            "network": {
                "packets": total(|counters| counters.accepted),
                "packets_dropped": total(|counters| counters.dropped),
                "frames": total(|counters| counters.frames),
                "acknowledgements": total(|counters| counters.acknowledgements),
                "retries": total(|counters| counters.retries),
                "collisions": total(|counters| counters.collisions),
                "channel_access_failures": total(|counters| counters.access_failures),
                "airtime_s": total(|counters| counters.airtime.as_micros()) as f64 / 1e6,
            },
            "broker": counters,
            "metrics": metrics,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_messages() {
        let figures = Figures { latencies_ms: (1..=100).map(f64::from).collect(), ..Figures::default() };
        let quantile = |share| figures.quantile_ms(share).unwrap();
        assert_eq!((quantile(0.5), quantile(0.99), quantile(1.0), quantile(0.001)), (50.0, 99.0, 100.0, 1.0));
        assert_eq!(figures.mean_ms(), Some(50.5));
        assert_eq!((Figures::default().quantile_ms(0.5), Figures::default().delivery()), (None, None));
    }
}
