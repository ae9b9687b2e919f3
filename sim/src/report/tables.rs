//! A run as tables: one line for each node, one for each message.

use std::io::{self, Write};

use crate::energy::Battery;
use crate::network::NodeId;
use crate::record::Kind;

use super::{Figures, Run};

impl Run<'_> {
    /// `nodes.csv`.
    pub(super) fn write_nodes(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "node,x_m,y_m,z_m,parent,published,arrived,latency_mean_ms,packets_accepted,packets_delivered,\
             packets_forwarded,packets_dropped,frames,acknowledgements,retries,unacknowledged,cca_busy,received,\
             lost_to_noise,lost_to_collision,airtime_ms,sleep_s,idle_s,receive_s,transmit_s,cpu_s,charge_uc,mean_ua,energy_j,\
             battery_years_cr2032"
        )?;
        let network = self.simulation.network();
        let record = self.simulation.record();
        let mut by_node: Vec<Vec<&crate::record::Message>> = vec![Vec::new(); network.len()];
        for message in record.messages().iter().filter(|message| message.kind == Kind::Publication) {
            by_node[message.node.index()].push(message);
        }
        for node in (0..network.len() as u16).map(NodeId) {
            let [x, y, z] = network.position(node);
            let parent = network.parent(node).map_or(String::new(), |parent| parent.0.to_string());
            let figures = Figures::of(by_node[node.index()].iter().copied());
            let latency = figures.mean_ms().map_or(String::new(), |mean| format!("{mean:.3}"));
            let counters = network.counters(node);
            let energy = network.energy(node, self.simulation.now());
            let seconds = |duration: sedge_time::Duration| duration.as_micros() as f64 / 1e6;
            writeln!(
                out,
                "{},{x},{y},{z},{parent},{},{},{latency},{},{},{},{},{},{},{},{},{},{},{},{},{:.3},{:.6},{:.6},{:.6},{:.6},\
                 {:.6},{:.3},{:.3},{:.6},{:.2}",
                node.0,
                figures.messages,
                figures.arrivals,
                counters.accepted,
                counters.delivered,
                counters.forwarded,
                counters.dropped,
                counters.frames,
                counters.acknowledgements,
                counters.retries,
                counters.unacknowledged,
                counters.busy,
                counters.received,
                counters.noise,
                counters.collisions,
                seconds(counters.airtime) * 1e3,
                seconds(energy.sleep),
                seconds(energy.idle),
                seconds(energy.receive),
                seconds(energy.transmit),
                seconds(energy.cpu),
                energy.charge_uc(),
                energy.mean_ua(),
                energy.joules(),
                energy.battery_years(Battery::CR2032),
            )?;
        }
        Ok(())
    }

    /// `messages.csv`.
    pub(super) fn write_messages(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "message,kind,node,bytes,created_us,arrived_us,concluded_us,outcome,expected,arrivals,latency_ms,packets,\
             frames,retries,unacknowledged,airtime_us"
        )?;
        let time =
            |at: Option<sedge_time::Instant>| at.map_or(String::new(), |at| at.as_micros().to_string());
        for message in self.simulation.record().messages() {
            let latency = message
                .latency()
                .map_or(String::new(), |latency| format!("{:.3}", latency.as_micros() as f64 / 1e3));
            writeln!(
                out,
                "{},{},{},{},{},{},{},{},{},{},{latency},{},{},{},{},{}",
                message.id,
                message.kind,
                message.node.0,
                message.bytes,
                message.created.as_micros(),
                time(message.arrived),
                time(message.concluded),
                message.outcome,
                message.expected,
                message.arrivals,
                message.packets,
                message.frames,
                message.retries,
                message.unacknowledged,
                message.airtime_us,
            )?;
        }
        Ok(())
    }
}
